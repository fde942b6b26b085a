//! What a checkpoint is and what it computes.
//!
//! Start with [`Checkpoint`], which opens the tensors of any container under their published
//! names, [`Config`], which says what the model looks like, and [`peft`] for adapter files.
//! [`quant`] knows how numbers are stored.
//!
//! [`fresh`] makes a model that knows nothing yet. [`whole`] is a model on its way out, [`merge`] writes it
//! into a folder, and [`rounding`] holds what was written against it.
//!
//! [`arch`] builds the program of a model, one file an architecture, with the vocabulary of
//! [`network`]; [`adapter`] says what of it is trained; [`parameters`] puts the weights on a device;
//! [`score`] finds the losses of documents, for whoever measures.
//!
//! Text, optimizers and sampling are other crates' business.

pub mod adapter;
pub mod arch;
pub mod config;
mod error;
mod fields;
pub mod footprint;
pub mod fresh;
mod fused;
mod json;
pub mod keeping;
mod lengths;
pub mod merge;
pub mod network;
pub mod packed;
pub mod parameters;
pub mod peft;
pub mod quant;
pub mod rounding;
pub mod score;
pub mod shape;
pub mod shelf;
pub mod weights;
pub mod whole;

pub use adapter::Method;
pub use arch::{Architecture, build};
pub use config::{Config, RopeScaling};
pub use error::{Error, Result};
pub use keeping::{Keeping, Quantizer, Residence};
pub use network::{Network, Purpose, Setup};
pub use packed::Packed;
pub use parameters::Parameters;
pub use quant::Storage;
pub use score::Scorer;
pub use shelf::Shelf;
pub use weights::{Checkpoint, Taken, Tensor, TensorInfo};
pub use whole::Whole;
