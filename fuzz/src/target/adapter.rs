//! An `adapter_config.json`.

use penname_model::peft::AdapterConfig;

use crate::{Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "adapter", run, seeds: sample::adapter_configs, is_json: true };

/// Reads a file.
pub fn run(data: &[u8]) {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(data) else { return };
    if let Ok(config) = AdapterConfig::from_json(object) {
        for module in ["model.layers.0.self_attn.q_proj", ""] {
            let _scale = (config.rank_for(module), config.scale_for(module), config.targets(module));
        }
        let _written = config.to_json();
    }
}
