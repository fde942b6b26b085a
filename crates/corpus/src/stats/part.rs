//! The numbers of some of the documents: all of them, or those of one source.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bars::Spread;
use super::time::Time;
use crate::dedupe;
use crate::document::{Body, Document, Fate, Kind, Speaker};
use crate::prepare::Prepared;
use crate::when;

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Documents.
    pub documents: usize,
    /// Examples made of them.
    pub examples: usize,
    /// Characters of all of them, context included.
    pub chars: u64,
    /// Characters of the voice.
    pub voice_chars: u64,
    /// Words of the voice.
    pub voice_words: u64,
}

/// The numbers of a part of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Files it lies in.
    pub files: usize,
    /// All documents that were read, those dropped later included.
    pub read: Amount,
    /// What is learned.
    pub train: Amount,
    /// What is kept apart for measuring.
    pub held_out: Amount,
    /// What was dropped after it was read.
    pub dropped: Amount,
    /// Documents of each kind that are learned or held out: `dialogue`, `post`, `text`.
    pub kinds: BTreeMap<String, usize>,
    /// Words of the voice in each document that is learned or held out.
    pub lengths: Spread,
    /// Turns of each dialogue that is learned or held out.
    pub turns: Spread,
    /// Documents that rules rejected.
    pub rejected: usize,
    /// Documents each rule rejected; one may be in several.
    pub reasons: BTreeMap<String, usize>,
    /// Documents dropped as duplicates, by how they are alike.
    pub duplicates: BTreeMap<String, usize>,
    /// Documents dropped for other reasons.
    pub others: BTreeMap<String, usize>,
    /// How what is learned or held out was received: `score`, `reposts`, `replies`, `views`, `followers`,
    /// `delay_s`, as far as sources say.
    pub engagement: BTreeMap<String, Spread>,
    /// When what is learned or held out was written.
    pub time: Time,
    /// Documents learned or held out by what may be done with them: `train local-only, publish unknown`.
    pub rights: BTreeMap<String, usize>,
}

/// How many examples were made of each document.
pub(super) fn examples(prepared: &Prepared) -> BTreeMap<&str, usize> {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for example in prepared.train.iter().chain(&prepared.held_out) {
        *made.entry(example.document.as_str()).or_default() += 1;
    }
    made
}

/// A part while its documents are gone through.
#[derive(Debug, Default)]
pub(super) struct Gathered<'a> {
    part: Part,
    files: BTreeSet<&'a str>,
    lengths: Vec<i64>,
    turns: Vec<i64>,
    engagement: BTreeMap<&'static str, Vec<i64>>,
    at: Vec<i64>,
    undated: usize,
}

impl<'a> Gathered<'a> {
    /// Takes a document of which so many examples were made.
    pub(super) fn take(&mut self, document: &'a Document, examples: usize) {
        let voice = document.voice();
        let amount = Amount {
            documents: 1,
            examples,
            chars: document.chars(),
            voice_chars: voice.chars().count() as u64,
            voice_words: voice.split_whitespace().count() as u64,
        };
        self.files.insert(&document.path);
        self.part.read.add(amount);
        match &document.fate {
            Fate::Train => self.part.train.add(amount),
            Fate::HeldOut => self.part.held_out.add(amount),
            Fate::Dropped(why) => {
                self.part.dropped.add(amount);
                return self.dropped(&document.fate, why);
            }
        }
        self.lengths.push(signed(amount.voice_words));
        self.used(document);
    }

    fn used(&mut self, document: &Document) {
        let kind = match document.kind {
            Kind::Dialogue => "dialogue",
            Kind::Post => "post",
            Kind::Text => "text",
        };
        count(&mut self.part.kinds, kind);
        if let Body::Turns(turns) = &document.body {
            let said = turns.iter().filter(|turn| turn.speaker != Speaker::System).count();
            self.turns.push(signed(said as u64));
        }
        let rights = document.rights;
        count(&mut self.part.rights, &format!("train {}, publish {}", rights.train, rights.publish));
        let dates = [document.provenance.created_at.as_deref(), document.date.as_deref()];
        match dates.into_iter().flatten().find_map(when::parse) {
            Some(at) => self.at.push(at),
            None => self.undated += 1,
        }
        let Some(reception) = &document.reception else { return };
        let unsigned = |n: Option<u64>| n.map(signed);
        let numbers = [
            ("score", reception.score),
            ("reposts", unsigned(reception.reposts)),
            ("replies", unsigned(reception.replies)),
            ("views", unsigned(reception.views)),
            ("followers", unsigned(reception.followers)),
            ("delay_s", reception.delay_s),
        ];
        for (name, number) in numbers {
            self.engagement.entry(name).or_default().extend(number);
        }
    }

    fn dropped(&mut self, fate: &Fate, why: &str) {
        if let Some(rules) = fate.rules() {
            self.part.rejected += 1;
            rules.for_each(|rule| count(&mut self.part.reasons, rule));
        } else if dedupe::REASONS.contains(&why) {
            count(&mut self.part.duplicates, why);
        } else {
            count(&mut self.part.others, why);
        }
    }

    /// The numbers, once all documents are taken.
    pub(super) fn close(self) -> Part {
        let spreads = self.engagement.into_iter().filter(|(_, numbers)| !numbers.is_empty());
        Part {
            files: self.files.len(),
            lengths: Spread::of(self.lengths),
            turns: Spread::of(self.turns),
            engagement: spreads.map(|(name, numbers)| (name.to_owned(), Spread::of(numbers))).collect(),
            time: Time::of(&self.at, self.undated),
            ..self.part
        }
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.examples += other.examples;
        self.chars += other.chars;
        self.voice_chars += other.voice_chars;
        self.voice_words += other.voice_words;
    }
}

fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
