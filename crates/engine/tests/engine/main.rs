//! The engine held to its own reference, and to the laws a training step obeys.

mod case;
mod conformance;
mod laws;
