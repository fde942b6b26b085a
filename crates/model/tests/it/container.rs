//! The same model from every container.

use penname_ledger::write;
use penname_model::{Checkpoint, Config, Storage};

use crate::tiny;

/// Every way of reading gives the published values.
fn check(checkpoint: &Checkpoint) {
    let weights = tiny::weights();
    assert_eq!(checkpoint.names().count(), weights.len());
    for weight in &weights {
        let tensor = checkpoint.tensor(&weight.name).unwrap();
        assert_eq!(tensor.info().shape, weight.shape, "{}", weight.name);
        let mut values = vec![9.0; 3];
        tensor.read_f32(&mut values);
        assert_eq!(values, weight.values, "{}", weight.name);
        let mut halves = Vec::new();
        tensor.read_bf16(&mut halves);
        assert!(halves.iter().zip(&values).all(|(half, value)| half.to_f32() == *value), "{}", weight.name);
        let row_len = tensor.info().row_len();
        let n_rows = tensor.info().n_rows();
        for rows in [0..n_rows, 1..n_rows, 5..6, n_rows..n_rows, 7..23] {
            let mut some = vec![0.0; rows.len() * row_len];
            tensor.read_rows_f32(rows.clone(), &mut some);
            assert_eq!(
                some,
                weight.values[rows.start * row_len..rows.end * row_len],
                "{} {rows:?}",
                weight.name
            );
        }
        let rows: Vec<u8> = (0..n_rows).flat_map(|row| tensor.row(row).into_owned()).collect();
        assert_eq!(rows, *tensor.bytes(), "{}", weight.name);
        let mut decoded = vec![0.0; values.len()];
        tensor.info().dtype.format().decode(&rows, &mut decoded);
        assert_eq!(decoded, values, "{}", weight.name);
    }
}

#[test]
fn gguf_gives_the_published_rows() {
    let dir = tempfile::tempdir().unwrap();
    for dtype in [Storage::F32, Storage::F16, Storage::BF16] {
        let path = dir.path().join(format!("{dtype}.gguf"));
        tiny::write_gguf(&path, &tiny::metadata(), dtype);
        let checkpoint = Checkpoint::open(&path).unwrap();
        check(&checkpoint);
        assert_eq!(checkpoint.config().unwrap(), tiny::config());
        let query = "model.layers.0.self_attn.q_proj.weight";
        assert_eq!(checkpoint.info(query).unwrap().dtype, dtype);
    }
}

#[test]
fn quantized_rows_are_moved_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    tiny::write_gguf(&path, &tiny::metadata(), Storage::Q8_0);
    let checkpoint = Checkpoint::open(&path).unwrap();
    for weight in tiny::weights() {
        let mut values = Vec::new();
        checkpoint.read_f32(&weight.name, &mut values).unwrap();
        // Half a step of the coarsest block, whose largest value is 50, and the rounding of its
        // half-precision scale over 127 steps.
        let tolerance = 50.0 / 127.0 * (0.5 + 127.0 / 2048.0);
        let close = values.iter().zip(&weight.values).all(|(a, b)| (a - b).abs() <= tolerance);
        assert!(close, "{}", weight.name);
    }
}

#[test]
fn folders_and_files_of_safetensors() {
    let dir = tempfile::tempdir().unwrap();
    for (dtype, shard_bytes) in [(Storage::F32, usize::MAX), (Storage::BF16, 20_000), (Storage::F16, 1)] {
        let folder = dir.path().join(dtype.to_string());
        tiny::write_folder(&folder, dtype, shard_bytes);
        let checkpoint = Checkpoint::open(&folder).unwrap();
        check(&checkpoint);
        assert_eq!(checkpoint.config().unwrap(), tiny::config());
        let single = folder.join("model.safetensors");
        assert_eq!(single.exists(), shard_bytes == usize::MAX);
        if single.exists() {
            let checkpoint = Checkpoint::open(single).unwrap();
            check(&checkpoint);
            assert_eq!(checkpoint.config().unwrap(), tiny::config());
        }
    }
}

#[test]
fn the_same_tensors_give_the_same_bytes_whatever_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let mut weights = tiny::weights();
    tiny::write_single(&one, &weights);
    weights.reverse();
    tiny::write_single(&other, &weights);
    assert!(std::fs::read(one).unwrap() == std::fs::read(other).unwrap());
}

fn check_refused(path: &std::path::Path, expected: &str) {
    let error = Checkpoint::open(path).and_then(|checkpoint| checkpoint.config()).unwrap_err();
    let text = error.to_string().replace(&path.display().to_string(), "PATH");
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_is_no_checkpoint_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    check_refused(&at("nothing"), "cannot read `PATH`");
    check_refused(dir.path(), "`PATH` is not a checkpoint");
    for (name, content, expected) in [
        ("empty", &b""[..], "not a valid safetensors file"),
        ("zip.bin", b"PK\x03\x04 and so on", "`PATH` is a pickle"),
        ("old.bin", b"\x80\x02}q\x00.", "`PATH` is a pickle"),
        ("short.gguf", b"GGUF\x03", "ends inside the header: 4 bytes needed at offset 4, 1 left"),
        ("big-endian.gguf", b"GGUF\x00\x00\x00\x03", "is GGUF version 50331648, expected 2 or 3"),
    ] {
        write::bytes(&at(name), content).unwrap();
        check_refused(&at(name), expected);
    }
}

#[test]
fn a_lone_file_has_tensors_but_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter.safetensors");
    tiny::write_single(&path, &tiny::weights());
    check(&Checkpoint::open(&path).unwrap());
    check_refused(&path, "config.json`");
    assert!(Config::read(&dir.path().join("config.json")).is_err());
}
