//! The ledger of characters: every character given is trained, kept as prompt, held out, or
//! dropped for a named reason.
//!
//! Cleaning sometimes writes a character that was not there (a line break where a heading ended).
//! Those stand in their own line, and so do those that stand in two examples because passages
//! overlap; the rows always add up:
//! `given + added + repeated == trained + prompt + held_out + dropped`.
//!
//! A [`Tally`] is the part of the account that readers and cleaners fill; the [`Account`] is the
//! whole of it once every document has met its fate.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::edit::Cut;

/// Characters lost and written in, before the fate of the rest is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Characters written in by cleaning.
    pub added: u64,
    /// Characters dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Tally {
    /// Notes `chars` characters dropped for `reason`.
    pub fn drop(&mut self, reason: &str, chars: u64) {
        if chars == 0 {
            return;
        }
        match self.dropped.get_mut(reason) {
            Some(total) => *total += chars,
            None => {
                self.dropped.insert(reason.to_owned(), chars);
            }
        }
    }

    /// Notes what a list of edits did.
    pub fn absorb(&mut self, cuts: &[Cut]) {
        for cut in cuts {
            self.drop(&cut.rule, cut.chars);
            self.added += cut.added;
        }
    }

    /// Notes that `before` characters became `after`, for `reason`.
    pub fn settle(&mut self, reason: &str, before: u64, after: u64) {
        self.drop(reason, before.saturating_sub(after));
        self.added += after.saturating_sub(before);
    }

    /// Takes over another tally.
    pub fn merge(&mut self, other: &Self) {
        self.added += other.added;
        for (reason, chars) in &other.dropped {
            self.drop(reason, *chars);
        }
    }

    /// All characters dropped.
    pub fn dropped_chars(&self) -> u64 {
        self.dropped.values().sum()
    }
}

/// Where every character of a folder of writing went.
///
/// # Units
/// Unicode scalar values of the decoded text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Characters decoded from the files.
    pub given: u64,
    /// Characters cleaning wrote in beyond those it replaced.
    pub added: u64,
    /// Characters that are in two examples because passages overlap.
    #[serde(default)]
    pub repeated: u64,
    /// The voice, in training.
    pub trained: u64,
    /// What others said in training dialogues, titles and opening lines: kept as context, not learned.
    pub prompt: u64,
    /// Both sides of what is kept apart for measuring.
    pub held_out: u64,
    /// Everything else, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// One line of the account as a person reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What became of the characters.
    pub what: String,
    /// How many; negative for those that were written in.
    pub chars: i64,
    /// Share of the characters given, in percent.
    pub percent: f64,
}

impl Account {
    /// Takes over the losses of readers and cleaners.
    pub fn absorb(&mut self, tally: &Tally) {
        self.added += tally.added;
        for (reason, chars) in &tally.dropped {
            *self.dropped.entry(reason.clone()).or_default() += chars;
        }
    }

    /// What the rows hold together.
    pub fn accounted(&self) -> u64 {
        self.trained + self.prompt + self.held_out + self.dropped.values().sum::<u64>()
    }

    /// Whether every character given is in exactly one row.
    pub fn is_balanced(&self) -> bool {
        self.given + self.added + self.repeated == self.accounted()
    }

    /// The rows, most important first, dropped reasons by size. Their characters sum to `given`.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            self.row("trained", signed(self.trained)),
            self.row("prompt (kept as context)", signed(self.prompt)),
            self.row("held out", signed(self.held_out)),
        ];
        let mut dropped: Vec<_> = self.dropped.iter().collect();
        dropped.sort_by_key(|(reason, chars)| (std::cmp::Reverse(**chars), reason.as_str()));
        rows.extend(
            dropped.into_iter().map(|(why, chars)| self.row(&format!("dropped: {why}"), signed(*chars))),
        );
        if self.added > 0 {
            rows.push(self.row("written in by cleaning", -signed(self.added)));
        }
        if self.repeated > 0 {
            rows.push(self.row("in two passages that overlap", -signed(self.repeated)));
        }
        rows
    }

    fn row(&self, what: &str, chars: i64) -> Row {
        let percent = if self.given == 0 { 0.0 } else { 100.0 * chars as f64 / self.given as f64 };
        Row { what: what.to_owned(), chars, percent }
    }
}

/// Texts are capped far below 2^63 characters, so the cast keeps its value.
fn signed(chars: u64) -> i64 {
    i64::try_from(chars).unwrap_or(i64::MAX)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<46} {:>12} {:>7.2} %", self.what, self.chars, self.percent)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows() {
            writeln!(f, "{row}")?;
        }
        write!(f, "{}", self.row("characters given", signed(self.given)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn rows_add_up_and_read_well() {
        let mut tally = Tally::default();
        tally.drop("blank space", 40);
        tally.settle("markdown marks", 10, 12);
        let mut account =
            Account { given: 1000, trained: 700, prompt: 162, held_out: 100, ..Account::default() };
        account.absorb(&tally);
        assert!(account.is_balanced());
        assert_eq!(account.rows().iter().map(|row| row.chars).sum::<i64>(), 1000);
        expect![[r#"
            trained                                                 700   70.00 %
            prompt (kept as context)                                162   16.20 %
            held out                                                100   10.00 %
            dropped: blank space                                     40    4.00 %
            written in by cleaning                                   -2   -0.20 %
            characters given                                       1000  100.00 %"#]]
        .assert_eq(&account.to_string());
    }

    #[test]
    fn a_missing_character_is_noticed() {
        let account = Account { given: 10, trained: 9, ..Account::default() };
        assert!(!account.is_balanced());
    }

    #[test]
    fn nothing_given_is_no_division_by_zero() {
        assert_eq!(Account::default().rows()[0].percent, 0.0);
    }
}
