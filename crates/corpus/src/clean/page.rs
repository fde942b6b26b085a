//! Lines that belong to the page, not to the text: page numbers and ornaments between parts.

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NUMBERS: &str = "page numbers";
const ORNAMENTS: &str = "separator lines";

/// Bare numbers on lines of their own are page numbers only if there are this many, rising.
const MIN_BARE: usize = 5;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: "page furniture",
    about: "lines that hold a page number or an ornament such as `* * *` or `-----`",
    effect: Effect::Noise,
    scope: Scope::File,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut bare = Vec::new();
    for (at, line) in lines(text) {
        // The line feed goes too, so that what is left is one line fewer.
        let range = at..(at + line.len() + 1).min(text.len());
        let line = line.trim();
        if is_ornament(line) {
            edits.push(Edit::cut(range, ORNAMENTS));
        } else if is_page(line) {
            edits.push(Edit::cut(range, NUMBERS));
        } else if let Some(number) = number(line) {
            bare.push((number, range));
        }
    }
    if bare.len() >= MIN_BARE && bare.is_sorted_by(|a, b| a.0 < b.0) {
        edits.extend(bare.into_iter().map(|(_, range)| Edit::cut(range, NUMBERS)));
    }
    edits
}

/// Three or more marks and nothing else; full stops alone are a silence in a dialogue.
fn is_ornament(line: &str) -> bool {
    let marks = line.chars().filter(|c| !c.is_whitespace());
    marks.clone().count() >= 3 && marks.clone().all(|c| "-–—*_=~#·•+".contains(c))
}

/// `- 12 -`, `[Pg 12]`, `Page 12`, `Page 12 of 30`.
fn is_page(line: &str) -> bool {
    let inner = line.trim_matches(|c: char| "-–—[]{}() ".contains(c));
    let word = ["Page", "page", "PAGE", "Pg", "pg", "p."].iter().find_map(|word| inner.strip_prefix(word));
    let framed = inner.len() < line.len();
    match word {
        Some(rest) => {
            let mut parts = rest.trim().split(" of ");
            parts.clone().count() <= 2 && parts.all(|part| number(part.trim()).is_some())
        }
        None => framed && line.starts_with(['-', '–', '—', '[', '{']) && number(inner).is_some(),
    }
}

fn number(text: &str) -> Option<u32> {
    (text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn page_numbers_and_ornaments_go() {
        check(&CLEANER, "a\n* * *\nb\n-----\nc\n...\n", "a\nb\nc\n...\n");
        check(&CLEANER, "a\n[Pg 12]\nb\n- 13 -\nc\nPage 3 of 10\nd", "a\nb\nc\nd");
        check(&CLEANER, "1\na\n2\nb\n4\nc\n5\nd\n6\n", "a\nb\nc\nd\n");
        check(&CLEANER, "1984\na\n12\n", "1984\na\n12\n");
        check(&CLEANER, "Page by page\n(1984)\n--\nPage one of 3", "Page by page\n(1984)\n--\nPage one of 3");
    }
}
