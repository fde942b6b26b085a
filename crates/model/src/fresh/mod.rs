//! A model that knows nothing yet: how large it is, and what its weights begin as.
//!
//! [`Sizes`] follow from one number, the depth, or from whatever of them was asked for. [`write()`] draws
//! the weights and puts them into a folder as Hugging Face publishes models, so that training begins
//! from it as from any other base.
//!
//! # Source
//! Matrices from a normal distribution with deviation 0.02; those whose product is added to the
//! residual stream divided by √(2·L), the root of how many there are: Radford et al., "Language Models
//! are Unsupervised Multitask Learners", 2019, section 2.3. Gains at one, biases at zero.

mod sizes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use penname_engine::{Extent, Precision};
use penname_ledger::{Seed, write as ledger};

pub use sizes::{Sizes, Wanted};

use crate::Method;
use crate::arch::build;
use crate::config::Config;
use crate::error::Result;
use crate::network::{Parameter, Purpose, Setup};
use crate::quant::Storage;
use crate::weights::{Outgoing, SHARD_BYTES, TensorInfo, Values, write_shards};

/// Deviation of the numbers in a matrix.
const DEVIATION: f64 = 0.02;

/// Linears whose product is added to the residual stream, by the last part of their path.
const RESIDUAL: [&str; 3] = ["o_proj", "down_proj", "c_proj"];

/// Draws the weights of a model and writes them into `folder` with their `config.json`.
///
/// # Errors
/// When the configuration does not fit together, or the file system refuses.
///
/// # Determinism
/// Each tensor has a stream of its own by its name: the same seed gives it the same numbers, whatever
/// other tensors there are.
pub fn write(config: &Config, seed: Seed, folder: &Path) -> Result<()> {
    let capacity = Extent { tokens: 1, picked: 1 };
    let (method, precision) = (Method::Frozen, Precision::F32);
    let network = build(config, &Setup { method, precision, capacity, purpose: Purpose::Loss })?;
    let tensors = network.parameters.iter().map(|parameter| draw(parameter, config.n_layers, seed));
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_shards(folder, tensors.collect(), &metadata, SHARD_BYTES)?;
    Ok(ledger::json(&folder.join("config.json"), &config.to_hf_json(Storage::F32))?)
}

/// A tensor whose numbers are drawn while it is written.
fn draw(parameter: &Parameter, n_layers: usize, seed: Seed) -> Outgoing<'static> {
    let Parameter { name, shape, turned, fused, .. } = parameter;
    let mut info = TensorInfo { shape: shape.clone(), dtype: Storage::F32 };
    match &mut info.shape[..] {
        shape if *turned => shape.reverse(),
        // (X, in, out), as such files have the matrices of all experts.
        [_, rows, cols] if fused.is_some_and(|fused| fused.turned) => std::mem::swap(rows, cols),
        _ => {}
    }
    let stream = RefCell::new(seed.stream(&format!("model/fresh/{name}")));
    let start = Start::of(name, shape, n_layers);
    let rows = move |_: Range<usize>, out: &mut [f32]| match start {
        Start::All(value) => out.fill(value),
        Start::Normal(deviation) => {
            let mut stream = stream.borrow_mut();
            out.iter_mut().for_each(|value| *value = (deviation * stream.normal()) as f32);
        }
    };
    Outgoing { name: name.clone(), info, values: Values::Rows(Box::new(rows)) }
}

/// What the numbers of a tensor begin as.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    All(f32),
    Normal(f64),
}

impl Start {
    fn of(name: &str, shape: &[usize], n_layers: usize) -> Self {
        let mut path = name.rsplit('.');
        let (last, module) = (path.next().unwrap_or_default(), path.next().unwrap_or_default());
        match shape {
            [_, _, ..] if RESIDUAL.contains(&module) => {
                Self::Normal(DEVIATION / (2.0 * n_layers as f64).sqrt())
            }
            [_, _, ..] => Self::Normal(DEVIATION),
            _ if last == "bias" => Self::All(0.0),
            _ => Self::All(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_to_the_stream_begins_small() {
        let check =
            |name, shape: &[usize], expected| assert_eq!(Start::of(name, shape, 8), expected, "{name}");
        check("model.layers.0.mlp.down_proj.weight", &[4, 8], Start::Normal(0.02 / 4.0));
        check("model.layers.7.self_attn.o_proj.weight", &[4, 4], Start::Normal(0.02 / 4.0));
        check("transformer.h.0.mlp.c_proj.weight", &[4, 4], Start::Normal(0.02 / 4.0));
        check("model.layers.0.mlp.up_proj.weight", &[8, 4], Start::Normal(0.02));
        check("model.embed_tokens.weight", &[9, 4], Start::Normal(0.02));
        check("model.norm.weight", &[4], Start::All(1.0));
        check("transformer.ln_f.bias", &[4], Start::All(0.0));
    }
}
