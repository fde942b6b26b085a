//! Numbered notes and the marks that call them: `so[3]` and, below, `[3] See page 12.`
//!
//! Only what belongs together goes: a mark without its note, and a note nothing calls, stay.

use std::collections::BTreeSet;

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const MARKS: &str = "note marks";
const NOTES: &str = "footnotes";

/// Longest number or letter of a note, in bytes.
const MAX_LABEL: usize = 4;
/// Longest note, in bytes.
const MAX_NOTE: usize = 4096;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: "numbered notes",
    about: "notes that begin with `[3]` and the marks in the text that call them",
    effect: Effect::Noise,
    scope: Scope::File,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    if !text.contains('[') {
        return Vec::new();
    }
    let marks: Vec<(usize, &str)> = marks(text).collect();
    let called: BTreeSet<&str> = marks.iter().map(|(_, label)| *label).collect();
    let notes: Vec<(usize, usize, &str)> =
        paragraphs(text).filter(|(_, _, label)| called.contains(label)).collect();
    let mut noted: BTreeSet<&str> = notes.iter().map(|(_, _, label)| *label).collect();
    noted.extend(bracketed(text));
    let mut edits: Vec<Edit> = notes.iter().map(|(start, end, _)| Edit::cut(*start..*end, NOTES)).collect();
    let inside = |at: usize| notes.iter().any(|(start, end, _)| (*start..*end).contains(&at));
    for (at, label) in marks.iter().filter(|(at, label)| noted.contains(label) && !inside(*at)) {
        let spaced = usize::from(text[..*at].ends_with(' '));
        edits.push(Edit::cut(at - spaced..at + label.len() + 2, MARKS));
    }
    edits
}

/// `[3]` behind a word, a stop or one space.
fn marks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('[').filter_map(|(at, _)| {
        let label = label(&text[at..])?;
        let before = text[..at].strip_suffix(' ').unwrap_or(&text[..at]);
        let behind = before.ends_with(|c: char| c.is_alphanumeric() || ".,;:!?\"'”’)".contains(c));
        behind.then_some((at, label))
    })
}

/// The number or letter between the brackets a text begins with.
fn label(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.bytes().take(MAX_LABEL + 1).position(|b| b == b']')?;
    let label = &inner[..end];
    let is_number = !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    let is_letter = label.len() == 1 && label.bytes().all(|b| b.is_ascii_uppercase());
    (is_number || is_letter).then_some(label)
}

/// Paragraphs that begin with a mark: where they begin, where they end, and their label.
fn paragraphs(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut is_first = true;
    lines(text).filter_map(move |(at, line)| {
        let begins = std::mem::replace(&mut is_first, line.trim().is_empty());
        let rest = &text[at..];
        let label = label(rest).filter(|label| begins && rest[label.len() + 2..].starts_with(' '))?;
        let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
        (end <= MAX_NOTE).then_some((at, at + end, label))
    })
}

/// Labels of notes in brackets of their own, which another cleaner cuts: `[Footnote 3: …]`.
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("[Footnote ").filter_map(|(at, opener)| {
        let rest = &text[at + opener.len()..];
        let end = rest.bytes().take(MAX_LABEL + 1).position(|b| b == b':')?;
        Some(&rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn notes_go_with_their_marks() {
        check(
            &CLEANER,
            "The kettle sang.[1] It was wet [2], they say.\n\n[1] See the kettle.\nAnd so on.\n\n[2] Ibid.\n\nMore.",
            "The kettle sang. It was wet, they say.\n\n\n\nMore.",
        );
        check(&CLEANER, "So[A] it is.\n\n[Footnote A: Wet.]", "So it is.\n\n[Footnote A: Wet.]");
    }

    #[test]
    fn what_belongs_to_nothing_stays() {
        let lonely = "See [3] there.\n\n[4] Not called.\n\nan array[0]";
        check(&CLEANER, lonely, lonely);
    }
}
