//! What was made, from what, by which version.
//!
//! The ledger keeps the books of every stage: manifests that say what a folder was made from,
//! journals that survive a pulled plug, the root seed and its named streams, the lock that keeps
//! two runs apart, and the events through which libraries report. It is the only crate that
//! writes files, so "nothing half-written is ever seen" is decided in one place: [`mod@write`].
//!
//! It does not know what an artefact means, opens no connection and prints nothing.
//!
//! Start with [`manifest`] for what a finished stage leaves behind, [`mod@write`] for how it gets to
//! disk, and [`event`] for how progress is told.

pub mod clock;
pub mod disk;
mod error;
pub mod event;
pub mod hash;
pub mod journal;
pub mod lock;
pub mod manifest;
mod process;
pub mod run;
pub mod seed;
pub mod write;

pub use clock::{Stopwatch, Timestamp};
pub use error::{Error, Kind};
pub use event::{Choice, Event, Witness};
pub use hash::Hash;
pub use journal::Journal;
pub use lock::Lock;
pub use manifest::Manifest;
pub use run::Run;
pub use seed::{Seed, Stream};

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;
