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
        let stored = bytes.get(tensor.bytes.clone()).map(<[u8]>::len);
        assert_eq!(stored, tensor.info.dtype.format().bytes_for(tensor.info.n_values()), "{}", tensor.name);
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

/// Harms a file.
fn harm_file(path: &Path, head: usize, harms: &[Harm]) {
    let whole = std::fs::read(path).unwrap();
    write::bytes(path, &harmed(&whole, head, harms)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn gguf_files(harms in prop::collection::vec(harm(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        tiny::write_gguf(&path, &tiny::metadata(), Storage::Q8_0);
        harm_file(&path, 2600, &harms);
        use_checkpoint(&path);
    }

    #[test]
    fn safetensors_files(harms in prop::collection::vec(harm(), 1..6)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        tiny::write_single(&path, &tiny::weights());
        harm_file(&path, 1500, &harms);
        use_checkpoint(&path);
    }

    #[test]
    fn folders(harms in prop::collection::vec(harm(), 1..6), harmed in 0usize..3) {
        let dir = tempfile::tempdir().unwrap();
        tiny::write_folder(dir.path(), Storage::BF16, 100_000);
        let files = ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"];
        harm_file(&dir.path().join(files[harmed]), 1500, &harms);
        use_checkpoint(dir.path());
    }

    #[test]
    fn adapters(harms in prop::collection::vec(harm(), 1..6), harmed in 0usize..2) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adapter");
        crate::peft::save_small(&path);
        let files = ["adapter_config.json", "adapter_model.safetensors"];
        harm_file(&path.join(files[harmed]), 700, &harms);
        let _either = load_adapter(&path);
    }
}
