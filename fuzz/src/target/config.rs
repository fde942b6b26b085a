//! A `config.json`.

use penname_model::Config;

use super::use_config;
use crate::{Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "config", run, seeds: sample::configs, is_json: true };

/// Reads a file.
pub fn run(data: &[u8]) {
    let Ok(value) = serde_json::from_slice(data) else { return };
    if let Ok(config) = Config::from_hf_json(value) {
        use_config(&config);
    }
}
