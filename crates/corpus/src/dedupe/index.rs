//! What is remembered of each text while a corpus streams by: a hash of its words, a key for each
//! band, and its rank; about 200 bytes, however long the text. The text itself is asked for again
//! only when two have to be compared.

use super::keep::Rank;
use super::near::{self, Bands};
use super::shingle::{self, Words};
use super::{EXACT, Found, LEAK, NEAR};
use crate::document::{Document, Fate};
use crate::settings;

/// Answers shorter than this, in words, are compared together with what they answer: two people
/// may both be told "Certainly."
const MIN_WORDS: usize = 8;

/// The texts of a corpus, as far as they are remembered.
#[derive(Debug)]
pub struct Index {
    settings: settings::Dedupe,
    bands: Bands,
    entries: Vec<Entry>,
    /// The keys of all entries, one band after the other within each.
    keys: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    /// The number under which the text was added.
    number: usize,
    rank: Rank,
    exact: u128,
    has_runs: bool,
}

impl Index {
    /// An empty index.
    pub fn new(settings: &settings::Dedupe) -> Self {
        let bands = Bands::at(settings.jaccard);
        Self { settings: settings.clone(), bands, entries: Vec::new(), keys: Vec::new() }
    }

    /// How signatures are divided.
    pub fn bands(&self) -> Bands {
        self.bands
    }

    /// Remembers a document under a number. One that is dropped, or in which the voice says nothing,
    /// is passed over.
    pub fn add(&mut self, number: usize, document: &Document) {
        if Self::compares(document) {
            let signed = self.sign(document);
            self.take(number, signed);
        }
    }

    /// Whether a document is compared at all.
    pub(crate) fn compares(document: &Document) -> bool {
        !matches!(document.fate, Fate::Dropped(_)) && !document.voice().trim().is_empty()
    }

    /// As [`Self::add`], with what somebody made of the same text by the same settings.
    pub(crate) fn add_signed(&mut self, number: usize, document: &Document, of: Signature) {
        let rank = Rank::of(document, &self.settings.keep);
        self.take(number, Signed { exact: of.exact, keys: of.keys, rank });
    }

    /// What is remembered of a document, without remembering it: the part that may be done by many
    /// at a time.
    pub fn sign(&self, document: &Document) -> Signed {
        let text = compared(document);
        let words = Words::of(&text);
        let keys = if self.settings.near { self.bands.keys(&words.runs()) } else { Vec::new() };
        Signed { exact: words.exact(&text), keys, rank: Rank::of(document, &self.settings.keep) }
    }

    /// Remembers what was signed.
    pub fn take(&mut self, number: usize, signed: Signed) {
        let has_runs = !signed.keys.is_empty();
        self.entries.push(Entry { number, rank: signed.rank, exact: signed.exact, has_runs });
        let n_bands = if self.settings.near { self.bands.bands } else { 0 };
        self.keys.extend(signed.keys.into_iter().chain(std::iter::repeat(0)).take(n_bands));
    }

    /// Decides which are dropped, with the reason. `document` gives a document again by its number.
    pub fn decide(
        &self,
        document: impl Fn(usize) -> Option<Document>,
    ) -> (Found, Vec<(usize, &'static str)>) {
        let (mut found, mut dropped) = (Found::default(), Vec::new());
        // An order of their own, whatever the order they came in.
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_unstable_by(|a, b| self.entries[*a].rank.cmp(&self.entries[*b].rank));
        if self.settings.exact {
            let mut same: Vec<(u128, usize)> =
                order.iter().enumerate().map(|(at, entry)| (self.entries[*entry].exact, at)).collect();
            same.sort_unstable();
            let mut gone = vec![false; order.len()];
            for cluster in same.chunk_by(|a, b| a.0 == b.0) {
                let members: Vec<usize> = cluster.iter().map(|(_, at)| *at).collect();
                members.iter().skip(1).for_each(|at| gone[*at] = true);
                found.exact += self.drop(&order, &members, EXACT, &mut found.leaks, &mut dropped);
            }
            let mut gone = gone.into_iter();
            order.retain(|_| !gone.next().unwrap_or_default());
        }
        if self.settings.near {
            let key = |at: usize, band: usize| {
                let entry = order[at];
                self.entries[entry].has_runs.then(|| self.keys[entry * self.bands.bands + band])
            };
            let shingles = |at: usize| {
                let again = document(self.entries[order[at]].number);
                again.map_or_else(Vec::new, |document| shingle::shingles(&compared(&document)))
            };
            for cluster in near::clusters(order.len(), self.bands, key, shingles, self.settings.jaccard) {
                found.near += self.drop(&order, &cluster, NEAR, &mut found.leaks, &mut dropped);
            }
        }
        (found, dropped)
    }

    /// Drops all of a cluster but the first in order. Members of the training set that equal
    /// held-out text are counted as leaks; returns how many others were dropped.
    fn drop(
        &self,
        order: &[usize],
        cluster: &[usize],
        reason: &'static str,
        leaks: &mut usize,
        dropped: &mut Vec<(usize, &'static str)>,
    ) -> usize {
        let entry = |at: usize| &self.entries[order[at]];
        let Some(kept) = cluster.iter().min().map(|at| entry(*at)) else { return 0 };
        let mut n_dropped = 0;
        for other in cluster.iter().map(|at| entry(*at)).filter(|other| other.number != kept.number) {
            let leaks_out = kept.rank.is_held_out() && !other.rank.is_held_out();
            *leaks += usize::from(leaks_out);
            n_dropped += usize::from(!leaks_out);
            dropped.push((other.number, if leaks_out { LEAK } else { reason }));
        }
        n_dropped
    }
}

/// What of a document does not depend on anything but its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The hash of its words.
    pub(crate) exact: u128,
    /// A key for each band.
    pub(crate) keys: Vec<u64>,
}

impl From<Signed> for Signature {
    fn from(signed: Signed) -> Self {
        Self { exact: signed.exact, keys: signed.keys }
    }
}

/// What is remembered of one document.
#[derive(Debug)]
pub struct Signed {
    exact: u128,
    keys: Vec<u64>,
    rank: Rank,
}

/// The text a document is compared by.
fn compared(document: &Document) -> String {
    let voice = document.voice();
    let is_short = voice.split_whitespace().nth(MIN_WORDS - 1).is_none();
    if is_short { document.others() + "\n" + &voice } else { voice }
}
