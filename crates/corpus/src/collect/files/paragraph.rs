//! Paragraphs of a plain text, and which of them are headings.

use std::ops::Range;

use crate::clean::lines;

/// Words a heading has at most.
const MAX_HEADING_WORDS: usize = 12;

/// Lines between blank lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// Its bytes, from its first line to the end of its last, without the line end.
    pub(super) range: Range<usize>,
    /// Blank lines before it.
    pub(super) blanks: usize,
}

/// Divides a text at its blank lines.
pub(super) fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut found: Vec<Paragraph> = Vec::new();
    let (mut blanks, mut open) = (0, false);
    for (at, line) in lines(text) {
        if line.trim().is_empty() {
            blanks += 1;
            open = false;
            continue;
        }
        let end = at + line.len();
        match found.last_mut() {
            Some(last) if open => last.range.end = end,
            _ => found.push(Paragraph { range: at..end, blanks }),
        }
        (blanks, open) = (0, true);
    }
    found
}

/// Whether a paragraph is a heading: one short line, in capitals or beginning with a word for a
/// part of a book, set apart by at least `blanks` blank lines.
pub(super) fn is_heading(text: &str, paragraph: &Paragraph, blanks: usize) -> bool {
    let line = text[paragraph.range.clone()].trim();
    let apart = paragraph.blanks >= blanks || paragraph.range.start == 0;
    apart
        && !line.contains('\n')
        && line.split_whitespace().count() <= MAX_HEADING_WORDS
        && reads_as_heading(line)
}

fn reads_as_heading(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = letters >= 2 && !line.contains(char::is_lowercase);
    let first = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    capitals || matches!(first.as_str(), "chapter" | "part" | "book" | "letter" | "section" | "canto")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_stand_apart_in_capitals() {
        let text =
            "PREFACE.\n\n\nSome text\nof two lines.\n\n\nCHAPTER I. The Kettle\n\nMore text.\n\nNOTE\n";
        let paragraphs = paragraphs(text);
        let headings: Vec<_> =
            paragraphs.iter().filter(|p| is_heading(text, p, 2)).map(|p| &text[p.range.clone()]).collect();
        assert_eq!(paragraphs.len(), 5);
        assert_eq!(headings, ["PREFACE.", "CHAPTER I. The Kettle"]);
    }
}
