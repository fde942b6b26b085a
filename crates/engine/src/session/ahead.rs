//! Which frozen weights come next: what a device is told ahead of a run.
//!
//! A section is cut into *stretches*: operations of one block in a row, or of none. What a stretch reads
//! is wanted while it runs; what the next one reads may be fetched meanwhile; what neither reads may go.
//! Weights that an operation reads a few rows of are not fetched as a whole.

use crate::op::{Access, Op};
use crate::program::{Program, Role, Section, TensorId};
use std::collections::BTreeSet;

/// The stretches of a program, in the order in which they run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stretches {
    all: Vec<Stretch>,
    turns: Vec<Turn>,
}

/// What changes where a stretch begins.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// The position of its first operation.
    first: usize,
    /// Weights that are wanted soon.
    pub(crate) ahead: Vec<TensorId>,
    /// Weights that are done with.
    pub(crate) away: Vec<TensorId>,
}

/// Operations of one block.
#[derive(Debug, Clone)]
struct Stretch {
    section: Section,
    block: Option<usize>,
    /// The position of its first operation.
    first: usize,
    /// Frozen weights that it reads.
    reads: BTreeSet<TensorId>,
    /// Those of them that it reads whole.
    whole: BTreeSet<TensorId>,
}

impl Stretches {
    /// Cuts a program.
    pub(crate) fn new(program: &Program) -> Self {
        let mut all: Vec<Stretch> = Vec::new();
        for (at, step) in program.steps().iter().enumerate() {
            let reads: Vec<TensorId> = frozen(program, &step.op).collect();
            if reads.is_empty() {
                continue;
            }
            let is_new =
                all.last().is_none_or(|last| (last.section, last.block) != (step.section, step.block));
            if is_new {
                let (section, block) = (step.section, step.block);
                let (reads, whole) = (BTreeSet::new(), BTreeSet::new());
                all.push(Stretch { section, block, first: at, reads, whole });
            }
            if let Some(last) = all.last_mut() {
                last.reads.extend(&reads);
                if !matches!(step.op, Op::Embed(_)) {
                    last.whole.extend(&reads);
                }
            }
        }
        let turns = (0..all.len()).map(|idx| turn(&all, idx)).collect();
        Self { all, turns }
    }

    /// What changes where the operation at this position is about to run.
    pub(crate) fn turn(&self, at: usize) -> Option<&Turn> {
        self.turns.binary_search_by_key(&at, |turn| turn.first).ok().map(|idx| &self.turns[idx])
    }

    /// What the last stretch of a section reads: at its end, that is done with.
    pub(crate) fn last(&self, section: Section) -> Vec<TensorId> {
        let last = self.all.iter().rev().find(|stretch| stretch.section == section);
        last.into_iter().flat_map(|stretch| stretch.reads.iter().copied()).collect()
    }

    /// The most bytes of frozen weights that two stretches in a row read.
    pub(crate) fn working_set(&self, bytes: &dyn Fn(TensorId) -> usize) -> usize {
        let sum = |ids: BTreeSet<TensorId>| ids.into_iter().map(bytes).sum::<usize>();
        let pairs = self.all.iter().zip(self.all.iter().skip(1).map(Some).chain([None]));
        let of_pair = |(here, next): (&Stretch, Option<&Stretch>)| {
            sum(here.reads.iter().chain(next.into_iter().flat_map(|next| &next.reads)).copied().collect())
        };
        pairs.map(of_pair).max().unwrap_or(0)
    }
}

fn turn(all: &[Stretch], idx: usize) -> Turn {
    let here = &all[idx];
    let in_section = |other: &&Stretch| other.section == here.section;
    let next = all.get(idx + 1).filter(in_section);
    let before = idx.checked_sub(1).map(|idx| &all[idx]).filter(in_section);
    let is_wanted =
        |id: &&TensorId| here.reads.contains(id) || next.is_some_and(|next| next.reads.contains(id));
    let ahead = next.into_iter().flat_map(|next| next.whole.difference(&here.reads)).copied().collect();
    let done = before.into_iter().flat_map(|before| &before.reads).filter(|id| !is_wanted(id));
    Turn { first: here.first, ahead, away: done.copied().collect() }
}

fn frozen<'a>(program: &'a Program, op: &Op) -> impl Iterator<Item = TensorId> + use<'a> {
    let accesses = op.accesses().into_iter().filter(|(access, _)| *access == Access::Read);
    accesses.map(|(_, id)| id).filter(|id| program.tensor(*id).role == Role::Weight { trainable: false })
}
