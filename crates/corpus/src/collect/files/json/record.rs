//! Where one record ends and the next begins, in files that promise one thing and hold another.
//!
//! Three layouts are known: lines, each with one record or several end to end; one array; values
//! spread over lines. Damage costs the record it is in: in lines, reading goes on at the next one.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

use super::repair::repair;
use crate::clean::lines;

/// One record, or a stretch that is none.
#[derive(Debug)]
pub(in super::super) struct Record {
    /// Its bytes.
    pub(in super::super) range: Range<usize>,
    /// The line it begins on, from 1.
    pub(in super::super) line: usize,
    /// What it holds, or why that cannot be read.
    pub(in super::super) value: Result<Value, String>,
}

/// The records of a text, in order.
pub(in super::super) fn records(text: &str) -> Vec<Record> {
    let start = assigned(text);
    let start = text.len() - text[start..].trim_start().len();
    let body = &text[start..];
    let first_line = body.lines().next().unwrap_or_default();
    let by_lines =
        !first_line.trim().is_empty() && parses(first_line) && !body.trim_end().eq(first_line.trim_end());
    let mut records = Vec::new();
    match body.as_bytes().first() {
        Some(b'[') if !by_lines => array(text, start, &mut records),
        Some(b'{') if by_lines || parses_some_line(body) => each_line(text, &mut records),
        Some(b'{' | b'[') if !by_lines => values(text, start, text.len(), &mut records),
        _ => each_line(text, &mut records),
    }
    number_lines(text, &mut records);
    records
}

/// Where a value begins that a script gives a name to: `window.YTD.tweets.part0 = [`.
fn assigned(text: &str) -> usize {
    let blank = text.len() - text.trim_start().len();
    let line = text[blank..].lines().next().unwrap_or_default();
    match line.split_once('=') {
        Some((name, _)) if name.starts_with("window.") => blank + name.len() + 1,
        _ => blank,
    }
}

fn parses(text: &str) -> bool {
    Deserializer::from_str(text).into_iter::<IgnoredAny>().all(|value| value.is_ok())
}

/// Whether any line holds a whole record; in a value spread over lines none does, because a line
/// of it ends in a comma or opens a bracket.
fn parses_some_line(text: &str) -> bool {
    text.lines().any(|line| line.starts_with('{') && parses(line))
}

fn each_line(text: &str, records: &mut Vec<Record>) {
    for (at, line) in lines(text) {
        if !line.trim().is_empty() {
            values(text, at, at + line.len(), records);
        }
    }
}

/// Values end to end between two bytes. What does not parse is mended once as a whole; what is
/// then left over is one unreadable record.
fn values(text: &str, start: usize, end: usize, records: &mut Vec<Record>) {
    let mut at = start;
    let mut stream = Deserializer::from_str(&text[start..end]).into_iter::<Value>();
    loop {
        match stream.next() {
            Some(Ok(value)) => {
                let range = at..start + stream.byte_offset();
                at = range.end;
                records.push(Record { range, line: 0, value: Ok(value) });
            }
            Some(Err(error)) => return records.push(mended(text, at..end, &error)),
            None => return,
        }
    }
}

/// The elements of an array, one by one, so that a torn end costs only the last. An array of
/// turns is a single record.
fn array(text: &str, start: usize, records: &mut Vec<Record>) {
    let mut at = start + 1;
    loop {
        at = text.len() - text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        let rest = &text[at..];
        if rest.is_empty() || rest.starts_with(']') {
            break;
        }
        let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let range = at..at + stream.byte_offset();
                at = range.end;
                records.push(Record { range, line: 0, value: Ok(value) });
            }
            Some(Err(error)) => {
                let end = text[at..].find("\n").map_or(text.len(), |found| at + found);
                records.push(mended(text, at..end, &error));
                at = end;
            }
            None => break,
        }
    }
    let turns = |record: &Record| record.value.as_ref().is_ok_and(super::shape::is_turn);
    if !records.is_empty() && records.iter().all(turns) {
        let end = records.last().map_or(start, |last| last.range.end);
        let list = std::mem::take(records).into_iter().filter_map(|r| r.value.ok()).collect();
        records.push(Record { range: start..end, line: 0, value: Ok(Value::Array(list)) });
    }
}

/// A stretch read after repair, or as an unreadable record.
fn mended(text: &str, range: Range<usize>, error: &serde_json::Error) -> Record {
    let stretch = text[range.clone()].trim_end_matches([',', ']', ' ', '\n']);
    let value = serde_json::from_str(&repair(stretch)).map_err(|_| error.to_string());
    Record { range, line: 0, value }
}

fn number_lines(text: &str, records: &mut [Record]) {
    let (mut line, mut at) = (1, 0);
    for record in records {
        let words = text.len() - text[record.range.start..].trim_start().len();
        let begin = words.max(at);
        line += text.as_bytes()[at..begin].iter().filter(|b| **b == b'\n').count();
        at = begin;
        record.line = line;
    }
}
