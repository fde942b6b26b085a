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
//! The last decision about an example counts, whoever took it. Undoing adds a line, too: what was decided
//! and taken back stays on record.
//!
//! What helps to decide stands beside it: [`Catalogue`] knows of every example what it can be found and
//! ordered by, [`risk`] what to look at first, [`raw`] what was written before it was cleaned, [`pace`] how
//! long the rest will take, and [`agree`] whether two people mean the same.

pub mod agree;
mod catalogue;
mod desk;
pub mod pace;
pub mod raw;
pub mod risk;
pub mod select;
#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, Sheet};
pub use desk::Desk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use penname_ledger::clock::Timestamp;
use penname_ledger::journal;
use penname_ledger::{Hash, Lock};
use penname_token::{Example, Message};
use serde::{Deserialize, Serialize};

use crate::ask::Questions;
use crate::compose::{Made, compose};
use crate::document::{Document, Fate};
use crate::forget::Forgotten;
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

impl<'a> Standing<'a> {
    /// The turns of an example as they stand: those it was made with, or what somebody made of them.
    pub fn messages(self, example: &'a Example) -> &'a [Message] {
        match self {
            Self::Decided(Decision { verdict: Verdict::Edit { messages }, .. }) => messages,
            Self::Open | Self::Decided(_) | Self::Stale(_) => &example.messages,
        }
    }
}

/// The decisions that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// By example, in the order of their lines.
    decisions: BTreeMap<String, Vec<Decision>>,
    /// The example last decided about at each place.
    places: BTreeMap<(String, usize), String>,
    /// Decisions that are not undone, in order.
    order: Vec<Taken>,
    /// Lines about each example, those that undo among them.
    lines: BTreeMap<String, usize>,
    /// Lines that could not be read.
    pub n_unreadable: usize,
}

/// One decision among all, in the order in which they were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    example: String,
    reviewer: Option<String>,
    at: Timestamp,
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
        self.standing_for(example, place, None)
    }

    /// The same for one reviewer, who is not told what others decided; for nobody by name, what counts.
    pub fn standing_for(&self, example: &Example, place: usize, reviewer: Option<&str>) -> Standing<'_> {
        if let Some(decision) = self.last_of(&example.id, reviewer) {
            return Standing::Decided(decision);
        }
        let before = self.places.get(&(example.document.clone(), place));
        before.and_then(|id| self.last_of(id, reviewer)).map_or(Standing::Open, Standing::Stale)
    }

    /// The decision that was taken last and would be the first to be undone.
    pub fn latest(&self) -> Option<&Decision> {
        self.latest_of(None)
    }

    /// The same among those of one reviewer; for nobody by name, among all.
    pub fn latest_of(&self, reviewer: Option<&str>) -> Option<&Decision> {
        let is_theirs = |taken: &&Taken| reviewer.is_none() || taken.reviewer.as_deref() == reviewer;
        let taken = self.order.iter().rev().find(is_theirs)?;
        self.last_of(&taken.example, taken.reviewer.as_deref())
    }

    /// What others than `reviewer` decided about an example last, one each.
    pub fn others<'a>(&'a self, example: &str, reviewer: Option<&'a str>) -> Vec<&'a Decision> {
        let mut last: BTreeMap<Option<&str>, &Decision> = BTreeMap::new();
        let decisions = self.decisions.get(example).map_or(&[] as &[Decision], Vec::as_slice);
        for decision in decisions.iter().filter(|decision| decision.reviewer.as_deref() != reviewer) {
            last.insert(decision.reviewer.as_deref(), decision);
        }
        last.into_values().collect()
    }

    /// How often something was written down about an example: whoever saw another number saw other
    /// decisions than there are now.
    pub fn revision(&self, example: &str) -> usize {
        self.lines.get(example).copied().unwrap_or(0)
    }

    /// The last decision of somebody about an example; for nobody by name, the one that counts.
    fn last_of(&self, example: &str, reviewer: Option<&str>) -> Option<&Decision> {
        let is_theirs = |decision: &&Decision| reviewer.is_none() || decision.reviewer.as_deref() == reviewer;
        self.decisions.get(example)?.iter().rev().find(is_theirs)
    }

    fn take(&mut self, decision: Decision) {
        *self.lines.entry(decision.example.clone()).or_default() += 1;
        if decision.verdict == Verdict::Undo {
            return self.take_back(&decision);
        }
        let (id, reviewer) = (decision.example.clone(), decision.reviewer.clone());
        self.places.insert((decision.document.clone(), decision.place), id.clone());
        self.order.push(Taken { example: id.clone(), reviewer, at: decision.at });
        self.decisions.entry(id).or_default().push(decision);
    }

    /// Undoes the last decision of whoever undoes, and the last of all where none is theirs.
    fn take_back(&mut self, undo: &Decision) {
        let Some(decisions) = self.decisions.get_mut(&undo.example) else { return };
        let own = decisions.iter().rposition(|decision| decision.reviewer == undo.reviewer);
        let Some(at) = own.or(decisions.len().checked_sub(1)) else { return };
        let undone = decisions.remove(at);
        if decisions.is_empty() {
            self.decisions.remove(&undo.example);
        }
        let is_it = |taken: &Taken| taken.example == undone.example && taken.reviewer == undone.reviewer;
        if let Some(at) = self.order.iter().rposition(is_it) {
            self.order.remove(at);
        }
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

/// Takes words out of the record of a folder that stand in these documents or are forgotten: a change
/// becomes a drop. Returns how many there were.
///
/// # Errors
/// When the record cannot be read or written, or somebody is deciding just now.
pub fn forget(folder: &Path, documents: &BTreeSet<String>, forgotten: &Forgotten) -> Result<usize, Error> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(0);
    }
    // Whoever is deciding would go on adding to the file that is replaced.
    let _alone = Lock::acquire(folder)?;
    let (rows, _bad) = journal::read_all::<Decision>(&path)?;
    let is_forgotten = |decision: &Decision, messages: &[Message]| {
        documents.contains(&decision.document)
            || messages.iter().any(|message| forgotten.fits_text(&message.content).is_some())
    };
    let (mut n, mut text) = (0, Vec::new());
    for mut decision in rows {
        if let Verdict::Edit { messages } = &decision.verdict
            && is_forgotten(&decision, messages)
        {
            decision.verdict = Verdict::Drop;
            n += 1;
        }
        // A decision is made of texts and numbers: there is nothing in it that JSON refuses.
        text.extend(serde_json::to_vec(&decision).unwrap_or_default());
        text.push(b'\n');
    }
    if n > 0 {
        penname_ledger::write::bytes(&path, &text)?;
    }
    Ok(n)
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

/// Every example that preparing makes of documents with these generated questions, before decisions.
pub fn items<'a>(documents: &'a [Document], settings: &Settings, questions: &Questions) -> Vec<Item<'a>> {
    let used = documents.iter().filter(|document| !matches!(document.fate, Fate::Dropped(_)));
    let of = |document: &'a Document| {
        let examples = compose(document, settings, questions).examples.into_iter().enumerate();
        examples.map(move |(place, example)| Item { document, place, example })
    };
    used.flat_map(of).collect()
}
