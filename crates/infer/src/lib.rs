//! Use the weights.
