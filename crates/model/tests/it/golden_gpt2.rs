//! A small GPT-2 against what `transformers` and PEFT make of it in f32, in every container.

use std::collections::BTreeMap;

use penname_model::merge::{save_merged, save_trained};
use penname_model::peft::{load_adapter, save_adapter};
use penname_model::weights::gguf::{Array, Kind, Metadata, Value, write_gguf};
use penname_model::weights::{Outgoing, Why};
use penname_model::{Checkpoint, Config, Keeping, Method, Parameters, Purpose, Storage};
use serde_json::{Value as Json, json};

use crate::golden::{
    Golden, assert_close, assert_expected, assert_logits, at_once, cpu, folder, full, golden, lora, losses,
    network,
};

const TIED: &str = "gpt2/tied";

#[test]
fn logits_are_those_of_transformers() {
    assert_logits(TIED);
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    let golden = golden(TIED);
    assert_expected(&golden, &at_once(&golden, full(), &BTreeMap::new()), "full.", "loss");
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    let golden = golden(TIED);
    let (method, pairs) = lora(TIED);
    assert_expected(&golden, &at_once(&golden, method, &pairs), "lora.", "lora_loss");
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
    let golden = golden(TIED);
    let (config, pairs) = load_adapter(&folder(TIED).join("adapter")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("merged");
    save_merged(&golden.checkpoint, &golden.config, (&config, &pairs), Storage::F32, &out).unwrap();
    let beside = at_once(&golden, Method::LowRank(config), &pairs).losses;
    let merged = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..golden };
    assert_eq!(merged.checkpoint.config().unwrap(), merged.config);
    assert_close("losses", &losses(&merged), &beside, 1e-5);
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
    let golden = golden(TIED);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    save_gguf(&golden, &path);
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.config().unwrap(), golden.config);
    let of_folder = losses(&golden);
    let from_file = Golden { checkpoint, ..golden };
    assert_eq!(losses(&from_file), of_folder);
    // And from there back into a folder.
    let out = dir.path().join("folder");
    save_trained(&from_file.checkpoint, &from_file.config, &BTreeMap::new(), &out).unwrap();
    let back = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..from_file };
    assert_eq!(losses(&back), of_folder);
}

fn save_gguf(golden: &Golden, path: &std::path::Path) {
    let gpt2 = penname_model::weights::gguf::ALL.iter().find(|known| known.name == "gpt2").unwrap();
    let mut tensors = Vec::new();
    for name in golden.checkpoint.names() {
        let mut values = Vec::new();
        golden.checkpoint.read_f32(name, &mut values).unwrap();
        let mut shape = golden.checkpoint.info(name).unwrap().shape.clone();
        if ["c_attn.weight", "c_proj.weight", "c_fc.weight"].iter().any(|end| name.ends_with(end)) {
            let n_out = shape[1];
            let column = |n| values.iter().skip(n).step_by(n_out).copied().collect::<Vec<f32>>();
            values = (0..n_out).flat_map(column).collect();
            shape.reverse();
        }
        tensors.push((gpt2.gguf_name(name).unwrap(), shape, values));
    }
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape, values)| Outgoing::from_values(name, shape.clone(), Storage::F32, values))
        .collect();
    write_gguf(path, &metadata(&golden.config), &tensors).unwrap();
}

fn metadata(config: &Config) -> Metadata {
    let count = |n: usize| Value::U32(n as u32);
    let tokens: Vec<_> = (0..config.vocab_size).map(|id| format!("t{id}")).collect();
    let types = std::iter::repeat_n(1i32.to_le_bytes(), config.vocab_size).flatten().collect();
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("general.architecture", Value::Text("gpt2".to_owned())),
        ("gpt2.block_count", count(config.n_layers)),
        ("gpt2.context_length", count(config.context)),
        ("gpt2.embedding_length", count(config.width)),
        ("gpt2.feed_forward_length", count(config.feed_forward)),
        ("gpt2.attention.head_count", count(config.n_heads)),
        ("gpt2.attention.layer_norm_epsilon", Value::F64(config.norm_eps)),
        ("tokenizer.ggml.model", Value::Text("gpt2".to_owned())),
        ("tokenizer.ggml.tokens", Value::Array(Array::Texts(tokens))),
        ("tokenizer.ggml.token_type", Value::Array(Array::Numbers { kind: Kind::I32, bytes: types })),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ] {
        metadata.insert(key, value).unwrap();
    }
    metadata
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
