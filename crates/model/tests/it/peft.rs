//! Adapters on disk.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::write;
use penname_model::Storage;
use penname_model::peft::{AdapterConfig, Pair, load_adapter, save_adapter};
use penname_model::weights::{Outgoing, write_safetensors};
use serde_json::{Value, json};

const QUERY: &str = "model.layers.0.self_attn.q_proj";
const DOWN: &str = "model.layers.1.mlp.down_proj";

fn config() -> AdapterConfig {
    AdapterConfig {
        base_model: Some("someone/small".to_owned()),
        dropout: 0.05,
        rank_pattern: vec![("layers.1.mlp.down_proj".to_owned(), 3)],
        alpha_pattern: vec![("^model.layers.1.mlp.down_proj".to_owned(), 6.5)],
        ..AdapterConfig::new(2, 16.0, ["q_proj", "down_proj"].map(str::to_owned))
    }
}

fn pair(rank: usize, n_in: usize, n_out: usize) -> Pair {
    let values = |n: usize| (0..n).map(|i| i as f32 / 8.0 - 1.0).collect();
    Pair { rank, n_in, n_out, a: values(rank * n_in), b: values(n_out * rank), magnitude: None }
}

fn pairs() -> BTreeMap<String, Pair> {
    BTreeMap::from([(QUERY.to_owned(), pair(2, 8, 6)), (DOWN.to_owned(), pair(3, 5, 8))])
}

#[test]
fn an_adapter_returns_as_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter");
    save_adapter(&path, &config(), &pairs()).unwrap();
    assert_eq!(load_adapter(&path).unwrap(), (config(), pairs()));
    let mut files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["adapter_config.json", "adapter_model.safetensors"]);
}

#[test]
fn the_configuration_is_written_as_peft_writes_it() {
    expect_test::expect![[r#"
        {
          "alpha_pattern": {
            "^model.layers.1.mlp.down_proj": 6.5
          },
          "base_model_name_or_path": "someone/small",
          "bias": "none",
          "fan_in_fan_out": false,
          "inference_mode": true,
          "init_lora_weights": true,
          "lora_alpha": 16,
          "lora_dropout": 0.05,
          "modules_to_save": null,
          "peft_type": "LORA",
          "peft_version": "0.17.0",
          "r": 2,
          "rank_pattern": {
            "layers.1.mlp.down_proj": 3
          },
          "revision": null,
          "target_modules": [
            "down_proj",
            "q_proj"
          ],
          "task_type": "CAUSAL_LM",
          "use_dora": false,
          "use_rslora": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&config().to_json()).unwrap());
}

#[test]
fn the_scale_is_alpha_over_rank_or_its_root() {
    let plain = config();
    assert_eq!(plain.scale_for(QUERY), 8.0);
    assert_eq!(plain.scale_for(DOWN), 6.5 / 3.0);
    let stabilised = AdapterConfig { use_rslora: true, ..plain };
    assert_eq!(stabilised.scale_for(QUERY), 16.0 / 2f64.sqrt());
    assert_eq!(stabilised.rank_for("model.layers.11.mlp.down_proj"), 2);
    assert_eq!(stabilised.rank_for("x.model.layers.1.mlp.down_proj"), 3);
    assert_eq!(stabilised.scale_for("x.model.layers.1.mlp.down_proj"), 16.0 / 3f64.sqrt());
}

fn check_config(changes: Value, expected: &str) {
    let mut json = config().to_json();
    for (field, value) in changes.as_object().unwrap() {
        json[field] = value.clone();
    }
    let Value::Object(object) = json else { panic!("not an object") };
    let found = AdapterConfig::from_json(object).map_err(|error| error.to_string());
    assert_eq!(found.map_or_else(|error| error, |config| format!("rank {}", config.rank)), expected);
}

#[test]
fn variants_that_compute_something_else_are_refused_by_name() {
    check_config(
        json!({ "loftq_config": {}, "megatron_core": "megatron.core", "lora_bias": false }),
        "rank 2",
    );
    check_config(json!({ "task_type": null, "exclude_modules": ["lm_head"] }), "rank 2");
    check_config(json!({ "peft_type": "IA3" }), "`peft_type` is \"IA3\", expected \"LORA\"");
    check_config(json!({ "use_dora": true }), "rank 2");
    check_config(json!({ "lora_bias": true }), "`lora_bias` is true, expected false");
    check_config(json!({ "bias": "all" }), "`bias` is \"all\", expected \"none\"");
    check_config(
        json!({ "modules_to_save": ["lm_head"] }),
        "`modules_to_save` is [\"lm_head\"], expected []",
    );
    check_config(json!({ "layer_replication": [[0, 4]] }), "`layer_replication` is [[0,4]], expected []");
    check_config(
        json!({ "init_lora_weights": "pissa" }),
        "`init_lora_weights` is \"pissa\", expected true or false or \"gaussian\" or \"orthogonal\" or \"eva\"",
    );
    check_config(
        json!({ "target_modules": ".*_proj" }),
        "`target_modules` is \".*_proj\", expected a list of texts",
    );
    check_config(
        json!({ "rank_pattern": { ".*down_proj": 4 } }),
        "`rank_pattern` is \".*down_proj\", expected names of modules, not regular expressions",
    );
    check_config(json!({ "r": 0 }), "`r` is 0, expected 1 to 2147483647");
    check_config(json!({ "lora_dropout": 1.0 }), "`lora_dropout` is 1, expected at least 0 and less than 1");
    check_config(json!({ "twist": 3 }), "`twist` is not known and may change what the model computes");
}

/// Writes these tensors beside the usual configuration and says how loading ends.
fn check_tensors(tensors: &[(&str, [usize; 2])], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path(), tensors);
    let found = load_adapter(dir.path()).map_err(|error| error.cause().to_string());
    assert_eq!(found.map_or_else(|error| error, |(_, pairs)| format!("{} pairs", pairs.len())), expected);
}

fn write_files(dir: &Path, tensors: &[(&str, [usize; 2])]) {
    let values = [0.5; 64];
    let outgoing = |(name, shape): &(&str, [usize; 2])| {
        let n_values = shape.iter().product();
        Outgoing::from_values(format!("base_model.model.{name}"), *shape, Storage::BF16, &values[..n_values])
    };
    let path = dir.join("adapter_model.safetensors");
    write_safetensors(&path, tensors.iter().map(outgoing).collect(), &BTreeMap::new()).unwrap();
    write::json(&dir.join("adapter_config.json"), &config().to_json()).unwrap();
}

#[test]
fn tensors_must_be_pairs_that_fit() {
    let query = [("model.q_proj.lora_A.weight", [2, 8]), ("model.q_proj.lora_B.weight", [6, 2])];
    let down = [("model.down_proj.lora_A.weight", [2, 5]), ("model.down_proj.lora_B.weight", [8, 2])];
    let with = |more: &[(&'static str, [usize; 2])]| [&query[..], &down[..], more].concat();
    check_tensors(&with(&[]), "2 pairs");
    check_tensors(&[], "there are no low-rank pairs in the adapter");
    check_tensors(&query, "`target_modules` has `down_proj`, but there is no low-rank pair for it");
    check_tensors(
        &with(&[("model.up_proj.lora_A.weight", [2, 5]), ("model.up_proj.lora_B.weight", [8, 2])]),
        "tensor `base_model.model.model.up_proj.lora_A.weight` belongs to a module that is not in `target_modules`",
    );
    check_tensors(
        &with(&[("model.x.q_proj.lora_B.weight", [6, 2])]),
        "tensor `base_model.model.model.x.q_proj.lora_A.weight` is missing, the other half of its pair is there",
    );
    check_tensors(
        &with(&[("model.x.q_proj.lora_A.weight", [2, 6])]),
        "tensor `base_model.model.model.x.q_proj.lora_B.weight` is missing, the other half of its pair is there",
    );
    check_tensors(
        &with(&[("model.embed_tokens.lora_embedding_A", [2, 6])]),
        "tensor `base_model.model.model.embed_tokens.lora_embedding_A` is not understood, expected \
         `base_model.model.<module>.lora_A.weight` or lora_B",
    );
    check_tensors(
        &[query[0], ("model.q_proj.lora_B.weight", [6, 3]), down[0], down[1]],
        "tensor `base_model.model.model.q_proj.lora_B.weight` has shape [6, 3], expected [6, 2]",
    );
    check_tensors(
        &[query[0], query[1], ("model.down_proj.lora_A.weight", [4, 5]), down[1]],
        "tensor `base_model.model.model.down_proj.lora_A.weight` has shape [4, 5], expected [2, 5]",
    );
}

#[test]
fn nothing_that_does_not_fit_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter");
    save_adapter(&path, &config(), &pairs()).unwrap();
    let mut wrong = pairs();
    let mut check = |pair: Pair, expected: &str| {
        wrong.insert(QUERY.to_owned(), pair);
        let error = save_adapter(&path, &config(), &wrong).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    };
    check(pair(3, 8, 6), "q_proj.lora_A.weight` has shape [3, 8], expected [2, 8]");
    check(Pair { n_in: 9, ..pair(2, 8, 6) }, "q_proj.lora_A.weight` has shape [16], expected [2, 9]");
    check(
        Pair { b: vec![0.0; 13], ..pair(2, 8, 6) },
        "q_proj.lora_B.weight` has shape [13], expected [6, 2]",
    );
    let zero = BTreeMap::from([(QUERY.to_owned(), pair(0, 8, 6)), (DOWN.to_owned(), pair(3, 5, 8))]);
    assert!(save_adapter(&path, &config(), &zero).is_err());
    assert_eq!(load_adapter(&path).unwrap(), (config(), pairs()), "the old adapter is still there");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_pickled_adapter_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write::json(&dir.path().join("adapter_config.json"), &config().to_json()).unwrap();
    write::bytes(&dir.path().join("adapter_model.bin"), b"PK").unwrap();
    let error = load_adapter(dir.path()).unwrap_err().to_string();
    assert!(error.contains("adapter_model.bin` is a pickle"), "{error}");
}

/// An adapter for other tests to harm.
pub(crate) fn save_small(dir: &Path) {
    save_adapter(dir, &config(), &pairs()).unwrap();
}
