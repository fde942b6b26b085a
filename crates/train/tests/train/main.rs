//! Whole runs of a tiny model: they end well, resume exactly, and stop at faults.

mod fit;
mod golden;
mod tiny;
