//! Documents of word processors: DOCX and ODT. Each is a zip archive whose writing is one XML file;
//! deleted words, comments, notes of reviewers and field codes are not writing.

use std::io::Cursor;

use super::super::archive::{Archive, Refused};
use super::html::place;
use super::open::{self, Opened, Opener};
use super::xml::{self, Event, attribute};
use super::{Format, Reading, Source, extension};
use crate::Settings;
use crate::document::Title;
use crate::encoding;
use crate::issue::{Code, Issue, Severity};

/// Reason for everything that is no writing.
const MARKUP: &str = "document markup";
/// Where the writing stands in an archive.
const BODIES: &[&str] = &["word/document.xml", "content.xml"];
/// Elements whose words nobody reads in the finished text.
const HIDDEN: &[&str] = &[
    "w:del",
    "w:moveFrom",
    "w:instrText",
    "w:delText",
    "mc:Fallback",
    "w:pict",
    "office:annotation",
    "text:tracked-changes",
    "text:note",
    "text:sequence-decls",
    "office:automatic-styles",
    "office:font-face-decls",
];

pub(super) const FORMAT: Format = Format {
    name: "office",
    about: "a document of Word (.docx) or LibreOffice (.odt)",
    needs: "",
    yields: "writing",
    plain: false,
    decodes_entities: true,
    claims: |_| None,
    read,
};

pub(super) const OPENER: Opener = Opener { takes, open };

fn takes(name: &str, _: &[u8]) -> bool {
    matches!(extension(name).as_str(), "docx" | "odt")
}

fn open(bytes: &[u8], settings: &Settings) -> open::Result {
    let broken = |why: String| (Code::Archive, why);
    let mut archive = Archive::open(Cursor::new(bytes), settings.max_file_bytes).map_err(broken)?;
    let mut refused = Refused::Missing;
    for name in BODIES {
        match archive.read(name) {
            Ok(bytes) => {
                let decoded = encoding::decode(&bytes)
                    .map_err(|what| (Code::Binary, format!("`{name}` in it is {what}")))?;
                let format = Some((&FORMAT, "it is a document of a word processor"));
                return Ok(Opened { format, ..Opened::new(decoded) });
            }
            Err(Refused::Missing) => {}
            Err(why) => refused = why,
        }
    }
    let expected = BODIES.join("` or `");
    Err(broken(format!("no writing in it: `{expected}` is not read: {refused}")))
}

/// A document as it is walked through.
#[derive(Default)]
struct Walk {
    text: String,
    /// Elements open inside one that is hidden, that one included.
    hidden: usize,
    /// Whether words count: inside a run of Word, or a paragraph of LibreOffice.
    in_words: usize,
    style: String,
    /// Where the paragraph begins.
    start: usize,
    title: Option<String>,
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut walk = Walk::default();
    if let Err(why) = xml::walk(source.text, |event| walk.see(event)) {
        let detail = format!("the document breaks off: {why}");
        reading.issues.push(Issue::new(source.path, Code::Archive, Severity::Part, detail));
    }
    let title = walk.title.take().map(|text| Title { text, given: true });
    let text = walk.text.trim().to_owned();
    place(source, &text, title, None, &mut reading);
    reading.close(source.text, MARKUP);
    reading
}

impl Walk {
    fn see(&mut self, event: Event) {
        match event {
            Event::Start { name, .. } if self.hidden > 0 || HIDDEN.contains(&name.as_str()) => {
                self.hidden += 1
            }
            Event::Start { name, attributes } => self.start(&name, &attributes),
            Event::End(_) if self.hidden > 0 => self.hidden -= 1,
            Event::End(name) => self.end(&name),
            Event::Text(words) if self.hidden == 0 && self.in_words > 0 => self.text.push_str(&words),
            Event::Text(_) => {}
        }
    }

    fn start(&mut self, name: &str, attributes: &str) {
        match name {
            "w:p" => self.paragraph(String::new()),
            "text:p" | "text:h" => {
                self.paragraph(attribute(attributes, "text:style-name").unwrap_or_default());
                self.in_words += 1;
            }
            "w:pStyle" => self.style = attribute(attributes, "w:val").unwrap_or_default(),
            "w:t" => self.in_words += 1,
            "w:tab" | "text:tab" => self.text.push('\t'),
            "w:br" | "w:cr" | "text:line-break" => self.text.push('\n'),
            "w:noBreakHyphen" => self.text.push('-'),
            "text:s" => {
                let n = attribute(attributes, "text:c").and_then(|n| n.parse().ok()).unwrap_or(1usize);
                self.text.push_str(&" ".repeat(n.min(80)));
            }
            _ => {}
        }
    }

    fn paragraph(&mut self, style: String) {
        self.style = style;
        self.start = self.text.len();
    }

    fn end(&mut self, name: &str) {
        match name {
            "w:t" => self.in_words = self.in_words.saturating_sub(1),
            "text:p" | "text:h" => {
                self.in_words = self.in_words.saturating_sub(1);
                self.end_paragraph();
            }
            "w:p" => self.end_paragraph(),
            "w:tc" | "table:table-cell" => self.text.push(' '),
            _ => {}
        }
    }

    /// Ends a paragraph. That of the style `Title`, before anything else, is the title; headings
    /// stand apart as they do in plain text.
    fn end_paragraph(&mut self) {
        let style = std::mem::take(&mut self.style).to_lowercase();
        let start = self.start.min(self.text.len());
        let words = self.text[start..].trim();
        if words.is_empty() {
            self.text.truncate(self.text.trim_end_matches(['\n', ' ']).len());
            self.text.push_str("\n\n");
        } else if style == "title" && self.title.is_none() && self.text[..start].trim().is_empty() {
            self.title = Some(words.to_owned());
            self.text.clear();
        } else {
            if style.starts_with("heading") {
                self.text.insert(start, '\n');
            }
            self.text.push_str("\n\n");
        }
        self.start = self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::archive::tests::packed;
    use super::super::tests::with_source;
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(name: &str, bytes: &[u8], expected: Expect) {
        let settings = Settings::default();
        let mut seen = String::new();
        match open::open(name, bytes, &settings) {
            Ok(opened) => {
                let text = &opened.decoded.text;
                let reading = with_source(name, text, &settings, |s| (opened.format.unwrap().0.read)(s));
                let held: u64 = reading.documents.iter().map(|d| d.given).sum();
                let given = text.chars().count() as u64;
                assert_eq!(given + reading.tally.added, held + reading.tally.dropped_chars());
                for document in &reading.documents {
                    let title = document.title.as_ref().map_or("-", |title| title.text.as_str());
                    writeln!(seen, "{title}: {:?}", document.voice()).unwrap();
                }
                reading.issues.iter().for_each(|i| writeln!(seen, "{}", i.detail).unwrap());
            }
            Err((code, why)) => writeln!(seen, "{code:?}: {why}").unwrap(),
        }
        expected.assert_eq(&seen);
    }

    #[test]
    fn writing_is_kept_and_what_was_deleted_is_not() {
        let document = br#"<?xml version="1.0"?><w:document><w:body><w:p><w:pPr><w:pStyle w:val="Title"/></w:pPr><w:r><w:t>On Tea</w:t></w:r></w:p>
            <w:p><w:r><w:t xml:space="preserve">It is </w:t></w:r><w:del><w:r><w:delText>dry</w:delText></w:r></w:del><w:r><w:t>wet &amp; hot.</w:t><w:br/><w:t>Mostly.</w:t></w:r></w:p>
            <w:p/><w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t>End.</w:t></w:r></w:p></w:body></w:document>"#;
        check(
            "a.docx",
            &packed(&[("word/document.xml", document)]),
            expect![[r#"
            On Tea: "It is wet & hot.\nMostly.\n\nEnd."
        "#]],
        );
        let document = br#"<office:document-content><office:body><office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>
            <text:h text:style-name="Heading_1">One</text:h><text:p>Two<text:s text:c="2"/>three<office:annotation><text:p>Nice!</text:p></office:annotation>.</text:p></office:text></office:body></office:document-content>"#;
        check(
            "a.odt",
            &packed(&[("content.xml", document)]),
            expect![[r#"
            -: "One\n\nTwo  three."
        "#]],
        );
    }

    #[test]
    fn what_is_no_document_is_told() {
        check(
            "a.docx",
            &packed(&[("word/other.xml", b"x")]),
            expect![[r#"
            Archive: no writing in it: `word/document.xml` or `content.xml` is not read: it is not in the archive
        "#]],
        );
        check(
            "a.docx",
            b"PK\x03\x04torn",
            expect![[r#"
            Archive: a damaged zip archive: invalid Zip archive: Could not find EOCD
        "#]],
        );
        check(
            "a.docx",
            &packed(&[("word/document.xml", b"<w:p><w:r><w:t>Whole.</w:t></w:r></w:p><w:p><w:t>torn")]),
            expect![[r#"
                -: "Whole.\n\ntorn"
                the document breaks off: it ends inside 2 open elements
            "#]],
        );
    }
}
