//! Running text in sequences, and llama2.c's shards of it.

use std::collections::BTreeSet;

use penname_ledger::Seed;
use penname_token::shard::Damage;
use penname_token::shard::llama2c;
use penname_token::{Sequence, Tokenizer, running};
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
    fn texts_cut_elsewhere_are_the_same_texts(
        texts in prop::collection::vec(prop::collection::vec(259_u32..268, 0..40), 1..4),
        length in 2_usize..12,
        seed: u64,
    ) {
        let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
        let of = |(idx, ids): (usize, &Vec<u32>)| running::of_ids(&tokenizer, &idx.to_string(), ids, length);
        let sequences: Vec<Sequence> = texts.iter().enumerate().flat_map(of).collect();
        let moved = running::moved(&sequences, &mut Seed(seed).stream("cuts"));
        let names = |list: &[Sequence]| list.iter().map(|s| s.example.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&moved), names(&sequences));
        let targets = |list: &[Sequence]| list.iter().flat_map(|s| s.ids[1..].to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(targets(&moved), targets(&sequences));
        for sequence in &moved {
            prop_assert!((2..=length).contains(&sequence.len()) && sequence.n_trained + 1 == sequence.len());
        }
        for pair in moved.windows(2).filter(|pair| pair[0].document == pair[1].document) {
            prop_assert_eq!(pair[0].ids.last(), pair[1].ids.first());
        }
    }

    #[test]
    fn a_shard_written_is_read(texts in prop::collection::vec(prop::collection::vec(3_u32..500, 0..9), 0..5)) {
        let bytes = llama2c::write(texts.iter().map(Vec::as_slice), 1).unwrap();
        prop_assert_eq!(llama2c::read(&bytes, 1, Some(2), 500).unwrap(), texts);
    }
}

/// Every place that there is room for is chosen sometimes; what is full, or whole, stays.
#[test]
fn cuts_move_as_far_as_there_is_room() {
    let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
    let firsts = |n_ids: u32| -> BTreeSet<usize> {
        let ids: Vec<u32> = (0..n_ids).map(|at| 259 + at % 9).collect();
        let sequences = running::of_ids(&tokenizer, "d", &ids, 5);
        let cut = |seed| running::moved(&sequences, &mut Seed(seed).stream("cuts"))[0].len();
        (0..50).map(cut).collect()
    };
    // Around the ids stand a beginning and an end; four targets fit into a sequence.
    assert_eq!(firsts(8), BTreeSet::from([2, 3, 4, 5]));
    assert_eq!(firsts(9), BTreeSet::from([3, 4, 5]));
    assert_eq!(firsts(11), BTreeSet::from([5]), "the last sequence is full");
    assert_eq!(firsts(2), BTreeSet::from([4]), "one sequence");
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
