//! Low-rank adapters on disk, as PEFT lays them out.
//!
//! ```text
//! adapter_config.json         rank, alpha, which modules, which base
//! adapter_model.safetensors   base_model.model.<module path>.lora_A.weight  (R, in)
//!                             base_model.model.<module path>.lora_B.weight  (out, R)
//!                             base_model.model.<module path>.lora_magnitude_vector  (out), DoRA
//! ```
//!
//! [`save_adapter`] and [`load_adapter`] move a whole adapter; [`AdapterConfig`] is the first file
//! alone. Variants of LoRA that compute something else are refused by name. Attaching an adapter to
//! a model is not done here.

mod config;
mod files;

pub use config::{AdapterConfig, Patterns};
pub use files::{Pair, load_adapter, save_adapter, write_adapter};
