//! Choosing ids: against distributions computed by hand, and laws that hold for all logits.

use expect_test::{Expect, expect};
use penname_infer::Sampler;
use penname_infer::sample::{ALL, Draws};
use proptest::prelude::*;

const N_DRAWS: usize = 50_000;

/// Probabilities of ids after no ids.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit.exp() / sum).collect()
}

/// Draws many ids and compares how often each came with how often it should.
///
/// The threshold is far out in the tail: with 5 degrees of freedom chi-square exceeds 30 once in
/// 70 000 times, and the seed is fixed.
#[track_caller]
fn check_frequencies(sampler: &Sampler, logits: &[f32], ids: &[u32], expected: &[f64]) {
    let mut draws = Draws::new(11, 0);
    let mut counts = vec![0usize; logits.len()];
    for _ in 0..N_DRAWS {
        counts[sampler.choose(logits, ids, &mut draws).unwrap().id as usize] += 1;
    }
    let mut chi_square = 0.0;
    for (id, (&count, &probability)) in counts.iter().zip(expected).enumerate() {
        let wanted = probability * N_DRAWS as f64;
        if probability == 0.0 {
            assert_eq!(count, 0, "id {id} cannot be drawn");
        } else {
            chi_square += (count as f64 - wanted).powi(2) / wanted;
        }
    }
    assert!(chi_square < 30.0, "chi-square {chi_square} of {counts:?} against {expected:?}");
}

#[test]
fn ids_are_drawn_as_often_as_they_should() {
    let p = [0.40, 0.05, 0.25, 0.10, 0.15, 0.05];
    let logits: Vec<f32> = p.iter().map(|p: &f64| p.ln() as f32 + 1.0).collect();
    let check = |sampler: Sampler, ids: &[u32], weights: [f64; 6]| {
        let sum: f64 = weights.iter().sum();
        check_frequencies(&sampler, &logits, ids, &weights.map(|weight| weight / sum));
    };
    let default = Sampler::default;
    check(default(), &[], p);
    check(Sampler { temperature: 0.5, ..default() }, &[], p.map(|p| p * p));
    check(Sampler { temperature: 2.0, ..default() }, &[], p.map(f64::sqrt));
    check(Sampler { top_k: 3, ..default() }, &[], [0.40, 0.0, 0.25, 0.0, 0.15, 0.0]);
    // The lower of two ids that are equally likely.
    check(Sampler { top_k: 5, ..default() }, &[], [0.40, 0.05, 0.25, 0.10, 0.15, 0.0]);
    check(Sampler { top_p: 0.7, ..default() }, &[], [0.40, 0.0, 0.25, 0.0, 0.15, 0.0]);
    check(Sampler { top_p: 0.6, ..default() }, &[], [0.40, 0.0, 0.25, 0.0, 0.0, 0.0]);
    check(Sampler { min_p: 0.3, ..default() }, &[], [0.40, 0.0, 0.25, 0.0, 0.15, 0.0]);
    // top_k goes first: 0.40 of what it leaves is one half.
    check(Sampler { top_k: 3, top_p: 0.45, ..default() }, &[], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // Temperature goes last: the cuts see the probabilities of the model.
    check(
        Sampler { top_p: 0.7, temperature: 2.0, ..default() },
        &[],
        [0.40f64.sqrt(), 0.0, 0.25f64.sqrt(), 0.0, 0.15f64.sqrt(), 0.0],
    );
}

#[test]
fn recent_ids_become_less_likely() {
    let logits = [2.0, -1.0, 0.5, 0.0];
    let check = |repeat_penalty, repeat_last_n, ids: &[u32], expected: [f64; 4]| {
        let sampler = Sampler { repeat_penalty, repeat_last_n, ..Sampler::default() };
        check_frequencies(&sampler, &logits, ids, &softmax(&expected));
    };
    check(2.0, 64, &[0, 1, 1, 1, 3], [1.0, -2.0, 0.5, 0.0]);
    check(2.0, 2, &[0, 1, 2, 2], [2.0, -1.0, 0.25, 0.0]);
    check(2.0, 0, &[0, 1, 2, 3], [2.0, -1.0, 0.5, 0.0]);
    check(1.0, 64, &[0, 1, 2, 3], [2.0, -1.0, 0.5, 0.0]);
}

#[test]
fn log_probs_are_those_of_the_model_whatever_the_settings() {
    let logits = [2.0, -1.0, 0.5, 0.0];
    let expected = softmax(&logits.map(f64::from));
    let sampler = Sampler { temperature: 5.0, repeat_penalty: 3.0, min_p: 0.01, ..Sampler::default() };
    let mut draws = Draws::new(1, 1);
    for _ in 0..50 {
        let chosen = sampler.choose(&logits, &[0, 2], &mut draws).unwrap();
        assert!((f64::from(chosen.log_prob) - expected[chosen.id as usize].ln()).abs() < 1e-6);
    }
}

#[test]
fn greedy_takes_the_lowest_of_the_likeliest() {
    let check = |logits: &[f32], expected: u32| {
        let chosen = Sampler::greedy().choose(logits, &[], &mut Draws::new(0, 0)).unwrap();
        assert_eq!(chosen.id, expected, "{logits:?}");
    };
    check(&[1.0, 3.0, 3.0, 2.0], 1);
    check(&[0.0, -0.0, 0.0], 0);
    check(&[-0.0, 0.0], 0);
    check(&[-5.0], 0);
    check(&[f32::MIN, f32::MAX, f32::MAX], 1);
}

/// The numbers of every request that was ever made depend on these.
#[test]
fn the_random_numbers_stay_the_same() {
    let units = |seed, choice| {
        let mut draws = Draws::new(seed, choice);
        [draws.next_unit(), draws.next_unit()].map(|unit| format!("{unit:.17}")).join(" ")
    };
    expect!["0.88925129689824989 0.02709921223014478"].assert_eq(&units(0, 0));
    expect!["0.00488164235784494 0.50964726417511652"].assert_eq(&units(42, 7));
}

#[test]
fn settings_outside_their_range_are_refused() {
    let check = |sampler: Sampler, expected: Expect| {
        expected.assert_eq(&sampler.check().unwrap_err().to_string());
    };
    let default = Sampler::default;
    check(
        Sampler { temperature: -0.1, ..default() },
        expect!["`temperature` is -0.1, expected a number from 0 to 100"],
    );
    check(
        Sampler { temperature: f32::NAN, ..default() },
        expect!["`temperature` is NaN, expected a number from 0 to 100"],
    );
    check(Sampler { top_p: 0.0, ..default() }, expect!["`top_p` is 0, expected a number above 0, at most 1"]);
    check(Sampler { min_p: 1.5, ..default() }, expect!["`min_p` is 1.5, expected a number from 0 to 1"]);
    check(
        Sampler { repeat_penalty: f32::INFINITY, ..default() },
        expect!["`repeat_penalty` is inf, expected a number from 0.1 to 10"],
    );
}

#[test]
fn unknown_settings_are_refused_and_missing_ones_change_nothing() {
    let read = |text: &str| serde_json::from_str::<Sampler>(text);
    assert_eq!(read("{}").unwrap(), Sampler::default());
    assert_eq!(read(r#"{"temperature": 0}"#).unwrap(), Sampler::greedy());
    let error = read(r#"{"temprature": 0}"#).unwrap_err().to_string();
    expect!["unknown field `temprature`, expected one of `temperature`, `top_k`, `top_p`, `min_p`, `repeat_penalty`, `repeat_last_n`, `seed` at line 1 column 13"].assert_eq(&error);
}

#[test]
fn logits_that_are_not_numbers_are_refused() {
    let check = |logits: &[f32], expected: Expect| {
        let found = Sampler::greedy().choose(logits, &[], &mut Draws::new(0, 0));
        expected.assert_eq(&found.unwrap_err().to_string());
    };
    check(&[1.0, f32::NAN, 2.0], expect!["the logit of token 1 is NaN, expected a finite number"]);
    check(&[f32::INFINITY], expect!["the logit of token 0 is inf, expected a finite number"]);
    check(&[0.0, f32::NEG_INFINITY], expect!["the logit of token 1 is -inf, expected a finite number"]);
    check(&[], expect!["the vocabulary is empty, expected at least one token"]);
}

/// The order of the steps, with what each does: the reference page is made from this.
#[test]
fn the_steps_and_their_order() {
    let line = |step: &penname_infer::sample::Step| {
        format!("{} ({}; {} is off): {}\n", step.name, step.range, step.off, step.summary)
    };
    expect![[r#"
        repeat_penalty (a number from 0.1 to 10; 1 is off): makes the ids among the last `repeat_last_n` less likely
        top_k (a whole number, 0 for all; 0 is off): keeps this many of the likeliest ids
        top_p (a number above 0, at most 1; 1 is off): keeps the fewest likeliest ids that have this probability together
        min_p (a number from 0 to 1; 0 is off): keeps ids at least this many times as likely as the likeliest
        temperature (a number from 0 to 100; 1 is off): divides logits; 0 takes the likeliest id
    "#]].assert_eq(&ALL.iter().map(line).collect::<String>());
}

fn any_logits() -> impl Strategy<Value = Vec<f32>> {
    // Few distinct values among them, so that there are ties.
    prop::collection::vec(prop_oneof![-30.0f32..30.0, (-3i8..3).prop_map(f32::from), Just(f32::MAX)], 1..300)
}

fn any_sampler() -> impl Strategy<Value = Sampler> {
    let temperature = prop_oneof![Just(0.0f32), Just(f32::MIN_POSITIVE), 0.0f32..100.0];
    let top_p = prop_oneof![Just(f32::MIN_POSITIVE), 0.001f32..1.0, Just(1.0)];
    (temperature, 0usize..400, top_p, 0.0f32..=1.0, 0.1f32..=10.0, 0usize..20, any::<u64>()).prop_map(
        |(temperature, top_k, top_p, min_p, repeat_penalty, repeat_last_n, seed)| Sampler {
            temperature,
            top_k,
            top_p,
            min_p,
            repeat_penalty,
            repeat_last_n,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn something_is_always_left(logits in any_logits(), sampler in any_sampler(), ids in prop::collection::vec(0u32..300, 0..30)) {
        let candidates = sampler.candidates(&logits, &ids).unwrap();
        prop_assert!(!candidates.list().is_empty());
        let chosen = sampler.choose(&logits, &ids, &mut Draws::new(sampler.seed, 0)).unwrap();
        prop_assert!(candidates.list().iter().any(|candidate| candidate.id == chosen.id));
        prop_assert!(chosen.log_prob <= 0.0 && !chosen.log_prob.is_nan());
    }

    #[test]
    fn settings_that_are_off_change_nothing(logits in any_logits(), seed: u64) {
        let plain = Sampler { seed, ..Sampler::default() };
        let expected = plain.choose(&logits, &[0, 1], &mut Draws::new(seed, 0)).unwrap();
        for sampler in [
            Sampler { top_k: logits.len(), ..plain.clone() },
            Sampler { top_k: logits.len() + 1, ..plain.clone() },
            Sampler { repeat_last_n: 0, repeat_penalty: 3.0, ..plain.clone() },
        ] {
            prop_assert_eq!(sampler.choose(&logits, &[0, 1], &mut Draws::new(seed, 0)).unwrap(), expected);
        }
    }

    #[test]
    fn one_is_left_by_the_narrowest_settings(logits in any_logits()) {
        let greedy = Sampler::greedy().candidates(&logits, &[]).unwrap();
        let top_k = Sampler { top_k: 1, ..Sampler::default() }.candidates(&logits, &[]).unwrap();
        let top_p = Sampler { top_p: f32::MIN_POSITIVE, ..Sampler::default() }.candidates(&logits, &[]).unwrap();
        prop_assert_eq!(greedy.list(), top_k.list());
        prop_assert_eq!(greedy.list(), top_p.list());
    }

    #[test]
    fn top_p_keeps_as_little_as_reaches_it(logits in any_logits(), top_p in 0.01f32..1.0) {
        let sampler = Sampler { top_p, ..Sampler::default() };
        let mut left: Vec<u32> = sampler.candidates(&logits, &[]).unwrap().list().iter().map(|c| c.id).collect();
        left.sort_unstable();
        // The plain way: sort everything, add up until there is enough.
        let top = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
        let p = softmax(&logits.iter().map(|&logit| f64::from(logit) - top).collect::<Vec<_>>());
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap().then(a.cmp(&b)));
        let mass_of = |n: usize| order[..n].iter().map(|&id| p[id]).sum::<f64>();
        let n = left.len();
        // Sums in another order differ in the last bits.
        prop_assert!(mass_of(n) >= f64::from(top_p) - 1e-9);
        prop_assert!(n == 1 || mass_of(n - 1) <= f64::from(top_p) + 1e-9);
        let mut expected: Vec<u32> = order[..n].iter().map(|&id| id as u32).collect();
        expected.sort_unstable();
        prop_assert_eq!(left, expected);
    }
}
