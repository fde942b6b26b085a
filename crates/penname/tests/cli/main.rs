//! The program as a person meets it: the built binary, in a folder of its own, with an empty home.
//!
//! Start with [`bench`], which runs it. Nothing here opens a connection.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod base;
mod bench;
mod export;
mod failure;
mod help;
mod killed;
mod plan;
mod prepare;
mod scratch;
mod settings;
mod tiny;
