//! A page for one person, on this machine only.
//!
//! A listener on the loopback interface, a word in its address that nobody can guess, and answers given by
//! a function. Every request passes the [`door`] first. Connections have a thread each and wait for
//! nothing but the person, so there is no async runtime here; [ADR 0008](../../../../docs/adr) has the
//! reasons, and what would change them.
//!
//! It knows no routes and no pages: those belong to the command that serves one.

mod answer;
mod door;
mod request;
mod serve;

pub(crate) use answer::Answer;
pub(crate) use request::{Method, Request};
pub(crate) use serve::Listening;
