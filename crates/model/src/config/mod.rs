//! The shape of a model and the constants in its formulae.
//!
//! A [`Config`] comes from a Hugging Face `config.json` or from GGUF metadata, and either way says
//! the same thing in the same words. Both readers are strict: a setting that changes the maths in a
//! way not computed here is refused by name, and so is a setting not heard of.
//!
//! This covers GPT-2 (`gpt2`) and the families with Llama's fields (`decoder`). It does not hold how a
//! model was trained, how it is sampled, or how its weights are stored.

mod alike;
mod decoder;
mod experts;
mod gguf;
mod gpt2;
mod gpt_oss;
mod json;
mod rope;
mod to_gguf;

use std::path::Path;

use serde_json::Value;

pub use alike::Unlike;
pub use experts::{Clamp, Experts};
pub use rope::RopeScaling;

use crate::error::{Error, Result};
use crate::fields::{Fields, shown};
use crate::quant::Storage;
use crate::weights::gguf::{Architecture, GgufTensor, Metadata};

/// The deepest model that is read: what is counted by layer stays small, whatever a file says.
const MOST_LAYERS: usize = 1 << 16;

/// The widest head that is read: each has a table of angles.
const WIDEST_HEAD: usize = 1 << 16;

/// What a model looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The architecture, as Hugging Face calls it.
    pub model_type: String,
    /// V: rows of the embedding.
    pub vocab_size: usize,
    /// D: width of the residual stream.
    pub width: usize,
    /// L: number of layers.
    pub n_layers: usize,
    /// H: number of query heads.
    pub n_heads: usize,
    /// K: number of key and value heads; a divisor of `n_heads`.
    pub n_kv_heads: usize,
    /// E: width of a head; even.
    pub head_width: usize,
    /// F: width inside the feed-forward part.
    pub feed_forward: usize,
    /// The longest sequence the model was made for.
    pub context: usize,
    /// Added to the mean square before its root is taken.
    pub norm_eps: f64,
    /// Base of the rotary frequencies; says nothing where positions are learned.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched for long sequences.
    pub rope_scaling: RopeScaling,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Whether the query, key and value maps have a bias.
    pub qkv_bias: bool,
    /// Whether the map out of attention has a bias.
    pub output_bias: bool,
    /// Whether the maps of the feed-forward part have a bias.
    pub mlp_bias: bool,
    /// The experts that stand in the place of the feed-forward part, if there are any.
    pub experts: Option<Experts>,
    /// The most tokens that one sees in each layer, itself among them; empty where all are seen in all.
    pub windows: Vec<Option<usize>>,
    /// Tokens that begin a text.
    pub bos: Vec<u32>,
    /// Tokens that end a text or a turn.
    pub eos: Vec<u32>,
}

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or [`Config::from_hf_json`] refuses it.
    pub fn read(path: &Path) -> Result<Config> {
        Config::from_hf_json(crate::json::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Understands the contents of a `config.json`.
    ///
    /// # Errors
    ///
    /// When a needed field is missing, a field has a value not computed here, a field is not known,
    /// or the values contradict each other.
    pub fn from_hf_json(value: Value) -> Result<Config> {
        match value {
            Value::Object(object) => json::read(Fields::new(object))?.checked(),
            other => Err(Error::FieldUnsupported {
                field: "config.json".to_owned(),
                found: shown(&other),
                expected: "an object".to_owned(),
            }),
        }
    }

    /// Understands the metadata of a GGUF file. Some facts are not in the metadata but show in which
    /// tensors there are, and rotary scaling in the values of one.
    pub(crate) fn from_gguf(metadata: &Metadata, tensors: &[GgufTensor], file: &[u8]) -> Result<Config> {
        let config = gguf::read(metadata, tensors, file)?.checked()?;
        decoder::check_biases(&config)?;
        Ok(config)
    }

    /// The contents of a `config.json` for a checkpoint stored as `dtype`. Reading it again gives
    /// this configuration.
    pub fn to_hf_json(&self, dtype: Storage) -> Value {
        json::write(self, dtype)
    }

    /// Adds this configuration to the metadata of a GGUF file.
    pub(crate) fn to_gguf(&self, architecture: &Architecture, metadata: &mut Metadata) -> Result<()> {
        to_gguf::write(self, architecture, metadata)
    }

    /// What each rotary frequency is divided by, where GGUF has no key for the rule; E / 2 of them.
    pub(crate) fn rope_divisors(&self) -> Option<Vec<f32>> {
        if !matches!(self.rope_scaling, RopeScaling::Llama3 { .. }) || self.has_learned_positions() {
            return None;
        }
        let plain = rope::frequencies(self.rope_theta, self.head_width, &RopeScaling::None);
        Some(plain.into_iter().map(|frequency| self.rope_scaling.divisor(frequency) as f32).collect())
    }

    /// H × E, the width of all queries.
    pub fn query_width(&self) -> usize {
        self.n_heads * self.head_width
    }

    /// K × E, the width of all keys, and of all values.
    pub fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_width
    }

    /// The most tokens that one sees in a layer, itself among them; none where all are seen.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.windows.get(layer).copied().flatten()
    }

    /// Whether positions are rows of a table of `context` rows, and not angles.
    pub fn has_learned_positions(&self) -> bool {
        self.model_type == gpt2::MODEL_TYPE
    }

    /// The angle in radians that one position turns each pair of a head by, scaling included; E / 2
    /// of them.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        rope::frequencies(self.rope_theta, self.head_width, &self.rope_scaling)
    }

    /// Refuses values that no model can have.
    fn checked(self) -> Result<Config> {
        self.check_counts()?;
        self.check_numbers()?;
        self.check_ids()?;
        Ok(self)
    }

    fn check_counts(&self) -> Result<()> {
        // With every length below 2^31, no product of two overflows.
        let long = i32::MAX as usize;
        let counts = [
            ("vocabulary size", self.vocab_size, long),
            ("width", self.width, long),
            ("number of layers", self.n_layers, MOST_LAYERS),
            ("number of heads", self.n_heads, long),
            ("number of key and value heads", self.n_kv_heads, long),
            ("head width", self.head_width, WIDEST_HEAD),
            ("feed-forward width", self.feed_forward, long),
            ("context", self.context, long),
        ];
        for (field, count, most) in counts {
            if !(1..=most).contains(&count) {
                return Err(refuse(field, count, &format!("1 to {most}")));
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let expected = format!("a divisor of the {} heads", self.n_heads);
            return Err(refuse("number of key and value heads", self.n_kv_heads, &expected));
        }
        if !self.head_width.is_multiple_of(2) {
            return Err(refuse("head width", self.head_width, "an even number"));
        }
        if self.windows.contains(&Some(0)) {
            return Err(refuse("sliding window", 0, "at least 1"));
        }
        self.experts.as_ref().map_or(Ok(()), |experts| experts.check(self.n_layers))
    }

    fn check_numbers(&self) -> Result<()> {
        for (field, number) in [("norm epsilon", self.norm_eps), ("rope theta", self.rope_theta)] {
            if !(number.is_finite() && number > 0.0) {
                return Err(refuse(field, number, "a positive number"));
            }
        }
        self.rope_scaling.check()
    }

    fn check_ids(&self) -> Result<()> {
        match self.bos.iter().chain(&self.eos).find(|id| **id as usize >= self.vocab_size) {
            Some(id) => Err(refuse("special token id", id, &format!("less than {}", self.vocab_size))),
            None => Ok(()),
        }
    }
}

fn refuse(field: &str, found: impl ToString, expected: &str) -> Error {
    Error::FieldUnsupported {
        field: field.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    }
}
