//! What every example can be found and ordered by, known once when a review begins.

use std::collections::BTreeMap;

use super::{Item, Review, Standing, Verdict, risk};
use crate::document::{Fate, Kind};

/// What is known of one example without reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Where its document comes from.
    pub source: String,
    /// What sort of thing its document is.
    pub kind: Kind,
    /// Whether it is kept apart for measuring.
    pub is_held_out: bool,
    /// Characters that are learned.
    pub chars: usize,
    /// Remarks of readers and rules, and signs of risk: whatever it can be found by.
    pub marks: Vec<String>,
    /// Signs of risk, added up.
    pub risk: u32,
}

impl Sheet {
    fn of(item: &Item<'_>) -> Self {
        let signs = risk::signs(item.document, &item.example);
        let names = signs.iter().map(|sign| sign.name.to_owned());
        Self {
            source: item.document.source.clone(),
            kind: item.document.kind,
            is_held_out: item.document.fate == Fate::HeldOut,
            chars: item.example.trained_chars(),
            marks: item.document.flags.iter().cloned().chain(names).collect(),
            risk: signs.iter().map(|sign| sign.weight).sum(),
        }
    }
}

/// Every example of a corpus, with what is known of it.
#[derive(Debug)]
pub struct Catalogue<'a> {
    items: Vec<Item<'a>>,
    sheets: Vec<Sheet>,
    by_id: BTreeMap<String, usize>,
}

/// How many examples there are of each sort that can be asked for.
#[derive(Debug, Default, serde::Serialize)]
pub struct Facets {
    /// By source.
    pub sources: BTreeMap<String, usize>,
    /// By the kind of the document.
    pub kinds: BTreeMap<String, usize>,
    /// By what is to be done with them.
    pub splits: BTreeMap<String, usize>,
    /// By mark.
    pub marks: BTreeMap<String, usize>,
}

/// The name of a kind.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Dialogue => "dialogue",
        Kind::Post => "post",
        Kind::Text => "text",
    }
}

/// The name of what an example is for.
pub(super) fn split(is_held_out: bool) -> &'static str {
    if is_held_out { "held out" } else { "train" }
}

impl<'a> Catalogue<'a> {
    /// Looks at every item once.
    pub fn new(items: Vec<Item<'a>>) -> Self {
        let sheets = items.iter().map(Sheet::of).collect();
        let by_id = items.iter().enumerate().map(|(n, item)| (item.example.id.clone(), n)).collect();
        Self { items, sheets, by_id }
    }

    /// The examples, in order of the corpus.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// What is known of each, in the same order.
    pub fn sheets(&self) -> &[Sheet] {
        &self.sheets
    }

    /// Which example has this hash.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Where the example `n` stands for a reviewer.
    pub fn standing<'r>(&self, n: usize, review: &'r Review, reviewer: Option<&str>) -> Standing<'r> {
        self.items
            .get(n)
            .map_or(Standing::Open, |item| review.standing_for(&item.example, item.place, reviewer))
    }

    /// How many there are of each sort.
    pub fn facets(&self) -> Facets {
        let mut facets = Facets::default();
        for sheet in &self.sheets {
            *facets.sources.entry(sheet.source.clone()).or_default() += 1;
            *facets.kinds.entry(kind(sheet.kind).to_owned()).or_default() += 1;
            *facets.splits.entry(split(sheet.is_held_out).to_owned()).or_default() += 1;
            for mark in &sheet.marks {
                *facets.marks.entry(mark.clone()).or_default() += 1;
            }
        }
        facets
    }
}

/// The word for where an example stands.
pub fn state(standing: Standing<'_>) -> &'static str {
    match standing {
        Standing::Open => "open",
        Standing::Stale(_) => "stale",
        Standing::Decided(decision) => match decision.verdict {
            Verdict::Keep => "kept",
            Verdict::Drop => "dropped",
            Verdict::Edit { .. } => "edited",
            Verdict::Undo => "open",
        },
    }
}
