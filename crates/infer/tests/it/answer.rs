//! Whole answers: in any company, to any end.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::tiny::{ROOM, assert_close, decoder, ids, weights};
use expect_test::{Expect, expect};
use penname_infer::{Batch, Completion, Control, Decoder, Finish, Prompt, Room, Sampler, Stop, generate};
use penname_model::Packed;

/// See the tolerance of the cache tests.
const TOLERANCE: f32 = 1e-4;

fn prompt(seed: u64, n: usize, sampler: Sampler) -> Prompt {
    Prompt { ids: ids(seed, n), sampler, choice: seed, max_new: 9 }
}

fn prompts() -> Vec<Prompt> {
    let sampled = || Sampler { temperature: 0.9, top_k: 20, top_p: 0.95, seed: 3, ..Sampler::default() };
    let one = |seed: u64| {
        let sampler = if seed.is_multiple_of(2) { Sampler::greedy() } else { sampled() };
        prompt(seed, 1 + (seed as usize * 7) % 33, sampler)
    };
    (1..9).map(one).collect()
}

/// Answers in a room, with what the receiver saw.
fn answers(room: Room, prompts: &[Prompt]) -> (Vec<Completion>, Vec<Vec<u32>>) {
    let (mut device, mut decoder) = decoder(room);
    let mut seen = vec![Vec::new(); prompts.len()];
    let completions = generate(&mut decoder, &mut device, prompts, &Stop::default(), &mut |idx, id| {
        seen[idx].push(id);
        Control::Continue
    });
    (completions.unwrap(), seen)
}

#[test]
fn an_answer_does_not_depend_on_its_company() {
    let prompts = prompts();
    let (alone, seen) = answers(Room { slots: 1, ..ROOM }, &prompts);
    assert_eq!(seen, alone.iter().map(|c| c.ids.clone()).collect::<Vec<_>>());
    assert!(alone.iter().all(|c| c.ids.len() == 9 && c.finish == Finish::Length));
    for (slots, chunk) in [(3, 64), (3, 3), (2, 11), (8, 8)] {
        let (together, seen) = answers(Room { slots, chunk, ..ROOM }, &prompts);
        assert_eq!(seen, together.iter().map(|c| c.ids.clone()).collect::<Vec<_>>());
        for (found, expected) in together.iter().zip(&alone) {
            assert_eq!(found.ids, expected.ids, "{slots} slots, runs of {chunk}");
            assert_close(&found.log_probs, &expected.log_probs, TOLERANCE);
        }
    }
}

#[test]
fn greedy_answers_repeat_to_the_bit() {
    let prompts = [prompt(4, 10, Sampler::greedy())];
    let (first, _) = answers(ROOM, &prompts);
    assert_eq!(first, answers(ROOM, &prompts).0);
    let other_seed = Sampler { seed: 99, ..Sampler::greedy() };
    assert_eq!(first, answers(ROOM, &[prompt(4, 10, other_seed)]).0);
}

#[test]
fn seeds_and_choices_lead_to_other_answers() {
    let with = |seed, choice| {
        let sampler = Sampler { seed, ..Sampler::default() };
        answers(ROOM, &[Prompt { choice, ..prompt(5, 6, sampler) }]).0.remove(0).ids
    };
    assert_eq!(with(1, 0), with(1, 0));
    assert_ne!(with(1, 0), with(2, 0));
    assert_ne!(with(1, 0), with(1, 1));
}

#[test]
fn log_probs_are_those_the_scorer_finds() {
    let (mut device, weights) = weights();
    let model = weights.base();
    let mut decoder = Decoder::new(&model, ROOM, &mut device).unwrap();
    let mut scorer = model.scorer(64, &mut device).unwrap();
    let sampler = Sampler { temperature: 2.0, repeat_penalty: 1.5, top_k: 5, ..Sampler::default() };
    let prompt = prompt(6, 8, sampler);
    let stop = Stop::default();
    let all = generate(&mut decoder, &mut device, std::slice::from_ref(&prompt), &stop, &mut |_, _| {
        Control::Continue
    });
    let answer = &all.unwrap()[0];

    let tokens = [prompt.ids.as_slice(), &answer.ids].concat();
    let targets: Vec<u32> = tokens[1..].iter().copied().chain([u32::MAX]).collect();
    let positions: Vec<u32> = (0..tokens.len() as u32).collect();
    let starts = vec![0; tokens.len()];
    let packed =
        Packed { tokens: &tokens, positions: &positions, starts: &starts, shared: 0, targets: &targets };
    let losses = scorer.losses(&mut device, packed).unwrap();
    let expected: Vec<f32> = losses[7..16].iter().map(|loss| -loss).collect();
    assert_close(&answer.log_probs, &expected, TOLERANCE);
}

#[test]
fn an_answer_ends_for_the_reason_it_says() {
    let (free, _) = answers(ROOM, &[prompt(7, 5, Sampler::greedy())]);
    let free = &free[0];
    let third = free.ids[2];
    let n_before = free.ids.iter().position(|id| *id == third).unwrap();
    let check = |prompt: Prompt, end_ids: &[u32], control: Control, expected: (usize, &str)| {
        let (mut device, mut decoder) = decoder(ROOM);
        let stop = Stop { end_ids, cancelled: None };
        let mut on_id = |_, id| if id == third { control } else { Control::Continue };
        let found = generate(&mut decoder, &mut device, &[prompt], &stop, &mut on_id).unwrap().remove(0);
        assert_eq!((found.ids.len(), found.finish.name()), expected);
        assert_eq!(found.log_probs.len(), found.ids.len());
        found
    };
    let greedy = || prompt(7, 5, Sampler::greedy());
    check(greedy(), &[], Control::Continue, (9, "length"));
    check(greedy(), &[], Control::Stop, (n_before + 1, "stop"));
    check(greedy(), &[], Control::Cancel, (n_before + 1, "cancelled"));
    let ended = check(greedy(), &[60, third], Control::Continue, (n_before, "end"));
    assert_eq!(ended.finish, Finish::End { id: third, log_prob: free.log_probs[n_before] });
    check(Prompt { max_new: 0, ..greedy() }, &[], Control::Continue, (0, "length"));
    // 48 tokens fit; the last id written need not be read.
    let long = |n| Prompt { max_new: 100, ..prompt(7, n, Sampler::greedy()) };
    let all = |n, expected| check(long(n), &[], Control::Continue, (expected, "length"));
    all(40, 9);
    all(47, 2);
    all(48, 1);
    all(49, 0);
    all(500, 0);
}

#[test]
fn one_receiver_leaving_does_not_disturb_the_others() {
    let prompts: Vec<Prompt> = (1..4).map(|seed| prompt(seed, 6, Sampler::greedy())).collect();
    let (expected, _) = answers(ROOM, &prompts);
    let (mut device, mut decoder) = decoder(ROOM);
    let mut on_id = |idx, _| if idx == 1 { Control::Cancel } else { Control::Continue };
    let found = generate(&mut decoder, &mut device, &prompts, &Stop::default(), &mut on_id).unwrap();
    assert_eq!((found[1].ids.len(), found[1].finish), (1, Finish::Cancelled));
    for idx in [0, 2] {
        assert_eq!((&found[idx].ids, found[idx].finish), (&expected[idx].ids, Finish::Length));
    }
}

#[test]
fn a_flag_cancels_everything_before_the_next_run() {
    let (mut device, mut decoder) = decoder(Room { slots: 2, ..ROOM });
    let flag = AtomicBool::new(false);
    let stop = Stop { end_ids: &[], cancelled: Some(&flag) };
    let prompts: Vec<Prompt> = (1..6).map(|seed| prompt(seed, 4, Sampler::greedy())).collect();
    let mut n_seen = 0;
    let mut on_id = |_, _| {
        n_seen += 1;
        flag.store(n_seen == 6, Ordering::Relaxed);
        Control::Continue
    };
    let found = generate(&mut decoder, &mut device, &prompts, &stop, &mut on_id).unwrap();
    assert_eq!(n_seen, 6);
    assert!(found.iter().all(|completion| completion.finish == Finish::Cancelled));
    assert_eq!(found.iter().map(|completion| completion.ids.len()).collect::<Vec<_>>(), [3, 3, 0, 0, 0]);
}

#[test]
fn a_chat_that_goes_on_reads_only_what_is_new() {
    let (mut device, mut decoder) = decoder(ROOM);
    let go_on = &mut |_, _| Control::Continue;
    let first = [prompt(1, 10, Sampler::greedy())];
    let answer = generate(&mut decoder, &mut device, &first, &Stop::default(), go_on).unwrap().remove(0);
    // Another conversation goes elsewhere.
    generate(&mut decoder, &mut device, &[prompt(2, 10, Sampler::greedy())], &Stop::default(), go_on)
        .unwrap();
    let next = [first[0].ids.as_slice(), &answer.ids, &ids(9, 5)].concat();
    let mut batch = Batch::default();
    let prompt = Prompt { ids: next.clone(), ..first[0].clone() };
    batch.admit(&mut decoder, 0, &prompt).unwrap();
    // All but the last id of the answer, which was never read.
    let n_held = (0..3).map(|slot| decoder.held(slot).len()).collect::<Vec<_>>();
    assert!(n_held.contains(&18), "{n_held:?}");
    let found = loop {
        if let Some((_, found)) =
            batch.step(&mut decoder, &mut device, &Stop::default(), go_on).unwrap().pop()
        {
            break found;
        }
    };
    assert_eq!(found.ids, answers(ROOM, &[prompt]).0[0].ids);
}

#[test]
fn prompts_without_sense_are_refused() {
    let (mut device, mut decoder) = decoder(ROOM);
    let mut check = |ids: &[u32], sampler: Sampler, expected: Expect| {
        let prompts = [Prompt { ids: ids.to_vec(), sampler, choice: 0, max_new: 1 }];
        let found =
            generate(&mut decoder, &mut device, &prompts, &Stop::default(), &mut |_, _| Control::Continue);
        expected.assert_eq(&found.unwrap_err().to_string());
    };
    check(&[], Sampler::greedy(), expect!["a prompt is empty, expected at least one token"]);
    check(&[1, 70], Sampler::greedy(), expect!["token id 70 is not below 61, the size of the vocabulary"]);
    let hot = Sampler { temperature: -1.0, ..Sampler::default() };
    check(&[1], hot, expect!["`temperature` is -1, expected a number from 0 to 100"]);
    let none = generate(&mut decoder, &mut device, &[], &Stop::default(), &mut |_, _| Control::Continue);
    assert_eq!(none.unwrap(), []);

    let mut batch = Batch::default();
    for tag in 0..3 {
        batch.admit(&mut decoder, tag, &prompt(1, 2, Sampler::greedy())).unwrap();
    }
    let full = batch.admit(&mut decoder, 3, &prompt(1, 2, Sampler::greedy())).unwrap_err();
    expect!["all 3 slots are taken"].assert_eq(&full.to_string());
}
