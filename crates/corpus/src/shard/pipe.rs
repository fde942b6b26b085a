//! A worker in a pipe: documents in, a line of JSON each; judged and signed documents out.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::Deserialize;

use super::Plan;
use super::row::{Judged, Row};
use crate::Error;
use crate::clean::{self, Traits};
use crate::dedupe::Index;
use crate::document::{Body, Document, Kind};
use crate::issue::{Code, Issue, Severity};
use crate::validate::Judge;

/// Longest line, in bytes.
const MAX_LINE: u64 = 64 << 20;

/// What went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines.
    pub lines: usize,
    /// Documents that were written.
    pub documents: usize,
    /// Documents that rules rejected; they are written with their fate.
    pub rejected: usize,
    /// Lines that are no documents.
    pub bad: usize,
    /// Documents of other shards.
    pub others: usize,
}

/// The least that can be said of a document.
#[derive(Debug, Deserialize)]
struct Plain {
    id: String,
    text: String,
    #[serde(default)]
    title: Option<String>,
}

/// Cleans, judges and signs what comes in; with `shard`, only what belongs to it. A line is a document as
/// `documents.jsonl` has it, or `{"id": …, "text": …, "title": …}`.
///
/// # Errors
/// When a model that was asked for is not there, or reading or writing fails.
pub fn pipe(
    plan: &Plan,
    shard: Option<usize>,
    mut from: impl BufRead,
    mut to: impl Write,
) -> Result<Counts, Error> {
    let judge = Judge::new(&plan.settings.validate)?;
    let (cleaners, index) = (clean::Plan::new(&plan.settings.clean), Index::new(&plan.settings.dedupe));
    let mut counts = Counts::default();
    let mut line = Vec::new();
    while read_line(&mut from, &mut line).map_err(piped)? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        counts.lines += 1;
        let row = match document(&line) {
            Ok(document) if shard.is_some_and(|shard| plan.shard_of(&document.uid) != shard) => {
                counts.others += 1;
                continue;
            }
            Ok(document) => {
                let mut cuts = BTreeMap::new();
                let document = cleaners.clean(document, &Traits::default(), &mut cuts);
                let mut judged = Judged::of(document, &judge, &index);
                judged.cleaned(cuts);
                counts.documents += 1;
                counts.rejected += usize::from(judged.is_rejected());
                Row::Document(Box::new(judged))
            }
            Err(why) => {
                counts.bad += 1;
                Row::Issue(Issue::new("-", Code::Json, Severity::Part, why).at(counts.lines))
            }
        };
        let mut out = serde_json::to_vec(&row).unwrap_or_default();
        out.push(b'\n');
        to.write_all(&out).map_err(piped)?;
    }
    to.flush().map_err(piped)?;
    Ok(counts)
}

fn piped(error: std::io::Error) -> Error {
    Error::Shard { what: format!("the pipe broke: {error}") }
}

/// The next line, of at most so many bytes; a longer one is passed over and comes as what is no JSON.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    use std::io::Read;
    line.clear();
    let n = from.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
    let is_cut = n as u64 == MAX_LINE && line.last() != Some(&b'\n');
    if is_cut {
        // Passed over piece by piece, so that it takes no more room than any other.
        loop {
            line.clear();
            let n = from.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
            if n == 0 || line.last() == Some(&b'\n') {
                break;
            }
        }
        *line = b"(a line that is too long)".to_vec();
    }
    Ok(n > 0)
}

fn document(line: &[u8]) -> Result<Document, String> {
    if let Ok(document) = serde_json::from_slice::<Document>(line) {
        return Ok(document);
    }
    let plain: Plain = serde_json::from_slice(line).map_err(|error| format!("no document: {error}"))?;
    let title = plain.title.map(|text| crate::document::Title { text, given: true });
    let kind = if title.is_some() { Kind::Post } else { Kind::Text };
    Ok(Document::new(&plain.id, 0, kind, title, Body::Text(plain.text)))
}
