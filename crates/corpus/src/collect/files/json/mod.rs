//! Dialogues as JSON: one record per line, an array of records, records end to end.
//!
//! Which fields a record has is a matter of [`shape`]; how records are told apart, even in a
//! damaged file, of [`record`]. Every turn of a dialogue is kept, not only the first two.

mod record;
mod repair;
pub(super) mod shape;
mod tree;

pub(super) use record::records;

use super::{Claim, Format, Reading, Source, chars, claim, extension};
use crate::document::{Body, Document, Kind, Title};
use crate::issue::{Code, Issue, Severity};

/// Reason for everything that is no text of a document.
pub(super) const SYNTAX: &str = "json syntax and other fields";

/// Reason for the other branches of a tree of replies.
const RANKED: &str = "replies ranked lower";
/// Issues of one kind reported one by one before they are only counted.
const MAX_ISSUES: usize = 20;

pub(super) const FORMAT: Format = Format {
    name: "json",
    about: "JSON or JSON lines: messages, ShareGPT conversations, instructions, bare lists of turns",
    needs: "",
    yields: "dialogues",
    plain: false,
    decodes_entities: false,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let extension = extension(source.path);
    if matches!(extension.as_str(), "json" | "jsonl" | "ndjson") {
        return claim(100, format!("the name ends in .{extension}"));
    }
    let text = source.text.trim_start();
    let line = text.lines().next().unwrap_or_default();
    let is_json = text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    is_json.then(|| claim(90, "the text begins with a JSON value")).flatten()
}

fn read(source: &Source<'_>) -> Reading {
    let mut reader = Reader { source, reading: Reading::default(), unseen: 0 };
    let records = record::records(source.text);
    let is_message = |record: &&record::Record| record.value.as_ref().is_ok_and(tree::is_message);
    let messages: Vec<_> = records.iter().filter(is_message).filter_map(|r| r.value.as_ref().ok()).collect();
    reader.messages(&messages);
    for record in records.iter().filter(|record| !is_message(record)) {
        reader.record(record);
    }
    reader.finish()
}

struct Reader<'a> {
    source: &'a Source<'a>,
    reading: Reading,
    /// Issues that were counted but not listed.
    unseen: usize,
}

impl Reader<'_> {
    /// Messages that name their parents, as dialogues.
    fn messages(&mut self, messages: &[&serde_json::Value]) {
        let threads = tree::threads(messages);
        threads.aside.iter().for_each(|text| self.reading.tally.drop(RANKED, chars(text)));
        for turns in threads.dialogues {
            let (position, body) = (self.reading.documents.len(), Body::Turns(turns));
            self.reading.documents.push(Document::new(
                self.source.path,
                position,
                Kind::Dialogue,
                None,
                body,
            ));
        }
    }

    fn record(&mut self, record: &record::Record) {
        let span = &self.source.text[record.range.clone()];
        let value = match &record.value {
            Ok(value) => value,
            Err(why) => {
                self.reading.tally.drop("unreadable json", chars(span));
                return self.issue(record.line, Code::Json, why);
            }
        };
        let Some(shape) = shape::ALL.iter().find(|shape| (shape.matches)(value)) else {
            self.reading.tally.drop("unknown json records", chars(span));
            return self.issue(record.line, Code::Shape, "a record of no known shape");
        };
        let mut notes = shape::Notes::default();
        let (kind, body) = (shape.read)(value, &mut notes);
        for (code, reason, text) in notes.dropped {
            self.reading.tally.drop(reason, chars(&text));
            self.issue(record.line, code, reason);
        }
        self.reading.tally.drop(RANKED, notes.ranked_chars);
        let title = notes.title.map(|text| Title { text, given: true });
        let position = self.reading.documents.len();
        self.reading.documents.push(Document::new(self.source.path, position, kind, title, body));
    }

    fn issue(&mut self, line: usize, code: Code, detail: &str) {
        if self.reading.issues.len() < MAX_ISSUES {
            let issue = Issue::new(self.source.path, code, Severity::Part, detail);
            self.reading.issues.push(issue.at(line));
        } else {
            self.unseen += 1;
        }
    }

    /// Everything between the texts is syntax: names of fields, quotes, escapes, other fields.
    fn finish(mut self) -> Reading {
        if self.unseen > 0 {
            let detail = format!("{} more findings of this file are not listed", self.unseen);
            self.reading.issues.push(Issue::new(self.source.path, Code::Json, Severity::Part, detail));
        }
        self.reading.close(self.source.text, SYNTAX);
        self.reading
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_with;
    use super::*;
    use crate::document::Speaker;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(text: &str, expected: Expect) {
        let reading = read_with(&FORMAT, "p.jsonl", text);
        let mut seen = String::new();
        for document in &reading.documents {
            match &document.body {
                Body::Text(text) => write!(seen, "text {text:?}").unwrap(),
                Body::Turns(turns) => {
                    let name = |speaker| match speaker {
                        Speaker::Voice => "V",
                        Speaker::Aside => "A",
                        Speaker::Other => "O",
                        Speaker::System => "S",
                    };
                    let turns: Vec<_> =
                        turns.iter().map(|t| format!("{} {:?}", name(t.speaker), t.text)).collect();
                    seen += &turns.join(", ");
                }
            }
            seen += "\n";
        }
        for issue in &reading.issues {
            writeln!(seen, "line {}: {:?} {}", issue.line.unwrap_or_default(), issue.code, issue.detail)
                .unwrap();
        }
        expected.assert_eq(&seen);
    }

    #[test]
    fn every_shape_is_read_with_all_its_turns() {
        let text = r#"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"yo"},{"type":"image_url","image_url":{}}]},{"role":"user","content":"bye"},{"role":"assistant","content":"so long","weight":1}],"id":7}
{"conversations":[{"from":"human","value":"who?"},{"from":"gpt","value":"me"},{"from":"tool","value":"42"}]}
{"instruction":"Name it","input":"a red fruit","output":"apple"}
[{"role":"user","content":"bare"},{"role":"assistant","content":"list"}]
{"prompt":"p","completion":"c"}
{"question":"q?","answer":"a"}
{"text":"running","title":"T"}
"#;
        check(
            text,
            expect![[r#"
            S "be brief", O "hi", V "yo", O "bye", V "so long"
            O "who?", V "me"
            O "Name it\n\na red fruit", V "apple"
            O "bare", V "list"
            O "p", V "c"
            O "q?", V "a"
            text "running"
            line 1: Part message parts that are no text
            line 2: Role turns of unknown speakers
        "#]],
        );
    }

    #[test]
    fn damaged_lines_cost_only_themselves() {
        let text = "{\"question\":\"1\",\"answer\":\"a\"}{\"question\":\"2\",\"answer\":\"b\"}\n\
            {\"question\":\"3\",\"answer\":NaN}\n\
            not json\n\n\
            {\"question\":\"4\",\"answer\":\"lone \\ud83d tab\there\u{2028}sep\",}\n\
            {\"unknown\":1}\n\
            {\"question\":\"5\",\"answ";
        check(
            text,
            expect![[r#"
            O "1", V "a"
            O "2", V "b"
            O "3", V ""
            O "4", V "lone � tab\there\u{2028}sep"
            line 3: Json expected ident at line 1 column 2
            line 6: Shape a record of no known shape
            line 7: Json EOF while parsing a string at line 1 column 21
        "#]],
        );
    }

    #[test]
    fn arrays_are_read_where_lines_are_expected() {
        check(
            "[\n  {\"question\":\"1\",\"answer\":\"a\"},\n  {\"question\":\"2\",\"answer\":\"b\"}\n]",
            expect![[r#"
                O "1", V "a"
                O "2", V "b"
            "#]],
        );
        check(
            "[[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"}]]",
            expect![[r#"
                O "q", V "a"
            "#]],
        );
        check(
            "[{\"role\":\"user\",\"content\":\"q\"},\n{\"role\":\"assistant\",\"content\":\"a\"}]",
            expect![[r#"
                O "q", V "a"
            "#]],
        );
        check(
            "[{\"question\":\"1\",\"answer\":\"a\"},\n{\"question\":\"2\",\"ans",
            expect![[r#"
            O "1", V "a"
            line 2: Json EOF while parsing a string at line 1 column 20
        "#]],
        );
        check(
            "{\n \"question\":\"1\",\n \"answer\":\"a\"\n}\n{\n \"question\":\"2\",\n \"answer\":\"b\"\n}",
            expect![[r#"
                O "1", V "a"
                O "2", V "b"
            "#]],
        );
    }
}
