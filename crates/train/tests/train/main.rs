//! Whole runs of a tiny model: they end well, resume exactly, and stop at faults.

#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod families;
mod fit;
mod golden;
mod methods;
mod plan;
mod scratch;
mod tiny;
