//! Paragraphs broken into lines of some seventy characters, joined again.
//!
//! Such breaks come from a typewriter's width, not from the author, and a model trained on them
//! learns to break lines. Verse and lists are left alone: only lines that are nearly full are
//! joined, only if most lines of the text are, and only if lines do not all begin with a capital.

use std::ops::{Range, RangeInclusive};

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "line wraps";

/// Breaks inside paragraphs below which there is nothing to judge by.
const MIN_BREAKS: usize = 8;
/// Widths at which typewriters and editors wrap, in characters.
const WIDTHS: RangeInclusive<usize> = 45..=100;
/// A line is full from this share of the width, and too long to have been wrapped above the other.
const FULL: (f64, f64) = (0.7, 1.15);
/// Share of breaks that must follow a full line.
const MIN_FULL_SHARE: f64 = 0.6;
/// Share of capitals at the beginning of lines from which a text is verse.
const VERSE_SHARE: f64 = 0.8;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "line breaks inside paragraphs that were wrapped at a fixed width",
    effect: Effect::Noise,
    scope: Scope::File,
    find: |text, _: &Traits| find(text),
};

/// A line feed inside a paragraph: the line before it and the line after.
struct Break<'a> {
    /// The line feed with the blanks before it.
    range: Range<usize>,
    before: &'a str,
    /// Characters of the line before.
    width: usize,
    after: &'a str,
}

fn find(text: &str) -> Vec<Edit> {
    let breaks = breaks(text);
    let Some(width) = wrap_width(&breaks) else { return Vec::new() };
    breaks.iter().filter(|b| is_full(b, width) && !begins_block(b.after)).map(join).collect()
}

fn breaks(text: &str) -> Vec<Break<'_>> {
    let mut breaks = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for (start, line) in lines(text) {
        if let Some((at, before)) = previous
            && !before.trim().is_empty()
            && !line.trim().is_empty()
        {
            let before = before.trim_end();
            let range = at + before.len()..start;
            breaks.push(Break { range, before, width: before.chars().count(), after: line });
        }
        previous = Some((start, line));
    }
    breaks
}

/// The width the text was wrapped at, if it was.
fn wrap_width(breaks: &[Break<'_>]) -> Option<usize> {
    if breaks.len() < MIN_BREAKS {
        return None;
    }
    let mut widths: Vec<usize> = breaks.iter().map(|b| b.width).collect();
    widths.sort_unstable();
    let width = widths[widths.len() * 9 / 10];
    let share = |n: usize| n as f64 / breaks.len() as f64;
    let full = breaks.iter().filter(|b| is_full(b, width)).count();
    let capitals = breaks.iter().filter(|b| b.after.starts_with(char::is_uppercase)).count();
    let wrapped = WIDTHS.contains(&width) && share(full) >= MIN_FULL_SHARE && share(capitals) < VERSE_SHARE;
    wrapped.then_some(width)
}

fn is_full(b: &Break<'_>, width: usize) -> bool {
    let share = b.width as f64 / width as f64;
    (FULL.0..=FULL.1).contains(&share)
}

/// Whether a line begins something of its own: an indent, a list item, a numbered or labelled line.
fn begins_block(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    let numbered = || {
        let digits = word.trim_end_matches(['.', ')']);
        digits.len() < word.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let labelled = || word.len() > 1 && word.ends_with(':') && !word.contains(char::is_lowercase);
    line.starts_with(char::is_whitespace)
        || matches!(word, "-" | "*" | "•" | "+")
        || line.starts_with(['>', '#', '|'])
        || numbered()
        || labelled()
}

/// Joins with a space, but not after a dash or hyphen: `well-` and `known` are one word.
fn join(b: &Break<'_>) -> Edit {
    let tight = b.before.ends_with(['-', '—', '–']) || b.after.starts_with("--") || b.after.starts_with('—');
    Edit::replace(b.range.clone(), if tight { "" } else { " " }, NAME)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    /// Words in a paragraph wrapped at 60 characters, and the same in one line.
    fn paragraph(words: usize) -> (String, String) {
        let word = |n: usize| ["the", "kettle", "was", "singing", "on", "hob"][n * 7 % 6];
        let flat = (0..words).map(word).collect::<Vec<_>>().join(" ");
        let (mut wrapped, mut width) = (String::new(), 0);
        for word in flat.split(' ') {
            let end = if width == 0 {
                ""
            } else if width + word.len() > 60 {
                "\n"
            } else {
                " "
            };
            width = if end == "\n" { word.len() } else { width + end.len() + word.len() };
            wrapped.extend([end, word]);
        }
        (wrapped, flat)
    }

    #[test]
    fn wrapped_paragraphs_become_lines() {
        let ((a, flat_a), (b, flat_b)) = (paragraph(90), paragraph(71));
        let verse = "  An indented line,\n  another line of verse";
        check(&CLEANER, &format!("{a}\n\n{verse}\n\n{b}"), &format!("{flat_a}\n\n{verse}\n\n{flat_b}"));
        check(&CLEANER, &format!("{a}\nANSWER: so\n- item"), &format!("{flat_a}\nANSWER: so\n- item"));
    }

    #[test]
    fn dashes_join_without_a_space() {
        let (a, flat) = paragraph(90);
        let text = format!("{a}\n\nand then the kettle was singing and singing on the hob--\nand so");
        let joined = format!("{flat}\n\nand then the kettle was singing and singing on the hob--and so");
        check(&CLEANER, &text, &joined);
    }

    #[test]
    fn verse_and_short_texts_keep_their_lines() {
        let verse = "When forty winters shall besiege thy brow,\n".repeat(30);
        check(&CLEANER, &verse, &verse);
        check(&CLEANER, "one line of text\nanother line", "one line of text\nanother line");
    }
}
