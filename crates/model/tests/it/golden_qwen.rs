//! Small Qwen2 and Qwen3 models against what `transformers` and PEFT make of them in f32, in every
//! container.

use std::collections::BTreeMap;
use std::path::Path;

use penname_engine::op::Op;
use penname_engine::{DType, Section, derive};
use penname_model::merge::{save_merged, save_trained};
use penname_model::peft::load_adapter;
use penname_model::weights::Outgoing;
use penname_model::weights::gguf::{ALL, Array, Kind, Metadata, Value, write_gguf};
use penname_model::{Checkpoint, Config, Method, Purpose, Storage};

use crate::golden::{
    Golden, assert_close, assert_expected, assert_logits, assert_packing_changes_nothing,
    assert_recomputing_changes_nothing, at_once, folder, full, golden, lora, losses, network,
};

const ALL_SHAPES: [&str; 3] = ["qwen2/tied", "qwen3/tied", "qwen3/untied"];
const WITH_PAIRS: [&str; 2] = ["qwen2/tied", "qwen3/tied"];

/// Through the cache, as answers are written.
#[test]
fn logits_are_those_of_transformers() {
    ALL_SHAPES.into_iter().for_each(assert_logits);
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    for name in ALL_SHAPES {
        let golden = golden(name);
        assert_expected(&golden, &at_once(&golden, full(), &BTreeMap::new()), "full.", "loss");
    }
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    for name in WITH_PAIRS {
        let golden = golden(name);
        let (method, pairs) = lora(name);
        assert_expected(&golden, &at_once(&golden, method, &pairs), "lora.", "lora_loss");
    }
}

#[test]
fn packed_documents_and_micro_batches_change_nothing() {
    assert_packing_changes_nothing("qwen3/tied", &[full(), lora("qwen3/tied").0]);
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    assert_recomputing_changes_nothing("qwen3/tied", &[full(), lora("qwen3/tied").0]);
}

/// The gains of frozen heads have no gradient, and stay f32 whatever products are rounded to.
#[test]
fn head_norms_are_parameters_like_others() {
    let golden = golden("qwen3/tied");
    let count = |method: Method| {
        let mut program = network(&golden.config, method, Purpose::Loss).program;
        derive(&mut program, &[], &[]);
        let backward = program.steps().iter().filter(|step| step.section == Section::Backward);
        backward
            .filter_map(|step| match &step.op {
                Op::HeadNormBackward(op) => Some(op.dgammas.iter().flatten().count()),
                _ => None,
            })
            .sum::<usize>()
    };
    assert_eq!(count(full()), 2 * golden.config.n_layers);
    assert_eq!(count(lora("qwen3/tied").0), 0);
    let net = network(&golden.config, Method::Frozen, Purpose::Loss);
    let gains = net.parameters.iter().filter(|parameter| parameter.name.ends_with("_norm.weight"));
    assert!(gains.clone().count() == 4);
    assert!(gains.clone().all(|gain| net.program.tensor(gain.id).dtype == DType::F32));
}

#[test]
fn a_merged_model_computes_what_the_adapter_computes() {
    for name in WITH_PAIRS {
        let golden = golden(name);
        let (config, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("merged");
        save_merged(&golden.checkpoint, &golden.config, (&config, &pairs), Storage::F32, &out).unwrap();
        let beside = at_once(&golden, Method::LowRank(config), &pairs).losses;
        let merged = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..golden };
        assert_eq!(merged.checkpoint.config().unwrap(), merged.config);
        assert_close("losses", &losses(&merged), &beside, 1e-5);
    }
}

/// The same model under the names converters give it: rows as published, heads of their own width.
#[test]
fn a_gguf_file_is_the_same_model() {
    for name in ALL_SHAPES {
        let golden = golden(name);
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
}

fn save_gguf(golden: &Golden, path: &Path) {
    let known = ALL.iter().find(|known| known.model_type == golden.config.model_type).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = golden
        .checkpoint
        .names()
        .map(|name| {
            let mut values = Vec::new();
            golden.checkpoint.read_f32(name, &mut values).unwrap();
            (known.gguf_name(name).unwrap(), golden.checkpoint.info(name).unwrap().shape.clone(), values)
        })
        .collect();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape, values)| Outgoing::from_values(name, shape.clone(), Storage::F32, values))
        .collect();
    write_gguf(path, &metadata(known.name, &golden.config), &tensors).unwrap();
}

fn metadata(architecture: &str, config: &Config) -> Metadata {
    let count = |n: usize| Value::U32(n as u32);
    let tokens: Vec<_> = (0..config.vocab_size).map(|id| format!("t{id}")).collect();
    let types = std::iter::repeat_n(1i32.to_le_bytes(), config.vocab_size).flatten().collect();
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("block_count", count(config.n_layers)),
        ("context_length", count(config.context)),
        ("embedding_length", count(config.width)),
        ("feed_forward_length", count(config.feed_forward)),
        ("attention.head_count", count(config.n_heads)),
        ("attention.head_count_kv", count(config.n_kv_heads)),
        ("attention.key_length", count(config.head_width)),
        ("attention.value_length", count(config.head_width)),
        ("attention.layer_norm_rms_epsilon", Value::F64(config.norm_eps)),
        ("rope.freq_base", Value::F32(config.rope_theta as f32)),
    ] {
        metadata.insert(format!("{architecture}.{key}"), value).unwrap();
    }
    for (key, value) in [
        ("general.architecture", Value::Text(architecture.to_owned())),
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
