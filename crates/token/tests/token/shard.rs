use penname_ledger::Hash;
use penname_token::shard::Damage;
use penname_token::{Error, Sequence, Shard};
use proptest::prelude::*;

use crate::toy;

fn sequences(largest: u32) -> impl Strategy<Value = Vec<Sequence>> {
    let token = (0..=largest, any::<bool>());
    let one = (".{0,8}", "[a-z/é]{0,8}", prop::collection::vec(token, 0..20), 0_usize..3, 0_usize..3);
    prop::collection::vec(one, 0..6).prop_map(|all| all.into_iter().map(build).collect())
}

fn build(
    (example, document, tokens, n_cut, n_lost): (String, String, Vec<(u32, bool)>, usize, usize),
) -> Sequence {
    let (ids, mut mask): (Vec<u32>, Vec<bool>) = tokens.into_iter().unzip();
    if let Some(first) = mask.first_mut() {
        *first = false;
    }
    let n_trained = mask.iter().filter(|&&trained| trained).count();
    Sequence { example, document, ids, mask, n_trained, n_cut, n_lost, n_turns_skipped: n_cut }
}

fn shard(sequences: Vec<Sequence>) -> Shard {
    Shard { tokenizer: toy::tokenizer().hash(), sequences }
}

fn sample() -> Shard {
    let tokens = vec![(1, false), (2, false), (3, true), (70_000, true), (4, false)];
    shard(vec![
        build(("one".into(), "d".into(), tokens, 1, 2)),
        build(("two".into(), "d".into(), vec![], 0, 0)),
    ])
}

/// The bytes with a true hash at the end, as a forger would write them.
fn resealed(content: &[u8]) -> Vec<u8> {
    let body = &content[..content.len().saturating_sub(32)];
    [body, Hash::of(body).as_bytes()].concat()
}

#[test]
fn what_is_written_is_read_and_only_for_its_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.shard");
    sample().write(&path).unwrap();
    assert_eq!(Shard::read(&path, &toy::tokenizer()).unwrap(), sample());

    let other = penname_token::Tokenizer::from_gguf(&toy::pieces()).unwrap();
    assert!(matches!(Shard::read(&path, &other), Err(Error::ShardTokenizer { .. })));
    let missing = Shard::read(&folder.path().join("none"), &other);
    assert!(matches!(missing, Err(Error::Read { .. })));
}

#[test]
fn damage_is_named() {
    let bytes = sample().to_bytes();
    let check = |bytes: &[u8], expected: Damage| assert_eq!(Shard::from_bytes(bytes), Err(expected));
    check(b"", Damage::Magic);
    check(b"PK\x03\x04 something else entirely", Damage::Magic);
    check(&bytes[..40], Damage::Truncated { part: "the header" });
    let mut future = bytes.clone();
    future[8] = 9;
    check(&future, Damage::Version { found: 9 });
    let flipped = [&bytes[..100], &[bytes[100] ^ 1], &bytes[101..]].concat();
    assert!(matches!(Shard::from_bytes(&flipped), Err(Damage::Hash { .. })));
    assert!(matches!(Shard::from_bytes(&bytes[..bytes.len() - 1]), Err(Damage::Hash { .. })));
}

#[test]
fn ids_take_two_bytes_where_they_fit() {
    let with = |id: u32| shard(vec![build((String::new(), String::new(), vec![(id, false); 100], 0, 0))]);
    let difference = with(65_536).to_bytes().len() - with(65_535).to_bytes().len();
    assert_eq!(difference, 200);
}

proptest! {
    #[test]
    fn reading_undoes_writing(small in sequences(65_535), large in sequences(u32::MAX - 1)) {
        for sequences in [small, large] {
            let shard = shard(sequences);
            prop_assert_eq!(Shard::from_bytes(&shard.to_bytes()).unwrap(), shard);
        }
    }

    #[test]
    fn a_changed_byte_or_a_missing_end_is_noticed(at in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut bytes = sample().to_bytes();
        let at = at.index(bytes.len());
        prop_assert!(Shard::from_bytes(&bytes[..at]).is_err());
        bytes[at] ^= change;
        prop_assert!(Shard::from_bytes(&bytes).is_err());
    }

    /// Even with a true hash nothing panics, and what is read writes itself back.
    #[test]
    fn a_forged_shard_is_refused_or_consistent(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample().to_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(shard) = Shard::from_bytes(&resealed(&bytes)) {
            prop_assert_eq!(Shard::from_bytes(&shard.to_bytes()).unwrap(), shard);
        }
    }
}
