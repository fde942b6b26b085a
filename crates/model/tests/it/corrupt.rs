//! Files that lie: cut short, overwritten, made up. Whatever is done to them they are read or
//! refused; a panic or an allocation beyond the file's size fails these tests.

use std::path::Path;

use penname_ledger::write;
use penname_model::peft::load_adapter;
use penname_model::weights::gguf::{Gguf, Tokenizer};
use penname_model::{Checkpoint, Storage};
use proptest::prelude::*;

use crate::tiny;

/// Counts and lengths that overflow, exceed memory, or are off by little.
const NASTY: [u64; 8] = [0, 1, 1 << 20, 1 << 32, u64::MAX, u64::MAX / 4, i64::MAX as u64, (1 << 61) + 1];

/// Opens and reads everything that can be read.
fn use_checkpoint(path: &Path) {
    let Ok(checkpoint) = Checkpoint::open(path) else { return };
    let _either = checkpoint.config();
    for name in checkpoint.names() {
        checkpoint.read_f32(name, &mut Vec::new()).unwrap();
    }
}

fn use_gguf(bytes: &[u8]) {
    let Ok(gguf) = Gguf::parse(bytes) else { return };
    let _either = Tokenizer::from_metadata(&gguf.metadata);
    for tensor in &gguf.tensors {
        let mut values = vec![0.0; tensor.info.n_values()];
        tensor.info.dtype.format().decode(&bytes[tensor.bytes.clone()], &mut values);
    }
}

fn tiny_gguf() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    tiny::write_gguf(&path, &tiny::metadata(), Storage::Q8_0);
    std::fs::read(path).unwrap()
}

#[test]
fn gguf_cut_short_anywhere_is_refused() {
    let whole = tiny_gguf();
    let data = Gguf::parse(&whole).unwrap().tensors.iter().map(|tensor| tensor.bytes.start).min().unwrap();
    let last = Gguf::parse(&whole).unwrap().tensors.iter().map(|tensor| tensor.bytes.end).max().unwrap();
    for len in (0..data).chain([data, data + 1, last - 1]) {
        assert!(Gguf::parse(&whole[..len]).is_err(), "cut to {len} bytes");
    }
    assert!(Gguf::parse(&whole[..last]).is_ok());
}

#[test]
fn gguf_with_nasty_numbers_anywhere_is_read_or_refused() {
    let whole = tiny_gguf();
    let data = Gguf::parse(&whole).unwrap().tensors[0].bytes.start;
    let mut changed = whole.clone();
    for at in 4..data {
        for nasty in NASTY {
            let end = (at + 8).min(whole.len());
            changed[at..end].copy_from_slice(&nasty.to_le_bytes()[..end - at]);
            use_gguf(&changed);
            changed[at..end].copy_from_slice(&whole[at..end]);
        }
    }
}

/// One thing done to a file.
#[derive(Debug, Clone)]
enum Harm {
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, u8),
    Number(prop::sample::Index, u64),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        1 => at().prop_map(Harm::Cut),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Byte(at, byte)),
        2 => (at(), prop::sample::select(NASTY.to_vec())).prop_map(|(at, number)| Harm::Number(at, number)),
        2 => (at(), at()).prop_map(|(from, to)| Harm::Repeat(from, to)),
    ]
}

/// Does some harm, within the first `head` bytes where the structure is.
fn harmed(bytes: &[u8], head: usize, harms: &[Harm]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for harm in harms {
        let head = head.min(bytes.len());
        if head == 0 {
            break;
        }
        match harm {
            Harm::Cut(at) => bytes.truncate(at.index(head)),
            Harm::Byte(at, byte) => bytes[at.index(head)] = *byte,
            Harm::Number(at, number) => {
                let at = at.index(head);
                let end = (at + 8).min(bytes.len());
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            Harm::Repeat(from, to) => {
                let (from, to) = (from.index(head), to.index(head));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, piece);
            }
        }
    }
    bytes
}

/// Harms one file of a folder and uses the folder.
fn check_file(dir: &Path, file: &str, head: usize, harms: &[Harm], using: fn(&Path)) {
    let path = dir.join(file);
    let whole = std::fs::read(&path).unwrap();
    write::bytes(&path, &harmed(&whole, head, harms)).unwrap();
    using(dir);
    write::bytes(&path, &whole).unwrap();
}

fn use_adapter(dir: &Path) {
    let _either = load_adapter(dir);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn gguf_files(harms in prop::collection::vec(harm(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        write::bytes(&path, &harmed(&tiny_gguf(), 2600, &harms)).unwrap();
        use_checkpoint(&path);
    }

    #[test]
    fn safetensors_folders(harms in prop::collection::vec(harm(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        tiny::write_folder(dir.path(), Storage::BF16, 100_000);
        for file in ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"] {
            check_file(dir.path(), file, 1500, &harms, use_checkpoint);
        }
    }

    #[test]
    fn adapters(harms in prop::collection::vec(harm(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adapter");
        crate::peft::save_small(&path);
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            check_file(&path, file, 700, &harms, use_adapter);
        }
    }
}
