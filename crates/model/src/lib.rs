//! What a checkpoint is and what it computes.

pub mod quant;
