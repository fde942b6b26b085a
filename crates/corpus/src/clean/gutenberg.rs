//! The frame that Project Gutenberg puts around a text: licence, header, credits, footer.
//!
//! Markers changed over the years; see the "small print" of the nineties and the `***` lines
//! since 2002. Both are known, and only what lies outside a marker is cut.

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const HEADER: &str = "gutenberg header";
const CREDITS: &str = "gutenberg credits";
const FOOTER: &str = "gutenberg footer";

/// Paragraphs looked at after the header for credits of those who made the file.
const MAX_CREDITS: usize = 4;
/// Longest paragraph of credits, in bytes.
const MAX_CREDIT: usize = 600;
/// What credits begin with.
const CREDITS_BEGIN: &[&str] = &[
    "Produced by",
    "E-text prepared by",
    "Etext prepared by",
    "This etext was",
    "This file was produced",
    "Prepared by",
    "Transcribed from",
    "Transcribed by",
];

pub(super) const CLEANER: Cleaner = Cleaner {
    name: "gutenberg frame",
    about: "header, licence, credits and footer of Project Gutenberg",
    effect: Effect::Noise,
    scope: Scope::File,
    find: |text, _: &Traits| find(text),
};

/// Whether a text carries the frame.
pub(crate) fn is_framed(text: &str) -> bool {
    !find(text).is_empty()
}

fn find(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let start = header_end(text);
    if start > 0 {
        edits.push(Edit::cut(0..start, HEADER));
        let credits = credits_end(text, start);
        if credits > start {
            edits.push(Edit::cut(start..credits, CREDITS));
        }
    }
    if let Some((end, _)) = lines(&text[start..]).find(|(_, line)| ends(line)) {
        edits.push(Edit::cut(start + end..text.len(), FOOTER));
    }
    edits
}

/// The byte after the line that ends the header, 0 where there is none. A footer repeats some of
/// the words, so a header is looked for only before the first line that ends the text.
fn header_end(text: &str) -> usize {
    let before_footer = lines(text).take_while(|(_, line)| !ends(line));
    before_footer
        .filter(|(_, line)| starts(line))
        .last()
        .map_or(0, |(at, line)| (at + line.len() + 1).min(text.len()))
}

fn starts(line: &str) -> bool {
    let line = line.trim().to_ascii_uppercase();
    let marked = line.starts_with("***") && line.contains("START OF") && line.contains("PROJECT GUTENBERG");
    marked || (line.starts_with("*END") && line.contains("THE SMALL PRINT"))
}

fn ends(line: &str) -> bool {
    let line = line.trim().to_ascii_uppercase();
    let marked = line.starts_with("***") && line.contains("END OF") && line.contains("PROJECT GUTENBERG");
    marked
        || ["END OF THE PROJECT GUTENBERG", "END OF PROJECT GUTENBERG"]
            .iter()
            .any(|mark| line.starts_with(mark))
}

/// The byte after the paragraphs of credits that begin at `start`. A paragraph too long for
/// credits is a text without blank lines: only its first line is taken then.
fn credits_end(text: &str, start: usize) -> usize {
    let mut end = start;
    for _ in 0..MAX_CREDITS {
        let rest = &text[end..];
        let paragraph = rest.trim_start();
        if !CREDITS_BEGIN.iter().any(|words| paragraph.starts_with(words)) {
            break;
        }
        let length = paragraph.find("\n\n").unwrap_or(paragraph.len());
        let first_line = paragraph.find('\n').unwrap_or(paragraph.len());
        end += rest.len() - paragraph.len();
        end += if length <= MAX_CREDIT { length } else { first_line };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn frames_of_every_age_are_cut() {
        check(
            &CLEANER,
            "The Project Gutenberg EBook of X\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nProduced by A\nand B\n\n\
             This file was produced from scans.\n\nTEXT\n\nEnd of the Project Gutenberg EBook of X\n\
             *** END OF THIS PROJECT GUTENBERG EBOOK X ***\n*** START: FULL LICENSE ***\n",
            "\n\nTEXT\n\n",
        );
        check(
            &CLEANER,
            "licence\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\nTEXT\nEnd of Project Gutenberg's X",
            "TEXT\n",
        );
        check(
            &CLEANER,
            "***START OF THE PROJECT GUTENBERG EBOOK X***\nTEXT\n***END OF THE PROJECT GUTENBERG EBOOK X***\n\
             *END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*\n",
            "TEXT\n",
        );
        let dense = format!("Produced by A\n{}", "TEXT\n".repeat(200));
        check(
            &CLEANER,
            &format!("*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n{dense}"),
            &dense["Produced by A".len()..],
        );
        check(
            &CLEANER,
            "A text about Project Gutenberg.\nProduced by me",
            "A text about Project Gutenberg.\nProduced by me",
        );
    }
}
