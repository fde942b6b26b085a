//! Running text in sequences, and llama2.c's shards of it.

use penname_token::shard::Damage;
use penname_token::shard::llama2c;
use penname_token::{Tokenizer, running};
use proptest::prelude::*;

use crate::toy;

#[test]
fn every_token_but_the_first_is_learned_once() {
    let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
    let ids: Vec<u32> = (259..268).collect();
    let sequences = running::of_ids(&tokenizer, "d", &ids, 5);
    let seen: Vec<&[u32]> = sequences.iter().map(|s| s.ids.as_slice()).collect();
    assert_eq!(seen, [&[1, 259, 260, 261, 262][..], &[262, 263, 264, 265, 266], &[266, 267, 2]]);
    assert_eq!(sequences.iter().map(|s| s.example.as_str()).collect::<Vec<_>>(), ["d/0", "d/1", "d/2"]);
    assert_eq!(sequences.iter().map(|s| s.n_trained).sum::<usize>(), ids.len() + 1);
    assert_eq!(running::of_ids(&tokenizer, "d", &[], 5)[0].ids, [1, 2]);
}

proptest! {
    #[test]
    fn targets_in_order_are_the_text(text in toy::text(), length in 2_usize..20) {
        let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
        let sequences = running::sequences(&tokenizer, "d", &text, length).unwrap();
        let targets: Vec<u32> = sequences.iter().flat_map(|s| s.ids[1..].iter().copied()).collect();
        let expected = [&tokenizer.encode(&text).unwrap()[..], &[2]].concat();
        prop_assert_eq!(targets, expected);
        for sequence in &sequences {
            prop_assert!(sequence.len() <= length && !sequence.mask[0]);
            prop_assert!(sequence.mask[1..].iter().all(|trained| *trained));
        }
    }

    #[test]
    fn a_shard_written_is_read(texts in prop::collection::vec(prop::collection::vec(3_u32..500, 0..9), 0..5)) {
        let bytes = llama2c::write(texts.iter().map(Vec::as_slice), 1).unwrap();
        prop_assert_eq!(llama2c::read(&bytes, 1, Some(2), 500).unwrap(), texts);
    }
}

#[test]
fn shards_that_cannot_be_are_refused() {
    let read = |bytes: &[u8]| llama2c::read(bytes, 1, Some(2), 300);
    assert_eq!(read(&[1, 0, 5]), Err(Damage::Truncated { part: "an id" }));
    assert_eq!(read(&[]), Ok(Vec::new()));
    assert_eq!(
        read(&[1, 0, 5, 0, 2, 0, 1, 0, 6, 0]),
        Ok(vec![vec![5], vec![6]]),
        "an end of their own is taken off"
    );
    let told = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(told(&[5, 0]), "says the first id is 5, expected 1, which begins a text");
    assert_eq!(told(&[1, 0, 255, 255]), "says an id is 65535, expected less than the vocabulary of 300");
    let wide = llama2c::write([&[70_000][..]], 1).unwrap_err().to_string();
    assert_eq!(wide, "says an id is 70000, expected at most 65535: llama2.c has two bytes for it");
}
