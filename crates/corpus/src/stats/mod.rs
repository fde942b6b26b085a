//! What a prepared corpus is, in numbers: how much, of what, how long, from when, and where the rest went.
//!
//! Pure numbers of a [`Prepared`]: the same corpus gives the same [`Stats`]. Nothing here reads a file or
//! draws; the program prints them as text, and whoever draws a page draws it from these.
//!
//! # Units
//! Characters are Unicode scalar values after cleaning, words are what stands between blanks. Lengths are
//! words of the voice, because that is what is learned.

mod bars;
mod part;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::bars::{Bar, Spread};
pub use self::part::{Amount, Part};
pub use self::time::{Period, Time};
use crate::account::Row;
use crate::edit::Cut;
use crate::issue::{Issue, Severity};
use crate::prepare::Prepared;

/// The numbers of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// All of it.
    pub all: Part,
    /// The same for each source, by its name: `files`, and those of the settings.
    pub sources: BTreeMap<String, Part>,
    /// Characters that were given.
    pub given: u64,
    /// Where every one of them went; the rows add up to `given`.
    pub account: Vec<Line>,
    /// What each cleaning rule cut, most places first.
    pub cuts: Vec<Rule>,
    /// What rules that may change the voice would cut, and were not asked to.
    pub would: Vec<Rule>,
    /// Findings, by code.
    pub issues: BTreeMap<String, Findings>,
}

/// A row of the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What became of the characters.
    pub what: String,
    /// How many; negative for those that were written in.
    pub chars: i64,
    /// Share of those given, in percent.
    pub percent: f64,
}

/// What one cleaning rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub rule: String,
    /// Places changed.
    pub times: u64,
    /// Characters gone.
    pub chars: u64,
    /// Characters written in.
    pub added: u64,
}

/// Findings of one code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// How many there are.
    pub n: usize,
    /// How many of them cost a file.
    pub bad: usize,
}

impl Stats {
    /// The numbers of a corpus.
    pub fn of(prepared: &Prepared) -> Self {
        let mut sources: BTreeMap<String, part::Gathered<'_>> = BTreeMap::new();
        let mut all = part::Gathered::default();
        let examples = part::examples(prepared);
        for document in &prepared.documents {
            let made = examples.get(document.uid.as_str()).copied().unwrap_or_default();
            all.take(document, made);
            sources.entry(document.source.clone()).or_default().take(document, made);
        }
        let line = |row: Row| Line { what: row.what, chars: row.chars, percent: row.percent };
        Self {
            all: all.close(),
            sources: sources.into_iter().map(|(name, part)| (name, part.close())).collect(),
            given: prepared.account.given,
            account: prepared.account.rows().into_iter().map(line).collect(),
            cuts: rules(&prepared.cuts),
            would: rules(&prepared.would),
            issues: findings(&prepared.issues),
        }
    }
}

fn rules(cuts: &[Cut]) -> Vec<Rule> {
    let rule =
        |cut: &Cut| Rule { rule: cut.rule.clone(), times: cut.times, chars: cut.chars, added: cut.added };
    let mut rules: Vec<Rule> = cuts.iter().map(rule).collect();
    rules.sort_by(|one, other| other.times.cmp(&one.times).then_with(|| one.rule.cmp(&other.rule)));
    rules
}

fn findings(issues: &[Issue]) -> BTreeMap<String, Findings> {
    let mut findings: BTreeMap<String, Findings> = BTreeMap::new();
    for issue in issues {
        // A code is a word in JSON.
        let code = serde_json::to_value(issue.code).ok();
        let code = code.and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default();
        let found = findings.entry(code).or_default();
        found.n += 1;
        found.bad += usize::from(issue.severity == Severity::Bad);
    }
    findings
}

#[cfg(test)]
mod tests;
