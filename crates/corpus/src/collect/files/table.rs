//! Tables: CSV and TSV with a line of names. What a row is, is told by its columns, as a JSON record's
//! fields tell it; rows with a speaker and words are talk.

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::json::shape;
use super::talk::{Said, tell};
use super::{Claim, Format, Reading, Source, claim, extension};
use crate::document::{Document, Title};
use crate::issue::{Code, Issue, Severity};
use crate::when;

/// Reason for everything that is no text of a document.
pub(super) const MARKUP: &str = "columns and quotes of tables";
/// Names of columns, the first of which that is there counts.
const WHO: &[&str] = &["speaker", "author", "from", "sender", "sender_name", "username", "user", "name"];
const WORDS: &[&str] = &["text", "message", "content", "body", "words"];
const AT: &[&str] = &["date", "time", "timestamp", "created_at", "created_utc", "sent_at", "datetime"];
/// Rows of one kind told one by one.
const MAX_ISSUES: usize = 20;

pub(super) const FORMAT: Format = Format {
    name: "table",
    about: "CSV or TSV with names of columns: question and answer, prompt and completion, title and text, speaker and text",
    needs: "`corpus.voice` where a column says who speaks",
    yields: "rows with known columns",
    plain: false,
    decodes_entities: false,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let extension = extension(source.path);
    matches!(extension.as_str(), "csv" | "tsv")
        .then(|| claim(90, format!("the name ends in .{extension}")))
        .flatten()
}

/// A table with a name for each column.
pub(super) struct Table {
    pub(super) names: Vec<String>,
    /// Each row with the line it begins on.
    pub(super) rows: Vec<(usize, Vec<String>)>,
    /// Rows that have more or fewer columns than there are names.
    pub(super) odd: Vec<(usize, usize)>,
    /// Where reading broke off.
    pub(super) broken: Option<String>,
}

impl Table {
    /// Reads a table, with the separator that most often stands in its first line.
    pub(super) fn of(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        let separators = [',', ';', '\t', '|'];
        let separator = separators.into_iter().rev().max_by_key(|c| first.matches(*c).count()).unwrap_or(',');
        let mut reader = ReaderBuilder::new()
            .delimiter(u8::try_from(separator).unwrap_or(b','))
            .flexible(true)
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut table = Self { names: Vec::new(), rows: Vec::new(), odd: Vec::new(), broken: None };
        let mut record = ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => table.row(&record),
                Ok(false) => return table,
                Err(error) => {
                    table.broken = Some(error.to_string());
                    return table;
                }
            }
        }
    }

    fn row(&mut self, record: &ByteRecord) {
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
        // The text was UTF-8 and separators are ASCII, so a field is too.
        let fields: Vec<String> =
            record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        if self.names.is_empty() {
            self.names =
                fields.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_lowercase()).collect();
            return;
        }
        if fields.len() != self.names.len() {
            self.odd.push((line, fields.len()));
        }
        self.rows.push((line, fields));
    }

    /// The first of some columns that is there.
    pub(super) fn column(&self, wanted: &[&str]) -> Option<usize> {
        wanted.iter().find_map(|name| self.names.iter().position(|n| n == name))
    }
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let table = Table::of(source.text);
    notes(source, &table, &mut reading);
    let is_question = table.column(&["question", "prompt", "instruction", "title"]).is_some();
    match (table.column(WHO), table.column(WORDS)) {
        (Some(who), Some(words)) if !is_question => talk(source, &table, who, words, &mut reading),
        _ => records(source, &table, &mut reading),
    }
    reading.close(source.text, MARKUP);
    reading
}

/// What is wrong with the table as a table.
pub(super) fn notes(source: &Source<'_>, table: &Table, reading: &mut Reading) {
    let n = table.names.len();
    for (line, found) in table.odd.iter().take(MAX_ISSUES) {
        let detail = format!("{found} columns, expected {n}: {}", table.names.join(", "));
        reading.issues.push(Issue::new(source.path, Code::Table, Severity::Note, detail).at(*line));
    }
    if table.odd.len() > MAX_ISSUES {
        let detail = format!("{} more rows with other columns", table.odd.len() - MAX_ISSUES);
        reading.issues.push(Issue::new(source.path, Code::Table, Severity::Note, detail));
    }
    if let Some(why) = &table.broken {
        reading.issues.push(Issue::new(
            source.path,
            Code::Table,
            Severity::Part,
            format!("breaks off: {why}"),
        ));
    }
}

fn talk(source: &Source<'_>, table: &Table, who: usize, words: usize, reading: &mut Reading) {
    let at = table.column(AT);
    let field = |row: &[String], idx: usize| row.get(idx).cloned().unwrap_or_default();
    let said = table.rows.iter().map(|(_, row)| Said {
        who: field(row, who),
        at: at.and_then(|idx| when::parse(&field(row, idx))),
        text: field(row, words),
        ..Said::default()
    });
    tell(source, said.collect(), reading);
}

fn records(source: &Source<'_>, table: &Table, reading: &mut Reading) {
    let record = |row: &[String]| -> Value {
        let fields = table.names.iter().zip(row).filter(|(_, field)| !field.trim().is_empty());
        Value::Object(
            fields.map(|(name, field)| (name.clone(), Value::String(field.clone()))).collect::<Map<_, _>>(),
        )
    };
    let mut n_unknown = 0;
    for (_, row) in &table.rows {
        let value = record(row);
        let Some(shape) = shape::ALL.iter().find(|shape| (shape.matches)(&value)) else {
            n_unknown += 1;
            continue;
        };
        let mut notes = shape::Notes::default();
        let (kind, body) = (shape.read)(&value, &mut notes);
        let title = notes.title.map(|text| Title { text, given: true });
        let mut document = Document::new(source.path, reading.documents.len(), kind, title, body);
        document.date = AT.iter().find_map(|name| value[*name].as_str()).map(str::to_owned);
        reading.documents.push(document);
    }
    if n_unknown > 0 {
        let detail = format!(
            "{n_unknown} rows hold nothing known; the columns are {}; expected text, title with text, question with \
             answer, prompt with completion, or speaker with text",
            table.names.join(", ")
        );
        reading.issues.push(Issue::new(source.path, Code::Table, Severity::Part, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::super::chars;
    use super::super::tests::{assert_accounted, with_source};
    use super::*;
    use crate::Settings;
    use crate::document::Body;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(text: &str, expected: Expect) {
        let settings = Settings { voice: vec!["Ann".into()], ..Settings::default() };
        let reading = with_source("a.csv", text, &settings, |source| (FORMAT.read)(source));
        assert_accounted(&reading, chars(text));
        let mut seen = String::new();
        for document in &reading.documents {
            let title = document.title.as_ref().map_or("", |title| title.text.as_str());
            match &document.body {
                Body::Text(text) => writeln!(seen, "{title}: {text:?}").unwrap(),
                Body::Turns(_) => {
                    writeln!(seen, "{:?} -> {:?}", document.others(), document.voice()).unwrap()
                }
            }
        }
        reading.issues.iter().for_each(|i| writeln!(seen, "{:?}: {}", i.line, i.detail).unwrap());
        expected.assert_eq(&seen);
    }

    #[test]
    fn columns_say_what_a_row_is() {
        check(
            "\u{feff}Question,Answer\n\"Is it \"\"wet\"\"?\",\"Yes.\nVery.\"\nWhy?\n",
            expect![[r#"
            "Is it \"wet\"?" -> "Yes.\nVery."
            Some(4): 1 columns, expected 2: question, answer
            None: 1 rows hold nothing known; the columns are question, answer; expected text, title with text, question with answer, prompt with completion, or speaker with text
        "#]],
        );
        check(
            "title;text;date\nTea;It is wet, mostly;2020-01-02\n",
            expect![[r#"
            Tea: "It is wet, mostly"
        "#]],
        );
        check(
            "date\tauthor\tmessage\n2020-01-02 10:00\tBob\tup?\n2020-01-02 10:01\tann\tno\n",
            expect![[r#"
                "up?" -> "no"
            "#]],
        );
        check(
            "a,b\n1,2\n",
            expect![[r#"
            None: 1 rows hold nothing known; the columns are a, b; expected text, title with text, question with answer, prompt with completion, or speaker with text
        "#]],
        );
        check(
            "text\n\"never closed\nmore",
            expect![[r#"
            : "never closed\nmore"
        "#]],
        );
    }
}
