//! What people wrote to each other, as the services they wrote it in hand it out: one file for each.
//!
//! A service says how its export is recognised and turns it into lists of [`Said`], one list for
//! each conversation; [`super::talk`] does the rest. Messages of machines, forwarded words and
//! pictures are nobody's writing and are dropped by name.

pub(super) mod chatgpt;
pub(super) mod discord;
pub(super) mod messenger;
pub(super) mod signal;
pub(super) mod slack;
pub(super) mod telegram;
pub(super) mod whatsapp;

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{self, records};
use super::talk::{Said, tell_all};
use super::{Claim, Reading, Source, chars, claim};
use crate::issue::{Code, Issue, Severity};

/// Bytes of a file looked at to recognise an export.
const SNIFFED: usize = 1 << 16;
/// Strength of the claim on an export that was recognised.
const STRENGTH: u8 = 110;

/// Claims a text that holds all of the first words near its beginning, and one of the second.
fn sniff(source: &Source<'_>, service: &str, all: &[&str], any: &[&str]) -> Option<Claim> {
    let head = source.head(SNIFFED);
    let has = |word: &&str| head.contains(*word);
    let is_json = head.trim_start().starts_with(['{', '[']);
    let found = is_json && all.iter().all(has) && (any.is_empty() || any.iter().any(has));
    found.then(|| claim(STRENGTH, format!("its fields are those of {service}"))).flatten()
}

/// Reads every record of an export and tells what `gather` makes of each. Conversations may run
/// over records.
fn export(source: &Source<'_>, mut gather: impl FnMut(&Value, &mut Gathered)) -> Reading {
    let mut reading = Reading::default();
    let mut gathered = Gathered::default();
    for record in records(source.text) {
        match &record.value {
            Ok(value) => gather(value, &mut gathered),
            Err(why) => {
                reading.tally.drop("unreadable json", chars(&source.text[record.range.clone()]));
                let issue = Issue::new(source.path, Code::Json, Severity::Part, why.as_str());
                reading.issues.push(issue.at(record.line));
            }
        }
    }
    gathered.dropped.iter().for_each(|(reason, n)| reading.tally.drop(reason, *n));
    tell_all(source, gathered.conversations, &mut reading);
    reading.close(source.text, json::SYNTAX);
    reading
}

/// What was found in an export.
#[derive(Debug, Default)]
struct Gathered {
    conversations: Vec<Vec<Said>>,
    /// Which conversation a name stands for.
    named: BTreeMap<String, usize>,
    /// Characters left out, by reason.
    dropped: Vec<(&'static str, u64)>,
}

impl Gathered {
    /// Adds a message to the conversation of a name.
    fn put(&mut self, name: &str, said: Said) {
        let next = self.conversations.len();
        let idx = *self.named.entry(name.to_owned()).or_insert(next);
        if idx == next {
            self.conversations.push(Vec::new());
        }
        self.conversations[idx].push(said);
    }

    fn drop(&mut self, reason: &'static str, text: &str) {
        self.dropped.push((reason, chars(text)));
    }
}

/// A text field, empty where there is none.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// A field that is a number or digits as a string, as text: numbers beyond 2⁵³ keep every digit.
fn id(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The elements of an array, none where it is something else.
fn each(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests;
