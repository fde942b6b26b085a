//! Every tensor is used, spare for a reason, or an error.

use std::path::PathBuf;

use penname_model::weights::{Spare, Why};
use penname_model::{Checkpoint, Taken};

use crate::tiny::{self, Weight};

fn weight(name: &str, shape: &[usize], value: f32) -> Weight {
    let values = vec![value; shape.iter().product()];
    Weight { name: name.to_owned(), gguf: String::new(), shape: shape.to_vec(), values }
}

/// A checkpoint with an embedding and these extras, of which a model takes the embedding alone.
fn outcome(extras: Vec<Weight>) -> Result<Vec<Spare>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("model.safetensors");
    let mut weights = vec![weight(EMBEDDING, &[6, 4], 0.5)];
    weights.extend(extras);
    tiny::write_single(&path, &weights);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut taken = Taken::new(&checkpoint);
    taken.take(EMBEDDING, &[6, 4]).unwrap();
    taken.finish().map_err(|error| error.to_string())
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

#[test]
fn harmless_extras_are_reported() {
    let inv_freq = "model.layers.0.self_attn.rotary_emb.inv_freq";
    assert_eq!(outcome(vec![]), Ok(vec![]));
    assert_eq!(
        outcome(vec![weight(inv_freq, &[2], 1.0), weight(HEAD, &[6, 4], 0.5)]),
        Ok(vec![
            Spare { name: HEAD.to_owned(), why: Why::Tied },
            Spare { name: inv_freq.to_owned(), why: Why::Derived },
        ])
    );
}

#[test]
fn a_head_that_differs_from_the_embedding_is_not_tied() {
    let expected = "1 of the tensors are not used by the model: `lm_head.weight`";
    assert_eq!(outcome(vec![weight(HEAD, &[6, 4], 0.25)]), Err(expected.to_owned()));
    assert_eq!(outcome(vec![weight(HEAD, &[4, 6], 0.5)]), Err(expected.to_owned()));
}

#[test]
fn unused_tensors_are_listed() {
    let extras = (0..10).map(|i| weight(&format!("extra.{i}"), &[1], 0.0)).collect();
    let expected = "10 of the tensors are not used by the model: `extra.0`, `extra.1`, `extra.2`, `extra.3`, \
                    `extra.4`, `extra.5`, `extra.6`, `extra.7`, and 2 more";
    assert_eq!(outcome(extras), Err(expected.to_owned()));
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    tiny::write_single(&path, &tiny::weights());
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut taken = Taken::new(&checkpoint);
    let check = |found: penname_model::Error, expected: &str| assert_eq!(found.to_string(), expected);
    check(
        taken.take("model.layers.1.mlp.up_proj.weight", &[96, 63]).unwrap_err(),
        "tensor `model.layers.1.mlp.up_proj.weight` has shape [96, 64], expected [96, 63]",
    );
    check(
        taken.take("model.layers.2.mlp.up_proj.weight", &[96, 64]).unwrap_err(),
        "tensor `model.layers.2.mlp.up_proj.weight` is missing, expected shape [96, 64]",
    );
    assert!(taken.take_if_present("model.layers.0.mlp.up_proj.bias", &[96]).unwrap().is_none());
    check(
        taken.take_if_present("model.norm.weight", &[65]).unwrap_err(),
        "tensor `model.norm.weight` has shape [64], expected [65]",
    );
}
