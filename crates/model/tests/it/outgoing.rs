//! Whole models and adapters on their way out, read again: the same model, whatever the container.

use std::collections::BTreeMap;
use std::path::Path;

use penname_model::merge::{save_whole, write_whole};
use penname_model::peft::{AdapterConfig, Pair, load_adapter};
use penname_model::weights::gguf::{Metadata, Value, model_metadata, read_lora, write_lora, write_model};
use penname_model::{Checkpoint, Config, Method, RopeScaling, Storage, Whole, rounding};

use crate::golden::{Golden, assert_close, at_once, folder, golden, losses};

/// Small models of every family without experts, each with an adapter beside it.
const MODELS: &[&str] = &["gpt2/tied", "llama/tied", "qwen2/tied", "qwen3/tied"];

/// The same with experts.
const MIXTURES: &[&str] = &["qwen3_moe/renormalised", "gpt_oss/fused", "gpt_oss/mxfp4"];

fn written(golden: &Golden, storage: Storage, path: &Path) -> Checkpoint {
    let metadata = model_metadata(&golden.config, "a model", storage).unwrap();
    let whole = Whole::of(&golden.checkpoint, golden.config.clone(), None).unwrap();
    write_model(path, &whole, storage, &with_ends(metadata, &golden.config)).unwrap();
    Checkpoint::open(path).unwrap()
}

/// Programs that run GGUF clamp as gpt-oss was published.
fn clamped_as_published(mut golden: Golden) -> Golden {
    let clamp = golden.config.experts.as_mut().and_then(|experts| experts.clamp.as_mut());
    clamp.into_iter().for_each(|clamp| clamp.limit = 7.0);
    golden
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
    for name in MODELS.iter().chain(MIXTURES) {
        let golden = clamped_as_published(golden(name));
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = written(&golden, Storage::F32, &dir.path().join("model.gguf"));
        assert_eq!(checkpoint.config().unwrap(), golden.config, "{name}");
        let expected = losses(&golden);
        assert_eq!(losses(&Golden { checkpoint, ..golden }), expected, "{name}");
    }
}

#[test]
fn every_storage_is_read_back_as_near_as_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    // Rows of these models that fill no blocks of 32 are stored as F16.
    for (storage, relative) in [
        (Storage::F32, 0.0),
        (Storage::F16, 3e-4),
        (Storage::BF16, 3e-3),
        (Storage::Q8_0, 1e-2),
        (Storage::Q4_0, 0.1),
    ] {
        for name in MODELS.iter().chain(MIXTURES) {
            let golden = clamped_as_published(golden(name));
            let checkpoint = written(&golden, storage, &dir.path().join("model.gguf"));
            let whole = Whole::of(&golden.checkpoint, golden.config.clone(), None).unwrap();
            let rounded = rounding::compare(&whole, &checkpoint).unwrap();
            assert!(rounded.relative <= relative, "{name} as {storage}: {rounded:?}");
            let n_values: usize =
                whole.parameters().iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum();
            assert_eq!(rounded.n_values, n_values as u64, "{name}");
        }
    }
}

#[test]
fn a_stretched_context_goes_both_ways() {
    let mut golden = golden("qwen3/tied");
    golden.config.rope_scaling = RopeScaling::Yarn {
        factor: 4.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 64,
        truncate: true,
        attention_factor: None,
    };
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = written(&golden, Storage::F32, &dir.path().join("model.gguf"));
    assert_eq!(checkpoint.config().unwrap(), golden.config);
    let said = RopeScaling::Yarn {
        factor: 4.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 64,
        truncate: true,
        attention_factor: Some(1.5),
    };
    let config = Config { rope_scaling: said, ..golden.config };
    let told = model_metadata(&config, "a model", Storage::F32).unwrap_err().to_string();
    assert!(told.contains("`attention_factor` is 1.5"), "{told}");
}

#[test]
fn another_model_is_told_by_the_first_value() {
    let [one, other] = ["qwen3_moe/renormalised", "qwen3_moe/plain"].map(golden);
    let dir = tempfile::tempdir().unwrap();
    let whole = Whole::of(&other.checkpoint, other.config.clone(), None).unwrap();
    save_whole(&whole, Storage::BF16, &dir.path().join("other")).unwrap();
    let found = Checkpoint::open(dir.path().join("other")).unwrap();
    rounding::compare(&whole, &found).unwrap();
    let whole = Whole::of(&one.checkpoint, one.config.clone(), None).unwrap();
    rounding::compare(&whole, &found).unwrap_err();
    let unlike = one.config.unlike(&other.config).unwrap();
    assert_eq!((unlike.field.as_str(), unlike.expected.as_u64()), ("intermediate_size", Some(48)));
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

/// What GGUF has no key for, because its readers take it for granted.
#[test]
fn experts_that_readers_of_gguf_would_run_otherwise_are_refused() {
    let check = |config: &Config, expected: &str| {
        let told = model_metadata(config, "a model", Storage::F32).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    };
    check(&golden("gpt_oss/fused").config, "`swiglu_limit` is 2, expected 7");
    let mut config = clamped_as_published(golden("gpt_oss/fused")).config;
    config.windows.reverse();
    check(&config, "layer_types");
    let mut config = golden("qwen3_moe/renormalised").config;
    let experts = config.experts.as_mut().unwrap();
    experts.dense = vec![0];
    check(&config, "mlp_only_layers");
    config.experts.as_mut().unwrap().renormalised = false;
    check(&config, "norm_topk_prob");
}

/// Pairs beside attention leave experts in the blocks they came in; nothing is decoded on the way.
#[test]
fn experts_in_blocks_stay_as_stored_where_nothing_was_trained_of_them() {
    let golden = golden("gpt_oss/mxfp4");
    let (mut config, mut pairs) = load_adapter(&folder("gpt_oss/mxfp4").join("adapter")).unwrap();
    config.target_parameters.clear();
    pairs.retain(|module, _| module.contains("self_attn"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("merged");
    let whole = Whole::new(&golden.checkpoint, Some((&config, &pairs))).unwrap();
    assert!(whole.keeps_blocks());
    save_whole(&whole, Storage::BF16, &out).unwrap();
    let merged = Checkpoint::open(&out).unwrap();
    rounding::compare(&whole, &merged).unwrap();
    for name in ["gate_up_proj", "down_proj"] {
        let name = format!("model.layers.1.mlp.experts.{name}");
        assert_eq!(merged.info(&name).unwrap().dtype, Storage::MXFP4);
        assert_eq!(merged.bytes(&name).unwrap(), golden.checkpoint.bytes(&name).unwrap());
    }
    let text = std::fs::read_to_string(out.join("config.json")).unwrap();
    assert!(text.contains("mxfp4"), "{text}");

    // In f32 it is exactly what the pairs compute.
    let out = dir.path().join("exact");
    save_whole(&whole, Storage::F32, &out).unwrap();
    let beside = at_once(&golden, Method::LowRank(config), &pairs).losses;
    let merged = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..golden };
    assert_close("losses", &losses(&merged), &beside, 1e-5);
}

/// A pair beside an expert leaves none of them in blocks: a file says it of all or of none.
#[test]
fn experts_something_was_trained_of_are_decoded() {
    let golden = golden("gpt_oss/mxfp4");
    let (config, pairs) = load_adapter(&folder("gpt_oss/mxfp4").join("adapter")).unwrap();
    let whole = Whole::new(&golden.checkpoint, Some((&config, &pairs))).unwrap();
    assert!(!whole.keeps_blocks());
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("merged");
    save_whole(&whole, Storage::BF16, &out).unwrap();
    let merged = Checkpoint::open(&out).unwrap();
    assert_eq!(merged.info("model.layers.0.mlp.experts.down_proj").unwrap().dtype, Storage::BF16);
    rounding::compare(&whole, &merged).unwrap();
}
