//! Reading through the cache gives what reading without one gives, however it is cut up.

use crate::tiny::{ROOM, assert_close, decoder, ids, log_softmax, uncached, weights};
use expect_test::{Expect, expect};
use penname_engine::backend::cpu::Cpu;
use penname_infer::{Decoder, Feed, Room};

/// Kernels for one row and for many sum in different orders; logits here are about 1 in size, and
/// f32 rounds at 1e-7 of that, some hundred times over.
const TOLERANCE: f32 = 1e-4;

#[test]
fn one_id_at_a_time_equals_the_network_without_cache() {
    let (mut device, weights) = weights();
    let model = weights.base();
    let mut decoder = Decoder::new(&model, ROOM, &mut device).unwrap();
    let mut scorer = model.scorer(64, &mut device).unwrap();
    let tokens = ids(1, 23);
    let expected = uncached(&mut scorer, &mut device, &tokens);
    for (id, expected) in tokens.iter().zip(expected) {
        let logits = decoder.run(&mut device, &[Feed { slot: 1, ids: &[*id] }]).unwrap();
        assert_close(&log_softmax(logits.row(0)), &expected, TOLERANCE);
    }
    assert_eq!(decoder.held(1), tokens);
}

#[test]
fn chunks_equal_all_at_once() {
    let tokens = ids(2, 41);
    let (mut device, mut whole) = decoder(ROOM);
    let expected = whole.logits(&mut device, 0, &tokens).unwrap();
    for chunk in [3, 4, 7, 16, 40] {
        let (mut device, mut decoder) = decoder(Room { chunk, ..ROOM });
        let logits = decoder.logits(&mut device, 2, &tokens).unwrap();
        assert_close(logits.row(0), expected.row(0), TOLERANCE);
    }
}

#[test]
fn a_batch_equals_each_alone() {
    let all: Vec<Vec<u32>> = [1, 17, 30].iter().map(|&n| ids(n, n as usize)).collect();
    let (mut device, mut together) = decoder(ROOM);
    let feeds: Vec<Feed<'_>> = all.iter().enumerate().map(|(slot, ids)| Feed { slot, ids }).collect();
    let logits = together.run(&mut device, &feeds).unwrap();
    for (idx, tokens) in all.iter().enumerate() {
        let (mut device, mut alone) = decoder(ROOM);
        let expected = alone.run(&mut device, &[Feed { slot: 0, ids: tokens }]).unwrap();
        assert_close(logits.row(idx), expected.row(0), TOLERANCE);
    }
}

#[test]
fn a_kept_prefix_equals_reading_everything() {
    let (mut device, mut decoder) = decoder(ROOM);
    let first = ids(3, 30);
    let check = |decoder: &mut Decoder, device: &mut Cpu, tokens: &[u32], n_kept: usize| {
        assert_eq!(decoder.keep(0, tokens), n_kept);
        let kept = decoder.logits(device, 0, tokens).unwrap();
        decoder.keep(1, &[]);
        let fresh = decoder.logits(device, 1, tokens).unwrap();
        assert_close(kept.row(0), fresh.row(0), TOLERANCE);
    };
    check(&mut decoder, &mut device, &first, 0);
    let longer = [first.clone(), ids(4, 9)].concat();
    check(&mut decoder, &mut device, &longer, 30);
    let other = [&first[..12], &[first[12] ^ 1], &first[13..20]].concat();
    check(&mut decoder, &mut device, &other, 12);
    // The last id is read again, for its logits.
    check(&mut decoder, &mut device, &other[..15], 14);
}

#[test]
fn the_same_runs_give_the_same_bits() {
    let run = || {
        let (mut device, mut decoder) = decoder(ROOM);
        decoder.logits(&mut device, 0, &ids(5, 33)).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_refused_run_changes_nothing() {
    let (mut device, mut decoder) = decoder(ROOM);
    decoder.run(&mut device, &[Feed { slot: 0, ids: &[1, 2, 3] }]).unwrap();
    let mut check = |feeds: &[(usize, &[u32])], expected: Expect| {
        let feeds: Vec<Feed<'_>> = feeds.iter().map(|&(slot, ids)| Feed { slot, ids }).collect();
        expected.assert_eq(&decoder.run(&mut device, &feeds).unwrap_err().to_string());
        assert_eq!((decoder.held(0), decoder.held(1)), (&[1, 2, 3][..], &[][..]));
    };
    check(&[], expect!["a run is empty, expected at least one token"]);
    check(&[(0, &[])], expect!["a feed is empty, expected at least one token"]);
    check(&[(3, &[1])], expect!["slot 3 cannot be used here, expected one of the first 3, each once"]);
    check(
        &[(1, &[1]), (1, &[2])],
        expect!["slot 1 cannot be used here, expected one of the first 3, each once"],
    );
    check(&[(1, &[1]), (0, &[61])], expect!["token id 61 is not below 61, the size of the vocabulary"]);
    check(&[(0, &[0; 46])], expect!["slot 0 holds 3 tokens and was fed 46, expected at most 48 together"]);
    check(&[(0, &[0; 40]), (1, &[0; 25])], expect!["65 token rows in one run, the program was built for 64"]);
}

#[test]
fn rooms_without_sense_are_refused() {
    let (mut device, weights) = weights();
    let mut check = |slots, context, chunk, expected: Expect| {
        let room = Room { slots, context, chunk };
        let error = Decoder::new(&weights.base(), room, &mut device).unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    check(0, 8, 8, expect!["room for 0 slots, expected 1 to 536870911"]);
    check(
        u32::MAX as usize,
        8,
        u32::MAX as usize,
        expect!["room for 4294967295 slots, expected 1 to 536870911"],
    );
    check(1, 0, 8, expect!["room for 0 tokens a slot, expected 1 to 64"]);
    check(1, 65, 8, expect!["room for 65 tokens a slot, expected 1 to 64"]);
    check(4, 8, 3, expect!["room for 3 rows a run, expected at least 4"]);
}
