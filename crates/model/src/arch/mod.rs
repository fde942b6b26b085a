//! The architectures, one file each, named after the `model_type` of their checkpoints.

mod llama;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::network::{Network, Setup};

/// An architecture: its name, and the function that builds its forward pass.
#[derive(Clone, Copy)]
pub struct Architecture {
    /// `model_type` in `config.json`.
    pub name: &'static str,
    forward: fn(&Config, &mut Network),
}

impl std::fmt::Debug for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every architecture that can be built.
pub const ALL: &[Architecture] = &[Architecture { name: "llama", forward: llama::forward }];

/// Builds the program of a model.
///
/// # Errors
/// When the architecture is not in [`ALL`], or the configuration does not fit together.
pub fn build(config: &Config, setup: &Setup) -> Result<Network> {
    let known = ALL.iter().find(|architecture| architecture.name == config.model_type);
    let architecture = known.ok_or_else(|| Error::Architecture {
        found: config.model_type.clone(),
        known: ALL.iter().map(|architecture| architecture.name).collect(),
    })?;
    let mut network = Network::begin(config, setup);
    (architecture.forward)(config, &mut network);
    network.program.check()?;
    Ok(network)
}
