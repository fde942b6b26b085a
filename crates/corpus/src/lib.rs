//! From the world's text to examples worth learning.
//!
//! A person's `writing/` folder goes in; examples, the held-out set and an account of every
//! character come out. The flow is one line, and each word of it is a module:
//!
//! ```text
//! collect → clean → validate → split → dedupe → compose → account
//! ```
//!
//! The crate knows people, documents and text. It never sees a token id, a gradient or a model,
//! never prints, and never changes a file of the person: whatever is cut from a text is cut from
//! a copy, by an [`edit::Edit`] that says which rule did it.
//!
//! Six places grow by one file and one line: [`collect::files::ALL`] (formats),
//! [`collect::fetch::ALL`] (sources over the network), [`clean::ALL`] (cleaners), [`validate::ALL`]
//! (rules), [`compose::ALL`] (ways to make an example of a document) and [`export::ALL`] (shapes in which
//! what was prepared leaves).
//!
//! Questions for passages may be written by a model ([`ask`]), which is asked for by itself and with care for
//! what it costs; the flow only reads what was answered.
//!
//! Start with [`prepare()`], which is the whole flow on one page.

pub mod account;
pub mod ask;
pub mod clean;
pub mod collect;
pub mod compose;
pub mod dedupe;
pub mod document;
pub mod edit;
pub mod encoding;
mod error;
pub mod export;
pub mod forget;
pub mod issue;
pub mod prepare;
pub mod provenance;
pub mod review;
pub mod rights;
mod sentence;
pub mod settings;
pub mod shard;
pub mod sieve;
pub mod split;
pub mod stats;
pub mod store;
pub mod validate;
mod when;

pub use account::Account;
pub use document::Document;
pub use error::Error;
pub use issue::Issue;
pub use prepare::{Prepared, prepare};
pub use settings::Settings;
