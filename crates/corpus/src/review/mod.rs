//! What a person decided about examples: kept, dropped, changed.
//!
//! ```text
//! review/decisions.jsonl      one line a decision, only ever added
//!
//! {"example": "8f09…", "document": "7009…", "place": 2, "verdict": "drop", "flags": ["personal data"], …}
//! ```
//!
//! A decision names the example by the hash of its words, and beside that by its place: the document and
//! which of its examples it was. When cleaning or cutting changes afterwards, the words at that place
//! are others. The decision is then *stale*: it is shown, and it is not applied, because nobody has seen
//! what it would be applied to.
//!
//! The last decision about an example counts. Undoing adds a line, too: what was decided and taken back
//! stays on record.

mod desk;
#[cfg(test)]
mod tests;

pub use desk::Desk;

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::Hash;
use penname_ledger::clock::Timestamp;
use penname_ledger::journal;
use penname_token::{Example, Message};
use serde::{Deserialize, Serialize};

use crate::compose::{Made, compose};
use crate::document::{Document, Fate};
use crate::{Error, Settings};

/// The name of the file in the folder of a review.
pub const FILE: &str = "decisions.jsonl";

/// Under what the account has the characters of examples that were dropped, and of changes.
const DROPPED: &str = "left out in review";
const CHANGED: &str = "changed in review";

/// What to look for in an example, and what is wrong where it is ticked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// Its name in decisions.
    pub name: &'static str,
    /// The question it answers with no.
    pub asks: &'static str,
}

/// Every flag.
pub const FLAGS: &[Flag] = &[
    Flag { name: "off topic", asks: "is it what this voice is to write about?" },
    Flag { name: "poor", asks: "is it well enough written to be copied?" },
    Flag { name: "personal data", asks: "does it spare people who never agreed to be in it?" },
    Flag { name: "not genuine", asks: "was it meant for people, not for an algorithm or a sale?" },
    Flag { name: "toxic", asks: "would you want it said in your name?" },
];

/// What becomes of an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is learned as it is.
    Keep,
    /// It is not learned.
    Drop,
    /// It is learned with other words.
    Edit {
        /// All of its turns, changed.
        messages: Vec<Message>,
    },
    /// What was decided about it last no longer counts.
    Undo,
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The example's hash when it was looked at.
    pub example: String,
    /// Its document.
    pub document: String,
    /// Which of the document's examples it was, from zero.
    pub place: usize,
    /// What becomes of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was wrong with it, by the names of [`FLAGS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Who decided, where several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// When, in universal time.
    pub at: Timestamp,
}

/// Where an example stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nobody has decided.
    Open,
    /// This counts.
    Decided(&'a Decision),
    /// This was decided about other words at the same place.
    Stale(&'a Decision),
}

/// The decisions that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// By example, in the order of their lines.
    decisions: BTreeMap<String, Vec<Decision>>,
    /// The example last decided about at each place.
    places: BTreeMap<(String, usize), String>,
    /// Examples in the order of decisions that are not undone.
    order: Vec<String>,
    /// Lines that could not be read.
    pub n_unreadable: usize,
}

impl Review {
    /// Reads the decisions of a folder; a folder without any has none.
    ///
    /// # Errors
    /// When the file is there and cannot be read. A bad line is counted and passed over.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let mut review = Self::default();
        if !path.exists() {
            return Ok(review);
        }
        let (rows, bad) = journal::read_all::<Decision>(&path)?;
        rows.into_iter().for_each(|decision| review.take(decision));
        review.n_unreadable = bad.len();
        Ok(review)
    }

    /// What decides what preparing makes of it: the hash of all that counts, if anything does.
    pub fn digest(&self) -> Option<Hash> {
        let counting = self.decisions.values().filter_map(|decisions| decisions.last());
        let lines: Vec<String> = counting
            .filter_map(|decision| serde_json::to_string(&(&decision.example, &decision.verdict)).ok())
            .collect();
        (!lines.is_empty()).then(|| Hash::of_parts(lines.iter().map(String::as_bytes)))
    }

    /// Whether nothing counts.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// Examples that are decided about.
    pub fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Where the example at `place` of its document stands.
    pub fn standing(&self, example: &Example, place: usize) -> Standing<'_> {
        if let Some(decision) = self.last(&example.id) {
            return Standing::Decided(decision);
        }
        let before = self.places.get(&(example.document.clone(), place));
        before.and_then(|id| self.last(id)).map_or(Standing::Open, Standing::Stale)
    }

    /// The example that was decided about last and would be the first to be undone.
    pub fn latest(&self) -> Option<&Decision> {
        self.order.last().and_then(|id| self.last(id))
    }

    fn last(&self, example: &str) -> Option<&Decision> {
        self.decisions.get(example)?.last()
    }

    fn take(&mut self, decision: Decision) {
        let id = decision.example.clone();
        if decision.verdict == Verdict::Undo {
            let Some(decisions) = self.decisions.get_mut(&id) else { return };
            decisions.pop();
            if decisions.is_empty() {
                self.decisions.remove(&id);
            }
            if let Some(at) = self.order.iter().rposition(|other| *other == id) {
                self.order.remove(at);
            }
            return;
        }
        self.places.insert((decision.document.clone(), decision.place), id.clone());
        self.decisions.entry(id.clone()).or_default().push(decision);
        self.order.push(id);
    }

    /// Does to the examples of one document what was decided about them.
    pub(crate) fn apply(&self, made: &mut Made) {
        if self.is_empty() {
            return;
        }
        let mut kept = Vec::new();
        for (place, mut example) in std::mem::take(&mut made.examples).into_iter().enumerate() {
            let before = example.trained_chars() as u64;
            match self.standing(&example, place) {
                Standing::Decided(Decision { verdict: Verdict::Drop, .. }) => {
                    made.voice -= before;
                    made.tally.drop(DROPPED, before);
                    continue;
                }
                Standing::Decided(Decision { verdict: Verdict::Edit { messages }, .. }) => {
                    example.messages.clone_from(messages);
                    example.id = renamed(&example);
                    let after = example.trained_chars() as u64;
                    made.tally.settle(CHANGED, before, after);
                    made.voice = made.voice + after - before;
                }
                _ => {}
            }
            kept.push(example);
        }
        if kept.is_empty() {
            made.tally.drop(DROPPED, std::mem::take(&mut made.prompt));
        }
        made.examples = kept;
    }
}

/// The hash of an example with changed words: another than that of what was looked at.
fn renamed(example: &Example) -> String {
    let turns = example.messages.iter().map(|message| message.content.as_bytes());
    let parts = [example.id.as_bytes(), b"review".as_slice()].into_iter().chain(turns);
    let mut id = Hash::of_parts(parts).to_string();
    id.truncate(32);
    id
}

/// An example as it is before anybody decided, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// Its document.
    pub document: &'a Document,
    /// Which of the document's examples it is, from zero.
    pub place: usize,
    /// The example.
    pub example: Example,
}

/// Every example that preparing makes of documents, before decisions.
pub fn items<'a>(documents: &'a [Document], settings: &Settings) -> Vec<Item<'a>> {
    let used = documents.iter().filter(|document| !matches!(document.fate, Fate::Dropped(_)));
    let of = |document: &'a Document| {
        let examples = compose(document, settings).examples.into_iter().enumerate();
        examples.map(move |(place, example)| Item { document, place, example })
    };
    used.flat_map(of).collect()
}
