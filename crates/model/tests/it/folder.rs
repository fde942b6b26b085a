//! Checkpoints in several files that do not fit together.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::write;
use penname_model::Checkpoint;
use penname_model::weights::write_safetensors;
use serde_json::{Value, json};

use crate::tiny;

const INDEX: &str = "model.safetensors.index.json";

/// Two shards, `a` with the embedding and `b` with the last norm, and this index over them.
fn check(weight_map: Value, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let weights = tiny::weights();
    for (file, weights) in [("a.safetensors", &weights[..1]), ("b.safetensors", &weights[1..2])] {
        tiny::write_single(&dir.path().join(file), weights);
    }
    write::json(&dir.path().join(INDEX), &json!({ "weight_map": weight_map })).unwrap();
    let outcome = match Checkpoint::open(dir.path()) {
        Ok(checkpoint) => format!("{} tensors", checkpoint.names().count()),
        Err(error) => error.cause().to_string(),
    };
    assert_eq!(outcome, expected);
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const NORM: &str = "model.norm.weight";

#[test]
fn index_and_shards_must_agree() {
    check(json!({ EMBEDDING: "a.safetensors", NORM: "b.safetensors" }), "2 tensors");
    check(
        json!({ EMBEDDING: "a.safetensors", NORM: "c.safetensors" }),
        "shard `c.safetensors` is missing, although tensor `model.norm.weight` should be in it",
    );
    check(
        json!({ EMBEDDING: "a.safetensors", NORM: "a.safetensors" }),
        "tensor `model.norm.weight` is in no shard, expected `a.safetensors` by the index",
    );
    check(
        json!({ EMBEDDING: "b.safetensors", NORM: "a.safetensors" }),
        "tensor `model.embed_tokens.weight` is in `a.safetensors`, expected `b.safetensors` by the index",
    );
    check(
        json!({ EMBEDDING: "a.safetensors", NORM: "b.safetensors", "lm_head.weight": "b.safetensors" }),
        "tensor `lm_head.weight` is in no shard, expected `b.safetensors` by the index",
    );
}

#[test]
fn a_tensor_the_index_forgets_is_found() {
    let dir = tempfile::tempdir().unwrap();
    tiny::write_single(&dir.path().join("a.safetensors"), &tiny::weights()[..2]);
    write::json(&dir.path().join(INDEX), &json!({ "weight_map": { EMBEDDING: "a.safetensors" } })).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert_eq!(
        error.cause().to_string(),
        "tensor `model.norm.weight` is in `a.safetensors`, expected no shard by the index"
    );
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["a.safetensors", "b.safetensors"] {
        tiny::write_single(&dir.path().join(file), &tiny::weights()[..1]);
    }
    let index = json!({ "weight_map": { EMBEDDING: "a.safetensors", NORM: "b.safetensors" } });
    write::json(&dir.path().join(INDEX), &index).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert_eq!(error.cause().to_string(), "tensor `model.embed_tokens.weight` occurs twice");
}

#[test]
fn shards_lie_in_the_folder() {
    for name in ["../a.safetensors", "/a.safetensors", "sub/a.safetensors", "..", "", "./a.safetensors"] {
        let expected = format!("shard `{name}` of tensor `{NORM}` is not a plain file name");
        check(json!({ EMBEDDING: "a.safetensors", NORM: name }), &expected);
    }
}

fn check_pickle(dir: &Path, file: &str) {
    write::bytes(&dir.join(file), b"\x80\x02}q\x00.").unwrap();
    let error = Checkpoint::open(dir).unwrap_err().to_string();
    assert!(error.contains(file) && error.ends_with("expected safetensors"), "{error}");
}

#[test]
fn a_folder_of_pickles_is_refused_by_name() {
    for file in ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "consolidated.00.pth"] {
        check_pickle(tempfile::tempdir().unwrap().path(), file);
    }
}

#[test]
fn only_floats_go_into_safetensors() {
    let dir = tempfile::tempdir().unwrap();
    let weights = tiny::weights();
    let tensors = tiny::outgoing(&weights, penname_model::Storage::Q8_0);
    let error = write_safetensors(&dir.path().join("x"), tensors, &BTreeMap::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tensor `model.embed_tokens.weight` is stored as Q8_0, expected F32, F16 or BF16"
    );
    let mut twice = tiny::outgoing(&weights, penname_model::Storage::F32);
    twice.extend(tiny::outgoing(&weights[..1], penname_model::Storage::F32));
    let error = write_safetensors(&dir.path().join("x"), twice, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "tensor `model.embed_tokens.weight` occurs twice");
    assert!(!dir.path().join("x").exists());
}
