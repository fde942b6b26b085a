//! Heads that print repeats on every page, left in the middle of a text by whoever scanned it.
//!
//! What tells them from headings is that they interrupt: the line before has no end, and the line
//! after goes on in lower case. A heading never does that.

use std::collections::BTreeMap;

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "running heads";

/// Times a head must stand there.
const MIN_TIMES: usize = 5;
/// Share of those times at which it must interrupt a sentence.
const MIN_INTERRUPTS: f64 = 0.4;
/// Longest head, in bytes.
const MAX_HEAD: usize = 90;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "titles repeated from page to page where they interrupt the text",
    effect: Effect::Noise,
    scope: Scope::File,
    find,
};

/// A line that may be a head: where it stands among the lines that say something.
struct Place {
    index: usize,
    interrupts: bool,
}

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let filled: Vec<(usize, &str)> = lines(text).filter(|(_, line)| !line.trim().is_empty()).collect();
    let mut heads: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (index, (_, line)) in filled.iter().enumerate() {
        if is_title(line) {
            let interrupts = interrupts(&filled, index);
            heads.entry(mask(line)).or_default().push(Place { index, interrupts });
        }
    }
    let is_head = |places: &&Vec<Place>| {
        let n_interrupts = places.iter().filter(|place| place.interrupts).count();
        places.len() >= MIN_TIMES && n_interrupts as f64 >= MIN_INTERRUPTS * places.len() as f64
    };
    let places = heads.values().filter(is_head).flatten();
    places.map(|place| cut(text, &filled, place)).collect()
}

/// A head goes with its line; where it interrupts, with the blank lines around it too.
fn cut(text: &str, filled: &[(usize, &str)], place: &Place) -> Edit {
    let (at, line) = filled[place.index];
    let end = |at: usize, line: &str| (at + line.len() + 1).min(text.len());
    let around = (before(filled, place.index), after(filled, place.index));
    match around {
        (Some(before), Some(after)) if place.interrupts => {
            Edit::cut(end(filled[before].0, filled[before].1)..filled[after].0, NAME)
        }
        _ => Edit::cut(at..end(at, line), NAME),
    }
}

fn interrupts(filled: &[(usize, &str)], index: usize) -> bool {
    let is_open = |line: &str| line.trim_end().ends_with(|c: char| c.is_alphanumeric() || ",-;".contains(c));
    let goes_on = |line: &str| line.starts_with(char::is_lowercase);
    before(filled, index).is_some_and(|i| is_open(filled[i].1))
        && after(filled, index).is_some_and(|i| goes_on(filled[i].1))
}

/// The line before that is more than a number.
fn before(filled: &[(usize, &str)], index: usize) -> Option<usize> {
    let near = index.saturating_sub(2)..index;
    near.rev().find(|i| !is_number(filled[*i].1))
}

fn after(filled: &[(usize, &str)], index: usize) -> Option<usize> {
    let near = index + 1..(index + 3).min(filled.len());
    near.into_iter().find(|i| !is_number(filled[*i].1))
}

fn is_number(line: &str) -> bool {
    line.trim().trim_matches(|c: char| "-–—[]()".contains(c)).bytes().all(|b| b.is_ascii_digit() || b == b' ')
}

/// Short, without an end, and most words begin with a capital or a digit.
fn is_title(line: &str) -> bool {
    let line = line.trim();
    if line.len() > MAX_HEAD || line.ends_with(['.', ',', ';', ':', '!', '?', '"', '”']) {
        return false;
    }
    let words = line.split_whitespace().filter(|word| word.starts_with(char::is_alphabetic));
    let (n_words, n_high) = words
        .fold((0, 0), |(n, high), word| (n + 1, high + usize::from(word.starts_with(char::is_uppercase))));
    n_words > 0 && n_high * 5 >= n_words * 3 && line.chars().filter(|c| c.is_alphabetic()).count() > 2
}

/// A line without its numbers, which change from page to page.
fn mask(line: &str) -> String {
    let words = line.split_whitespace().filter(|word| !word.bytes().all(|b| b.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn heads_that_interrupt_go() {
        let page = |n: usize| format!("and so the kettle\n\n{n} THE KETTLE\n\nsang on.\n");
        let scanned: String = (1..=6).map(page).collect();
        check(&CLEANER, &scanned, &"and so the kettle\nsang on.\n".repeat(6));
        let page = |n: usize| format!("and so the kettle\n{n}\nThe Kettle\nsang on.\n");
        let scanned: String = (1..=6).map(page).collect();
        check(&CLEANER, &scanned, &"and so the kettle\nsang on.\n".repeat(6));
    }

    #[test]
    fn headings_and_refrains_stay() {
        let headings: String =
            (1..=9).map(|n| format!("So it ends.\n\nCHAPTER {n}\n\nIt began.\n\n")).collect();
        check(&CLEANER, &headings, &headings);
        let refrain = "and so it went\nO my dear\nand so it goes\n".repeat(9);
        check(&CLEANER, &refrain, &refrain);
    }
}
