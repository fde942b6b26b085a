//! What a checkpoint is and what it computes.
//!
//! Start with [`Checkpoint`], which opens the tensors of any container under their published
//! names, [`Config`], which says what the model looks like, and [`peft`] for adapter files.
//! [`quant`] knows how numbers are stored.
//!
//! Text, optimizers and sampling are other crates' business.

pub mod config;
mod error;
mod fields;
mod json;
pub mod peft;
pub mod quant;
pub mod weights;

pub use config::{Config, RopeScaling};
pub use error::{Error, Result};
pub use quant::Storage;
pub use weights::{Checkpoint, Taken, Tensor, TensorInfo};
