//! GGUF, the container of llama.cpp: typed metadata, then tensors.
//!
//! ```text
//! "GGUF"  version u32  n_tensors u64  n_keys u64
//! n_keys ×    key text, value type u32, value
//! n_tensors × name text, n_dims u32, dims u64 × n_dims, ggml type u32, offset u64
//! zeros up to a multiple of general.alignment (32 unless said)
//! tensor bytes, each tensor beginning at its offset from here
//! ```
//!
//! A text is a u64 length and that many bytes of UTF-8; an array is its element type, a u64 count
//! and the elements. Everything is little-endian. Dims are innermost first, the reverse of what
//! [`TensorInfo`](crate::weights::TensorInfo) holds.
//!
//! [`Gguf::parse`] reads any such file; start there for metadata alone, and with
//! [`Checkpoint::open`](crate::weights::Checkpoint::open) for weights. [`Tokenizer`] hands out the
//! tokenizer as plain data. [`write_gguf`] writes; [`write_model`] a whole model, [`write_lora`] an
//! adapter, which [`read_lora`] reads.

mod architecture;
mod cursor;
mod lora;
mod metadata;
mod model;
mod parse;
mod tokenizer;
mod value;
mod write;

pub use architecture::{ALL, Architecture, architecture};
pub use lora::{parse_lora, read_lora, write_lora};
pub use metadata::Metadata;
pub use model::{model_metadata, storage_for, write_model};
pub use parse::{Gguf, GgufTensor};
pub use tokenizer::Tokenizer;
pub use value::{Array, Kind, Value};
pub use write::write_gguf;

/// The first four bytes of every GGUF file.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// The key that names the architecture.
pub(crate) const ARCHITECTURE: &str = "general.architecture";
/// The key that says what tensor offsets are multiples of.
const ALIGNMENT: &str = "general.alignment";
const DEFAULT_ALIGNMENT: u64 = 32;
