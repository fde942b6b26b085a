//! The program as a person meets it: the built binary, in a folder of its own, with an empty home.
//!
//! Start with [`bench`], which runs it. Connections are opened to this machine only, and by [`fetch`] and [`ask`] alone.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod ask;
mod base;
mod bench;
mod books;
mod export;
mod failure;
mod fetch;
mod help;
mod killed;
mod plan;
mod prepare;
mod recipes;
mod review;
mod scratch;
#[path = "../../../corpus/tests/corpus/fetch/server.rs"]
#[expect(dead_code, reason = "not everything that can be asked of it is asked here")]
mod server;
mod settings;
mod tiny;
mod worker;
