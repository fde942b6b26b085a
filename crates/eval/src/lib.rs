//! Numbers about a voice, with error bars.
//!
//! From what two models wrote and how well they predict unseen writing, this
//! crate computes a [`Report`]: is the tuned model closer to the author than the
//! base model, what did it copy, does it still answer, and how sure can one be.
//!
//! It loads no model, touches no device, opens no socket and writes no file.
//! The same evidence gives the same report, byte for byte, on any machine: rows
//! are sorted before use, randomness comes from a named stream of one seed, and
//! every number is made of additions, products, quotients and square roots,
//! which IEEE 754 defines to the last bit.
//!
//! Start at [`report::measure`]; what is measured is listed in [`metric::ALL`].

pub mod error;
pub mod gate;
pub mod metric;
mod number;
pub mod pair;
pub mod report;
pub mod stat;
pub mod transcript;

pub use error::Error;
pub use gate::{Bars, Claim, Outcome, Verdict};
pub use metric::bits::DocumentLoss;
pub use metric::copying::Source;
pub use report::{Evidence, Report, Settings};
pub use stat::estimate::{Contrast, Estimate, Interval};
pub use transcript::{Finish, Reply, Transcript};
