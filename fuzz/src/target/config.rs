//! A `config.json`.

use penname_model::Config;

use super::use_config;
use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "config", run, seeds: sample::configs, form: Form::Json };

/// Reads a file.
pub fn run(data: &[u8]) -> Reached {
    let Ok(value) = serde_json::from_slice(data) else { return Vec::new() };
    let mut reached = vec!["json"];
    if let Ok(config) = Config::from_hf_json(value) {
        use_config(&config, &mut reached);
    }
    reached
}
