//! Words broken at the end of a line: `exam-` and `ple`.
//!
//! A hyphen at a line end may belong to the word (`well-known`) or to the printer. The text itself
//! is asked: where it has the whole word elsewhere, the hyphen was the printer's.

use std::collections::HashSet;
use std::ops::Range;

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "broken words";

/// Words proved broken from which the text is known to break words, so that words it has nowhere
/// else are joined too.
const MIN_PROVED: usize = 4;
/// Times as many proofs of breaking as of compounds that habit must show.
const HABIT: usize = 3;
/// Letters either part must have to be joined by habit.
const MIN_PART: usize = 2;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "hyphens that break a word at a line end, where the text has the whole word elsewhere",
    effect: Effect::Noise,
    scope: Scope::File,
    find,
};

/// A hyphen at the end of a line, between two letters.
struct Break<'a> {
    /// The hyphen with the line feed and the blanks around it.
    range: Range<usize>,
    first: &'a str,
    second: &'a str,
}

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let breaks: Vec<Break<'_>> = text.match_indices("-\n").filter_map(|(at, _)| at_break(text, at)).collect();
    if breaks.is_empty() {
        return Vec::new();
    }
    let known = words(text);
    let is_whole = |b: &Break<'_>| known.contains(&format!("{}{}", b.first, b.second).to_lowercase());
    let is_compound = |b: &Break<'_>| known.contains(&format!("{}-{}", b.first, b.second).to_lowercase());
    let n_whole = breaks.iter().filter(|b| is_whole(b)).count();
    let n_compound = breaks.iter().filter(|b| is_compound(b)).count();
    let habit = n_whole >= MIN_PROVED && n_whole >= HABIT * n_compound;
    let long = |part: &str| part.chars().nth(MIN_PART - 1).is_some();
    let joins = |b: &&Break<'_>| is_whole(b) || (habit && !is_compound(b) && long(b.first) && long(b.second));
    breaks.iter().filter(joins).map(|b| join(text, b)).collect()
}

fn at_break(text: &str, at: usize) -> Option<Break<'_>> {
    let is_letter = |c: char| c.is_alphabetic();
    let head = &text[..at];
    let first = &head[head.trim_end_matches(is_letter).len()..];
    let after = text[at + 2..].trim_start_matches([' ', '\t']);
    let second = &after[..after.len() - after.trim_start_matches(is_letter).len()];
    let end = text.len() - after.len();
    let is_word = first.ends_with(char::is_lowercase) && second.starts_with(char::is_lowercase);
    // A compound of three, or a dash, is not the printer's.
    let is_plain =
        !head[..head.len() - first.len()].ends_with('-') && !after[second.len()..].starts_with('-');
    (is_word && is_plain).then_some(Break { range: at..end, first, second })
}

/// Every word of the text and every compound of two, in lower case.
fn words(text: &str) -> HashSet<String> {
    let mut known = HashSet::new();
    for word in text.split(|c: char| !c.is_alphabetic() && c != '-') {
        let word = word.trim_matches('-').to_lowercase();
        word.split('-').filter(|part| *part != word).for_each(|part| {
            known.insert(part.to_owned());
        });
        known.insert(word);
    }
    known
}

/// The word is made whole and the line ends after it, so that lines keep about their length.
fn join(text: &str, b: &Break<'_>) -> Edit {
    let rest = &text[b.range.end + b.second.len()..];
    let word_end = rest.find([' ', '\n']).unwrap_or(rest.len());
    let tail = &rest[..word_end];
    let end = b.range.end + b.second.len() + word_end;
    match rest[word_end..].starts_with(' ') {
        true => Edit::replace(b.range.start..end + 1, format!("{}{tail}\n", b.second), NAME),
        false => Edit::cut(b.range.clone(), NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn words_that_stand_whole_elsewhere_are_joined() {
        check(&CLEANER, "an exam-\nple, or so. An example.", "an example,\nor so. An example.");
        check(&CLEANER, "an exam-\nple\nAn example.", "an example\nAn example.");
        check(&CLEANER, "a well-\nknown man, well-known", "a well-\nknown man, well-known");
        check(&CLEANER, "a dread-\nnought", "a dread-\nnought");
        check(&CLEANER, "so--\nand so", "so--\nand so");
    }

    #[test]
    fn a_text_that_breaks_words_breaks_all_of_them() {
        let proved = "exam-\nple ket-\ntle sing-\ning gar-\nden example kettle singing garden ";
        let whole = "example\nkettle\nsinging\ngarden\nexample kettle singing garden ";
        check(&CLEANER, &format!("{proved}dread-\nnought so"), &format!("{whole}dreadnought\nso"));
    }
}
