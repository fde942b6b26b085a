//! The engine held to its own reference, and to the laws a training step obeys.

#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod case;
mod conformance;
mod laws;
