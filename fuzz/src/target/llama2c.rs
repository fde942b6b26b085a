//! A llama2.c `.bin`.

use crate::{Target, sample};

pub use super::safetensors::run;

/// See the [module](self).
pub const TARGET: Target = Target { name: "llama2c", run, seeds: sample::llama2c_files, is_json: false };
