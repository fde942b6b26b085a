//! llama2.c's three layouts: there and back, and whatever may be wrong with them.

use std::path::Path;

use penname_ledger::write;
use penname_model::weights::llama2c::{Version, write_llama2c};
use penname_model::{Checkpoint, Config, Storage};
use proptest::prelude::*;

use crate::tiny::{self, Weight};

fn untied() -> (Config, Vec<Weight>) {
    let mut weights = tiny::weights();
    let values = weights[0].values.iter().map(|value| value + 1.0).collect();
    let shape = weights[0].shape.clone();
    weights.push(Weight { name: "lm_head.weight".into(), gguf: String::new(), shape, values });
    (Config { tied: false, ..tiny::config() }, weights)
}

fn write(path: &Path, version: Version, config: &Config, weights: &[Weight]) {
    write_llama2c(path, config, version, &tiny::outgoing(weights, Storage::F32)).unwrap();
}

/// The largest distance of a value from what was written.
fn farthest(path: &Path, config: &Config, weights: &[Weight]) -> f32 {
    let checkpoint = Checkpoint::open(path).unwrap();
    assert!(checkpoint.is_llama2c());
    assert_eq!(checkpoint.config().unwrap(), *config);
    assert_eq!(checkpoint.names().count(), weights.len());
    let mut farthest = 0.0f32;
    for weight in weights {
        assert_eq!(checkpoint.info(&weight.name).unwrap().shape, weight.shape, "{}", weight.name);
        let mut values = Vec::new();
        checkpoint.read_f32(&weight.name, &mut values).unwrap();
        let distances = values.iter().zip(&weight.values).map(|(a, b)| (a - b).abs());
        farthest = distances.fold(farthest, f32::max);
    }
    farthest
}

#[test]
fn every_version_comes_back_as_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    for (config, weights) in [(tiny::config(), tiny::weights()), untied()] {
        for version in [Version::V0, Version::V1] {
            write(&path, version, &config, &weights);
            assert_eq!(farthest(&path, &config, &weights), 0.0, "{version:?}");
        }
        let version = Version::int8(&config);
        assert_eq!(version, Version::V2 { group: 32 }, "the longest that divides 64 and 96");
        write(&path, version, &config, &weights);
        // Half a step between the codes of a group whose largest value is 51.
        let far = farthest(&path, &config, &weights);
        assert!(far > 0.0 && far <= 51.0 / 127.0 / 2.0 * 1.0001, "{far}");
    }
}

#[test]
fn groups_may_run_across_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    write(&path, Version::V2 { group: 128 }, &tiny::config(), &tiny::weights());
    let far = farthest(&path, &tiny::config(), &tiny::weights());
    assert!(far > 0.0 && far <= 50.0 / 127.0 / 2.0 * 1.0001, "{far}");
}

#[test]
fn what_is_stored_in_another_format_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = (dir.path().join("folder"), dir.path().join("model.bin"));
    tiny::write_folder(&folder, Storage::BF16, usize::MAX);
    let base = Checkpoint::open(&folder).unwrap();
    let tensors: Vec<_> = base
        .names()
        .map(|name| penname_model::weights::Outgoing::from_tensor(name, base.tensor(name).unwrap()))
        .collect();
    write_llama2c(&path, &tiny::config(), Version::V0, &tensors).unwrap();
    assert_eq!(farthest(&path, &tiny::config(), &tiny::weights()), 0.0);
}

#[test]
fn the_first_weights_stand_where_run_c_looks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    let weights = tiny::weights();
    write(&path, Version::V0, &tiny::config(), &weights);
    let bytes = std::fs::read(&path).unwrap();
    let numbers: Vec<i32> =
        bytes[..28].as_chunks::<4>().0.iter().map(|four| i32::from_le_bytes(*four)).collect();
    assert_eq!(numbers, [64, 96, 2, 2, 1, 40, 128]);
    let values: Vec<f32> =
        bytes[28..].as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let find = |name: &str| &weights.iter().find(|weight| weight.name.contains(name)).unwrap().values;
    assert_eq!(values[..40 * 64], find("embed_tokens")[..]);
    // Behind two norms of attention, the queries of layer 0: rows half a head apart side by side.
    let queries = &values[40 * 64 + 2 * 64..][..64 * 64];
    assert_eq!(queries, tiny::interleaved(find("layers.0.self_attn.q_proj"), 64, 32));
}

#[test]
fn what_llama2c_does_not_compute_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    let (weights, tied) = (tiny::weights(), tiny::config());
    let check = |config: Config, version, expected: &str| {
        let tensors = tiny::outgoing(&weights, Storage::F32);
        let error = write_llama2c(&path, &config, version, &tensors).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!path.exists());
    };
    check(Config { rope_theta: 5e5, ..tied.clone() }, Version::V0, "`rope_theta` is 500000, expected 10000");
    check(Config { norm_eps: 1e-6, ..tied.clone() }, Version::V1, "`rms_norm_eps` is 0.000001, expected");
    check(Config { qkv_bias: true, ..tied.clone() }, Version::V0, "`attention_bias` is true");
    check(Config { model_type: "gpt2".into(), ..tied.clone() }, Version::V0, "`model_type` is gpt2");
    check(Config { tied: false, ..tied.clone() }, Version::V0, "tensor `lm_head.weight` is missing");
    check(Config { n_layers: 1, ..tied.clone() }, Version::V0, "9 of the tensors are not used");
    check(tied.clone(), Version::V2 { group: 0 }, "tensor `model.embed_tokens.weight` has 2560 values");
    check(tied, Version::V2 { group: 7 }, "tensor `model.embed_tokens.weight` has 2560 values");
}

fn refused(path: &Path, bytes: &[u8]) -> String {
    write::bytes(path, bytes).unwrap();
    Checkpoint::open(path).unwrap_err().cause().to_string()
}

#[test]
fn damaged_files_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    let with = |whole: &[u8], at: usize, number: i32| {
        let mut bytes = whole.to_vec();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        bytes
    };
    write(&path, Version::V0, &tiny::config(), &tiny::weights());
    let v0 = std::fs::read(&path).unwrap();
    let n = v0.len();
    let size =
        |found: usize, expected: usize| format!("holds {found} bytes, expected {expected} by its header");
    assert_eq!(refused(&path, &v0[..n - 1]), size(n - 1, n));
    assert_eq!(refused(&path, &[&v0[..], &[0]].concat()), size(n + 1, n));
    assert_eq!(refused(&path, &with(&v0, 24, 129)), size(n, n + 128));
    assert_eq!(refused(&path, &with(&v0, 20, -40)), size(n, n + 4 * 40 * 64), "a head apart");
    assert!(refused(&path, &with(&v0, 8, 1000)).starts_with("holds"), "a thousand layers");
    write(&path, Version::V2 { group: 32 }, &tiny::config(), &tiny::weights());
    let v2 = std::fs::read(&path).unwrap();
    assert_eq!(refused(&path, &with(&v2, 4, 3)), "the version is 3, expected 1 or 2");
    assert_eq!(refused(&path, &with(&v2, 8, 0)), "width is 0, expected more than zero");
    assert_eq!(refused(&path, &with(&v2, 8, -64)), "width is 64, expected more than zero");
    assert_eq!(refused(&path, &with(&v2, 20, 3)), "heads is 3, expected a divisor of the width");
    assert_eq!(refused(&path, &with(&v2, 37, 0)), "the length of a group is 0, expected more than zero");
    assert!(refused(&path, &with(&v2, 16, i32::MAX)).starts_with("holds"), "no memory for its layers");
    for len in [4, 8, 35, 36, 40, 255, 256, v2.len() - 1] {
        refused(&path, &v2[..len]);
    }
}

/// Numbers that overflow, exceed memory, or are off by little.
const NASTY: [i32; 8] = [0, 1, -1, 2, 1 << 16, i32::MAX, i32::MIN, 1 << 30];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_harmed_header_is_read_or_refused(
        version in 0usize..3,
        harms in prop::collection::vec((0usize..41, prop::sample::select(NASTY.to_vec())), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        let version = [Version::V0, Version::V1, Version::V2 { group: 32 }][version];
        write(&path, version, &tiny::config(), &tiny::weights());
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, number) in harms {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        write::bytes(&path, &bytes).unwrap();
        if let Ok(checkpoint) = Checkpoint::open(&path) {
            let _either = checkpoint.config();
            for name in checkpoint.names() {
                checkpoint.read_f32(name, &mut Vec::new()).unwrap();
            }
        }
    }
}
