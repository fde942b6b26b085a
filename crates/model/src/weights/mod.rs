//! The tensors of a checkpoint, whatever container they lie in.
//!
//! [`Checkpoint::open`] takes a GGUF file, a llama2.c file, a safetensors file or a Hugging Face folder,
//! maps it and checks it; nothing is read until asked for. Whatever the container, tensors carry the names,
//! shapes and row order that Hugging Face publishes. [`Taken`] makes sure a model uses every tensor
//! and nothing but the tensors. Writing is [`write_safetensors`], [`gguf::write_gguf`] and
//! [`llama2c::write_llama2c`].
//!
//! This is deliberately not a model: nothing here knows what a tensor is for, except the table that
//! gives GGUF tensors their published names. Pickled checkpoints are refused, never opened.

mod checkpoint;
mod folder;
pub mod gguf;
pub mod llama2c;
mod map;
mod outgoing;
mod safetensors;
mod taken;
mod tensor;
mod turned;

pub use checkpoint::Checkpoint;
pub use outgoing::{FillRows, GiveBlocks, Outgoing, Values};
pub use safetensors::{SHARD_BYTES, write_safetensors, write_shards};
pub use taken::{Spare, Taken, Why};
pub use tensor::{Tensor, TensorInfo};

pub(crate) use folder::CONFIG;
pub(crate) use map::Mapped;
pub(crate) use tensor::{RowOrder, STRETCH_LEN};
pub(crate) use turned::transposed;
