//! Losses: causal, packed like separate, and without a gradient anywhere.

use crate::tiny::{VOCABULARY, assert_close, ids, weights};
use expect_test::{Expect, expect};
use penname_engine::Role;
use penname_engine::backend::cpu::Cpu;
use penname_model::{Packed, Scorer};

/// Rows as they are laid side by side.
#[derive(Default)]
struct Rows {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Rows {
    /// Adds a document in which every token but the first is a target.
    fn push(&mut self, document: &[u32]) {
        let start = self.tokens.len() as u32;
        self.tokens.extend(document);
        self.positions.extend(0..document.len() as u32);
        self.starts.extend(document.iter().map(|_| start));
        self.targets.extend(document[1..].iter().copied().chain([u32::MAX]));
    }

    fn packed(&self) -> Packed<'_> {
        let Self { tokens, positions, starts, targets } = self;
        Packed { tokens, positions, starts, shared: 0, targets }
    }
}

fn scorer(budget: usize) -> (Cpu, Scorer) {
    let (mut device, weights) = weights();
    let scorer = weights.base().scorer(budget, &mut device).unwrap();
    (device, scorer)
}

fn losses(documents: &[&[u32]]) -> Vec<f32> {
    let (mut device, mut scorer) = scorer(96);
    let mut rows = Rows::default();
    documents.iter().for_each(|document| rows.push(document));
    scorer.losses(&mut device, rows.packed()).unwrap()
}

#[test]
fn what_comes_later_does_not_change_what_came_before() {
    let document = ids(1, 30);
    let before = losses(&[&document]);
    assert!(before[..29].iter().all(|loss| *loss > 0.0) && before[29] == 0.0);
    for changed in [1, 8, 16, 29] {
        let mut other = document.clone();
        other[changed] = (other[changed] + 1) % VOCABULARY as u32;
        let after = losses(&[&other]);
        // Row `changed - 1` predicts the token that changed.
        assert_eq!(after[..changed - 1], before[..changed - 1], "token {changed}");
        assert_ne!(after[changed - 1], before[changed - 1], "token {changed}");
        if changed < 29 {
            assert_ne!(after[changed..29], before[changed..29], "token {changed}");
        }
    }
}

#[test]
fn documents_side_by_side_are_scored_like_each_alone() {
    let (a, b, c) = (ids(1, 30), ids(2, 1), ids(3, 17));
    let together = losses(&[&a, &b, &c]);
    let alone = [losses(&[&a]), losses(&[&b]), losses(&[&c])].concat();
    // The same kernels, but tiles are cut elsewhere.
    assert_close(&together, &alone, 1e-5);
}

#[test]
fn targets_can_be_left_out() {
    let document = ids(4, 12);
    let all = losses(&[&document]);
    let (mut device, mut scorer) = scorer(16);
    let mut rows = Rows::default();
    rows.push(&document);
    rows.targets[3] = u32::MAX;
    rows.targets[7] = u32::MAX;
    let some = scorer.losses(&mut device, rows.packed()).unwrap();
    assert_eq!((some[3], some[7]), (0.0, 0.0));
    assert_close(&some[4..7], &all[4..7], 1e-5);
}

#[test]
fn no_gradient_is_built() {
    let (_, scorer) = scorer(16);
    let program = scorer.session().program();
    assert!(program.tensors().iter().all(|tensor| tensor.role != Role::Gradient));
    assert!(program.trainable().is_empty());
    assert_eq!(scorer.session().plan().memory.gradients, 0);
}

#[test]
fn rows_without_sense_are_refused() {
    let (mut device, mut scorer) = scorer(16);
    let mut check = |change: fn(&mut Rows), expected: Expect| {
        let mut rows = Rows::default();
        rows.push(&[1, 2, 3]);
        rows.push(&[4, 5]);
        change(&mut rows);
        expected.assert_eq(&scorer.losses(&mut device, rows.packed()).unwrap_err().to_string());
    };
    check(|rows| rows.push(&[0; 12]), expect!["17 token rows in one run, the program was built for 16"]);
    check(|rows| rows.targets.truncate(4), expect!["4 targets for 5 tokens"]);
    check(|rows| rows.positions.push(0), expect!["6 positions for 5 tokens"]);
    check(|rows| rows.tokens[1] = 61, expect!["token id 61 is not below 61, the size of the vocabulary"]);
    check(|rows| rows.targets[1] = 99, expect!["token id 99 is not below 61, the size of the vocabulary"]);
    check(|rows| rows.starts[0] = 1, expect!["start of row 0 is 1, expected 0"]);
    check(|rows| rows.starts[2] = 1, expect!["start of row 2 is 1, expected 0 or 2"]);
    check(|rows| rows.starts[3] = 9, expect!["start of row 3 is 9, expected 0 or 3"]);
    let nothing = Rows::default();
    assert_eq!(scorer.losses(&mut device, nothing.packed()).unwrap(), Vec::<f32>::new());
}
