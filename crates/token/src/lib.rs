//! Text to ids with a loss mask, and back.

pub mod message;

pub use message::{Example, Message, Role};
