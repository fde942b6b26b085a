//! The door from outside: a hub on the loopback interface that behaves as hubs, mirrors and proxies
//! do on bad days.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod cache;
mod download;
mod refusal;
mod server;
mod setup;
