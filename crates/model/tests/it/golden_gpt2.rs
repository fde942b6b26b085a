//! A small GPT-2 against what `transformers` and PEFT make of it in f32, in every container.

use std::collections::BTreeMap;

use penname_model::merge::save_trained;
use penname_model::peft::{load_adapter, save_adapter};
use penname_model::weights::Why;
use penname_model::{Checkpoint, Config, Keeping, Method, Parameters, Purpose, Storage};
use serde_json::{Value as Json, json};

use crate::as_gguf::assert_same_there_and_back;
use crate::golden::{
    Golden, assert_full, assert_logits, assert_lora, assert_merged, cpu, folder, golden, losses, network,
};

const TIED: &str = "gpt2/tied";

#[test]
fn logits_are_those_of_transformers() {
    assert_logits(TIED);
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    assert_full(TIED);
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    assert_lora(TIED);
}

#[test]
fn first_names_and_buffers_are_understood() {
    let checkpoint = Checkpoint::open(folder("gpt2/bare")).unwrap();
    let net = network(&checkpoint.config().unwrap(), Method::Frozen, Purpose::Loss);
    let spare = Parameters::load(&checkpoint, &net, Keeping::Stored, &mut cpu()).unwrap().spare;
    assert_eq!(spare.len(), 4);
    assert!(spare.iter().all(|spare| spare.why == Why::Derived), "{spare:?}");
    let of_tied = losses(&golden(TIED));
    assert_eq!(losses(&Golden { checkpoint, ..golden(TIED) }), of_tied);
}

/// What PEFT saved says how the base lies, and so does what is written here.
#[test]
fn an_adapter_goes_out_as_it_came_in() {
    let (config, pairs) = load_adapter(&folder(TIED).join("adapter")).unwrap();
    assert!(config.fan_in_fan_out);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("adapter");
    save_adapter(&out, &config, &pairs).unwrap();
    assert_eq!(load_adapter(&out).unwrap(), (config, pairs));
}

#[test]
fn a_merged_model_computes_what_the_adapter_computes() {
    assert_merged(TIED);
}

#[test]
fn trained_weights_lie_in_the_file_as_published() {
    let golden = golden(TIED);
    let name = "transformer.h.1.mlp.c_fc.weight";
    let (n_out, n_in) = (56, 24);
    let values: Vec<f32> = (0..n_out * n_in).map(|i| i as f32).collect();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("trained");
    let trained = BTreeMap::from([(name.to_owned(), values)]);
    save_trained(&golden.checkpoint, &golden.config, &trained, &out).unwrap();
    let (saved, mut stored) = (Checkpoint::open(&out).unwrap(), Vec::new());
    assert_eq!(saved.info(name).unwrap().shape, [n_in, n_out]);
    saved.read_f32(name, &mut stored).unwrap();
    // Row `k` of the file is column `k` of the linear.
    assert_eq!(stored[..3], [0.0, 24.0, 48.0]);
    assert_eq!(stored[n_out..n_out + 2], [1.0, 25.0]);
}

/// The same model as converters write it: linears as (out, in).
#[test]
fn a_gguf_file_is_the_same_model() {
    assert_same_there_and_back(golden(TIED));
}

/// As published with GPT-2.
fn published() -> Json {
    json!({
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
        "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
        "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1, "summary_activation": null,
        "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
        "summary_use_proj": true, "vocab_size": 50257,
        "task_specific_params": { "text-generation": { "do_sample": true, "max_length": 50 } },
    })
}

#[test]
fn a_published_config_is_understood_and_written_again() {
    let config = Config::from_hf_json(published()).unwrap();
    assert_eq!((config.feed_forward, config.head_width, config.tied), (3072, 64, true));
    assert_eq!(Config::from_hf_json(config.to_hf_json(Storage::F32)).unwrap(), config);
}

#[test]
fn what_changes_the_maths_is_refused_by_name() {
    for (field, value) in [
        ("activation_function", json!("gelu")),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("scale_attn_weights", json!(false)),
        ("n_ctx", json!(512)),
        ("n_head", json!(7)),
        ("quantization_config", json!({ "bits": 4 })),
        ("rms_norm_eps", json!(1e-5)),
    ] {
        let mut config = published();
        config[field] = value;
        let error = Config::from_hf_json(config).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}
