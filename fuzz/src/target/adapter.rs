//! An adapter as PEFT writes it: `adapter_config.json` and, after it, `adapter_model.safetensors`.

use penname_model::peft::{AdapterConfig, load_adapter};

use super::{folder, put, remove_folder};
use crate::{Form, Reached, Target, parts, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "adapter", run, seeds: sample::adapters, form: Form::Headed };

/// Reads both files.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    let Some((config, weights)) = parts(data) else { return reached };
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(config) else { return reached };
    reached.push("json");
    let Ok(read) = AdapterConfig::from_json(object) else { return reached };
    reached.push("config");
    for module in ["model.layers.0.self_attn.q_proj", ""] {
        let _scale = (read.rank_for(module), read.scale_for(module), read.targets(module));
    }
    let again = read.to_json();
    if let serde_json::Value::Object(again) = again {
        let again = AdapterConfig::from_json(again);
        assert!(again.is_ok(), "a configuration that was read cannot be read again: {again:?}");
    }
    let Some(dir) = folder("adapter") else { return reached };
    let there = put(&dir.join("adapter_config.json"), config).is_ok()
        && put(&dir.join("adapter_model.safetensors"), weights).is_ok();
    if there && load_adapter(&dir).is_ok_and(|(_, pairs)| !pairs.is_empty()) {
        reached.push("pairs");
    }
    remove_folder(&dir);
    reached
}
