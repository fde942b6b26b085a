//! Book-keeping between a checkpoint and the model built from it.
//!
//! A model that silently starts from random numbers in one layer, or from the wrong file, trains
//! and writes and is wrong. So the builder takes each tensor by name and shape, and at the end
//! every tensor of the checkpoint is either taken, spare for a stated reason, or an error.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::weights::{Checkpoint, Tensor};

/// Name suffixes of tensors that hold nothing a configuration does not already say.
/// `attn.bias` is GPT-2's table of which row sees which, `masked_bias` what it puts elsewhere.
const DERIVED: &[&str] = &[".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"];
/// GGUF's table of rotary divisors; [`Checkpoint::config`] has turned it into a setting or refused.
const ROPE_FREQS: &str = "rope_freqs.weight";
const EMBEDDINGS: [&str; 2] = ["model.embed_tokens.weight", "transformer.wte.weight"];
const HEAD: &str = "lm_head.weight";

/// Which tensors of a checkpoint a model has taken so far.
#[derive(Debug)]
pub struct Taken<'c> {
    checkpoint: &'c Checkpoint,
    names: BTreeSet<String>,
}

/// A tensor that the model did not need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// Its name.
    pub name: String,
    /// Why it is harmless to leave it.
    pub why: Why,
}

/// Why a tensor may stay unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It follows from the configuration.
    Derived,
    /// It is the head of a model whose head is the embedding, and equals the embedding.
    Tied,
}

impl<'c> Taken<'c> {
    /// Nothing taken yet.
    pub fn new(checkpoint: &'c Checkpoint) -> Taken<'c> {
        Taken { checkpoint, names: BTreeSet::new() }
    }

    /// Takes a tensor the model cannot do without. Taking it twice is fine: tied weights do.
    ///
    /// # Errors
    ///
    /// When the checkpoint lacks it or it has another shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<'c>> {
        self.take_if_present(name, shape)?
            .ok_or_else(|| Error::TensorMissing { tensor: name.to_owned(), shape: shape.to_vec() })
    }

    /// Takes a tensor that some checkpoints of this architecture have and some have not.
    ///
    /// # Errors
    ///
    /// When it is there with another shape.
    pub fn take_if_present(&mut self, name: &str, shape: &[usize]) -> Result<Option<Tensor<'c>>> {
        let Some(tensor) = self.checkpoint.find(name) else { return Ok(None) };
        if tensor.info.shape != shape {
            return Err(Error::TensorShape {
                tensor: name.to_owned(),
                found: tensor.info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        self.names.insert(name.to_owned());
        Ok(Some(tensor))
    }

    /// Closes the books, returning the tensors left over for a reason.
    ///
    /// # Errors
    ///
    /// When a tensor is left over for no reason.
    pub fn finish(self) -> Result<Vec<Spare>> {
        let (mut spare, mut unused) = (Vec::new(), Vec::new());
        for name in self.checkpoint.names().filter(|name| !self.names.contains(*name)) {
            match self.why_spare(name) {
                Some(why) => spare.push(Spare { name: name.to_owned(), why }),
                None => unused.push(name.to_owned()),
            }
        }
        if unused.is_empty() { Ok(spare) } else { Err(Error::TensorsUnused { names: unused }) }
    }

    fn why_spare(&self, name: &str) -> Option<Why> {
        if name == ROPE_FREQS || DERIVED.iter().any(|suffix| name.ends_with(suffix)) {
            return Some(Why::Derived);
        }
        let embedding = EMBEDDINGS.into_iter().find(|name| self.names.contains(*name));
        let (head, embedding) = (self.checkpoint.find(HEAD)?, self.checkpoint.find(embedding?)?);
        let equals = name == HEAD && head.info == embedding.info && head.stored == embedding.stored;
        equals.then_some(Why::Tied)
    }
}
