//! The architectures, one file for each that computes something of its own, under the `model_type` of
//! their checkpoints.

mod gpt2;
mod gpt_oss;
mod llama;
mod qwen3;
mod qwen3_moe;

use crate::adapter::ALL_LINEARS;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::network::{Network, Setup};

/// An architecture: its name, and the function that builds its forward pass.
#[derive(Clone, Copy)]
pub struct Architecture {
    /// `model_type` in `config.json`.
    pub name: &'static str,
    /// The linears of a block, by the last part of their path: what LoRA adapts by default.
    pub linears: &'static [&'static str],
    /// Whether Hugging Face publishes these linears as (in, out), which a program has as (out, in).
    pub fan_in_fan_out: bool,
    forward: fn(&Config, &mut Network),
}

impl std::fmt::Debug for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every architecture that can be built.
pub const ALL: &[Architecture] = &[
    Architecture { name: "gpt2", linears: &gpt2::LINEARS, fan_in_fan_out: true, forward: gpt2::forward },
    decoder("llama", llama::forward),
    decoder("mistral", llama::forward),
    decoder("qwen2", llama::forward),
    decoder("qwen3", qwen3::forward),
    mixture("qwen3_moe", qwen3_moe::forward),
    mixture("gpt_oss", gpt_oss::forward),
];

/// An architecture with the linears of a Llama block.
const fn decoder(name: &'static str, forward: fn(&Config, &mut Network)) -> Architecture {
    Architecture { name, linears: &ALL_LINEARS, fan_in_fan_out: false, forward }
}

/// An architecture whose experts are adapted only when asked for.
const fn mixture(name: &'static str, forward: fn(&Config, &mut Network)) -> Architecture {
    Architecture { name, linears: &qwen3_moe::LINEARS, fan_in_fan_out: false, forward }
}

impl Architecture {
    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|architecture| architecture.name)
    }

    /// The architecture of this `model_type`.
    ///
    /// # Errors
    /// When it is not in [`ALL`].
    pub fn find(model_type: &str) -> Result<&'static Self> {
        ALL.iter().find(|architecture| architecture.name == model_type).ok_or_else(|| Error::Architecture {
            found: model_type.to_owned(),
            known: Self::names().collect(),
        })
    }

    /// Whether Hugging Face publishes the parameter of this name as (in, out).
    pub fn turns(&self, parameter: &str) -> bool {
        let module = parameter.strip_suffix(".weight").and_then(|module| module.rsplit('.').next());
        self.fan_in_fan_out && module.is_some_and(|module| self.linears.contains(&module))
    }
}

/// Builds the program of a model.
///
/// # Errors
/// When the architecture is not in [`ALL`], or the configuration does not fit together.
pub fn build(config: &Config, setup: &Setup) -> Result<Network> {
    let architecture = Architecture::find(&config.model_type)?;
    let mut network = Network::begin(config, setup, architecture);
    (architecture.forward)(config, &mut network);
    network.program.check()?;
    Ok(network)
}
