//! What belongs to the page and not to the text: running heads, page numbers, words broken at the
//! end of a line, letters joined into one sign.

use std::collections::{BTreeMap, BTreeSet};

use crate::clean::lines;
use crate::edit::{self, Cut, Edit};

/// Stands between two pages.
const PAGE: &str = "\n\u{c}\n";
/// Lines at the top and at the bottom of a page that may be of the page.
const EDGE: usize = 2;
/// Pages on which a line must stand to be of the page, at least, and their share.
const MIN_PAGES: usize = 3;
const MIN_SHARE: f64 = 0.25;

/// A text without its pages, and what was cut.
pub(super) struct Cleaned {
    /// Characters before.
    pub(super) given: u64,
    pub(super) text: String,
    pub(super) cuts: Vec<Cut>,
}

/// Cleans pages; of those marked as rubble nothing is kept.
pub(super) fn clean(pages: &[String], rubble: &[bool]) -> Cleaned {
    let pages: Vec<String> = pages.iter().map(|page| page.replace('\u{c}', "\n")).collect();
    let raw = pages.join(PAGE);
    let mut edits = lost(&pages, rubble);
    edits.extend(furniture(&pages));
    edits.extend(breaks(&raw));
    let once = edit::apply(&raw, edits);
    let mut edits = hyphens(&once.text);
    edits.extend(ligatures(&once.text));
    let twice = edit::apply(&once.text, edits);
    let cuts = once.cuts.into_iter().chain(twice.cuts).collect();
    Cleaned { given: raw.chars().count() as u64, text: twice.text, cuts }
}

/// Pages of which nothing is kept.
fn lost(pages: &[String], rubble: &[bool]) -> Vec<Edit> {
    let mut at = 0;
    let mut edits = Vec::new();
    for (page, is_rubble) in pages.iter().zip(rubble) {
        if *is_rubble {
            edits.push(Edit::cut(at..at + page.len(), "pages whose letters cannot be told"));
        }
        at += page.len() + PAGE.len();
    }
    edits
}

/// Lines at the edges of pages, with their places in all of the text.
fn edges(page: &str, at: usize) -> Vec<(usize, &str)> {
    let filled: Vec<_> = lines(page)
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(from, line)| (at + from, line))
        .collect();
    let n = filled.len();
    filled
        .into_iter()
        .enumerate()
        .filter(|(idx, _)| *idx < EDGE || idx + EDGE >= n)
        .map(|(_, line)| line)
        .collect()
}

/// A line without its numbers, which change from page to page.
fn mask(line: &str) -> String {
    let plain = line.trim().to_lowercase();
    plain
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect::<String>()
        .replace("00", "0")
        .replace("00", "0")
}

fn furniture(pages: &[String]) -> Vec<Edit> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut at, mut all) = (0, Vec::new());
    for page in pages {
        let edges = edges(page, at);
        let masks: BTreeSet<String> = edges.iter().map(|(_, line)| mask(line)).collect();
        masks.into_iter().for_each(|mask| *counts.entry(mask).or_default() += 1);
        all.extend(edges);
        at += page.len() + PAGE.len();
    }
    let least = MIN_PAGES.max((MIN_SHARE * pages.len() as f64).ceil() as usize);
    let cut = |(at, line): (usize, &str)| {
        let mask = mask(line);
        let is_number = !mask.is_empty()
            && mask.chars().all(|c| matches!(c, '0' | '-' | '–' | ' ' | '|' | '[' | ']' | '.'));
        let rule = match () {
            () if is_number && pages.len() > 1 => "page numbers",
            () if counts.get(&mask).is_some_and(|n| *n >= least) => "running heads",
            () => return None,
        };
        Some(Edit::cut(at..at + line.len(), rule))
    };
    all.into_iter().filter_map(cut).collect()
}

/// Where a page ends inside a paragraph, the paragraph goes on.
fn breaks(raw: &str) -> Vec<Edit> {
    raw.match_indices(PAGE)
        .map(|(at, mark)| Edit::replace(at..at + mark.len(), "\n\n", "page breaks"))
        .collect()
}

/// A word broken at the end of a line is joined where the whole word stands elsewhere in the text.
fn hyphens(text: &str) -> Vec<Edit> {
    let is_letter = |c: char| c.is_alphabetic();
    let known: BTreeSet<String> =
        text.split(|c: char| !is_letter(c)).filter(|word| word.len() > 3).map(str::to_lowercase).collect();
    let broken = |(at, mark): (usize, &str)| {
        let head = &text[..at];
        let first = &head[head.trim_end_matches(is_letter).len()..];
        let after = &text[at + mark.len()..];
        let second = &after[..after.len() - after.trim_start_matches(is_letter).len()];
        let is_small = second.starts_with(char::is_lowercase) && !first.is_empty();
        let joined = format!("{first}{second}").to_lowercase();
        (is_small && known.contains(&joined))
            .then(|| Edit::cut(at..at + mark.len(), "words broken at line ends"))
    };
    text.match_indices("-\n").filter_map(broken).collect()
}

/// `ﬁ` is two letters. Nothing else is taken apart.
fn ligatures(text: &str) -> Vec<Edit> {
    const SIGNS: &[(char, &str)] = &[
        ('\u{fb00}', "ff"),
        ('\u{fb01}', "fi"),
        ('\u{fb02}', "fl"),
        ('\u{fb03}', "ffi"),
        ('\u{fb04}', "ffl"),
        ('\u{fb05}', "st"),
        ('\u{fb06}', "st"),
    ];
    let one = |(at, c): (usize, char)| {
        let (_, letters) = SIGNS.iter().find(|(sign, _)| *sign == c)?;
        Some(Edit::replace(at..at + c.len_utf8(), *letters, "letters joined into one sign"))
    };
    text.char_indices().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    #[test]
    fn heads_numbers_and_broken_words_go() {
        let page = |n: usize, text: &str| format!("THE KETTLE BOOK {n}\n\n{text}\n\n{n}\n");
        let pages = [
            page(9, "A long winter of ket-\ntles, kettles"),
            page(10, "and ﬁne tea-\nThings."),
            page(11, "The end."),
        ];
        let cleaned = clean(&pages, &[]);
        expect![[r#"


            A long winter of kettles, kettles






            and fine tea-
            Things.






            The end.


        "#]]
        .assert_eq(&cleaned.text);
        let rules: Vec<_> = cleaned.cuts.iter().map(|cut| cut.rule.as_str()).collect();
        assert_eq!(
            rules,
            [
                "page breaks",
                "page numbers",
                "running heads",
                "letters joined into one sign",
                "words broken at line ends"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_character_is_counted(pages in prop::collection::vec("[a-z0-9ﬁé\\n -]{0,60}", 0..8)) {
            let cleaned = clean(&pages, &[false, true]);
            let cut: u64 = cleaned.cuts.iter().map(|cut| cut.chars).sum();
            let added: u64 = cleaned.cuts.iter().map(|cut| cut.added).sum();
            prop_assert_eq!(cleaned.given + added, cleaned.text.chars().count() as u64 + cut);
        }
    }
}
