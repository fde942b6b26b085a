//! Change the weights.
