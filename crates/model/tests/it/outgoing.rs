//! Whole models and adapters on their way out, read again: the same model, whatever the container.

use std::collections::BTreeMap;

use penname_model::merge::write_whole;
use penname_model::peft::{AdapterConfig, Pair, load_adapter};
use penname_model::weights::gguf::{Metadata, Value, model_metadata, read_lora, write_lora, write_model};
use penname_model::{Checkpoint, Config, Storage, Whole};

use crate::golden::{Golden, folder, golden, losses};

/// Small models of every family, each with an adapter beside it.
const MODELS: &[&str] = &["gpt2/tied", "llama/tied", "qwen2/tied", "qwen3/tied"];

fn written(golden: &Golden, storage: Storage, path: &std::path::Path) -> Checkpoint {
    let metadata = model_metadata(&golden.config, "a model", storage).unwrap();
    let whole = Whole::new(&golden.checkpoint, None).unwrap();
    write_model(path, &whole, storage, &with_ends(metadata, &golden.config)).unwrap();
    Checkpoint::open(path).unwrap()
}

/// The ends of a text are in a GGUF file's tokenizer, which these models lack.
fn with_ends(mut metadata: Metadata, config: &Config) -> Metadata {
    for (name, ids) in [("bos", &config.bos), ("eos", &config.eos)] {
        for id in ids {
            metadata.insert(format!("tokenizer.ggml.{name}_token_id"), Value::U32(*id)).unwrap();
        }
    }
    metadata
}

#[test]
fn a_gguf_file_is_the_model_it_was_made_of() {
    for name in MODELS {
        let golden = golden(name);
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = written(&golden, Storage::F32, &dir.path().join("model.gguf"));
        assert_eq!(checkpoint.config().unwrap(), golden.config, "{name}");
        let expected = losses(&golden);
        assert_eq!(losses(&Golden { checkpoint, ..golden }), expected, "{name}");
    }
}

#[test]
fn every_storage_is_read_back_as_near_as_it_can_be() {
    let golden = golden(MODELS[1]);
    let dir = tempfile::tempdir().unwrap();
    for (storage, within) in [
        (Storage::F16, 2e-3),
        (Storage::BF16, 2e-2),
        // Rows of these models fill no blocks of 32, so they are stored as F16.
        (Storage::Q8_0, 2e-2),
    ] {
        let checkpoint = written(&golden, storage, &dir.path().join("model.gguf"));
        for parameter in Whole::new(&golden.checkpoint, None).unwrap().parameters() {
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            checkpoint.read_f32(&parameter.name, &mut found).unwrap();
            golden.checkpoint.read_f32(&parameter.name, &mut expected).unwrap();
            let largest = expected.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
            let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart <= within * largest, "{} as {storage}: {apart} of {largest}", parameter.name);
        }
    }
}

#[test]
fn a_gguf_adapter_is_the_adapter_it_was_made_of() {
    for name in MODELS {
        let golden = golden(name);
        let (config, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adapter.gguf");
        for config in [config.clone(), AdapterConfig { use_rslora: true, ..config }] {
            write_lora(&path, &golden.config, (&config, &pairs), "a voice").unwrap();
            let (found, found_pairs) = read_lora(&path, &golden.config).unwrap();
            assert!(pairs.keys().eq(found_pairs.keys()), "{name}");
            for (module, pair) in &pairs {
                let scaled = |pair: &Pair, config: &AdapterConfig| -> Vec<f32> {
                    pair.b.iter().map(|b| b * config.scale_for(module) as f32).collect()
                };
                assert_eq!(found_pairs[module].a, pair.a, "{module}");
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * a.abs().max(b.abs());
                let (found, expected) = (scaled(&found_pairs[module], &found), scaled(pair, &config));
                assert!(found.iter().zip(&expected).all(close), "{module}");
            }
        }
    }
}

#[test]
fn an_adapter_for_something_else_is_refused_by_name() {
    let golden = golden(MODELS[0]);
    let (config, pairs) = load_adapter(&folder(MODELS[0]).join("adapter")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter.gguf");
    write_lora(&path, &golden.config, (&config, &pairs), "a voice").unwrap();
    let other = Config { model_type: "llama".to_owned(), ..golden.config.clone() };
    let told = read_lora(&path, &other).unwrap_err().to_string();
    assert!(told.contains("`general.architecture` is \"gpt2\", expected \"llama\""), "{told}");
    // A model is no adapter.
    written(&golden, Storage::F32, &path);
    let told = read_lora(&path, &golden.config).unwrap_err().to_string();
    assert!(told.contains("`general.type` is \"model\", expected \"adapter\""), "{told}");
}

#[test]
fn a_pair_without_a_weight_is_refused_before_anything_is_written() {
    let golden = golden(MODELS[0]);
    let pair = Pair { rank: 1, n_in: 2, n_out: 3, a: vec![0.0; 2], b: vec![0.0; 3], magnitude: None };
    let pairs = BTreeMap::from([("transformer.h.9.attn.c_attn".to_owned(), pair)]);
    let config = AdapterConfig::new(1, 1.0, ["c_attn".to_owned()]);
    let told = Whole::new(&golden.checkpoint, Some((&config, &pairs))).unwrap_err().to_string();
    assert_eq!(told, "there is no tensor `transformer.h.9.attn.c_attn.weight`");
}

#[test]
fn a_model_on_several_shards_is_one_model() {
    let golden = golden(MODELS[0]);
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::new(&golden.checkpoint, None).unwrap();
    let files = write_whole(&whole, Storage::F32, 20_000, dir.path()).unwrap();
    assert!(files.len() > 3 && files.contains(&"model.safetensors.index.json".to_owned()), "{files:?}");
    let expected = losses(&golden);
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(losses(&Golden { checkpoint, ..golden }), expected);
}

#[test]
fn experts_are_not_written_in_the_wrong_order() {
    for name in ["qwen3_moe/renormalised", "gpt_oss/mxfp4"] {
        let told = Whole::new(&golden(name).checkpoint, None).unwrap_err().to_string();
        assert!(told.contains("belongs to experts"), "{told}");
    }
}
