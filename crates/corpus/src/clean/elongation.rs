//! Letters drawn out: `sooooo` becomes `so`, `coooool` becomes `cool`. Off by default: drawing out
//! is a manner of speech.
//!
//! Which words keep a letter twice is looked up in a list; what is not in it has the letter once.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "elongation";

/// Equal letters in a row from which a word is drawn out.
const MIN_RUN: usize = 3;
/// Drawn-out letters in one word whose combinations are tried.
const MAX_RUNS: usize = 6;

/// Words with a doubled letter, in order.
const DOUBLED: &str = include_str!("doubled.txt");

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "letters drawn out: `sooooo` becomes `so`, `coooool` becomes `cool`",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    for word in text.split(|c: char| !c.is_alphabetic()) {
        let start = text[at..].find(word).map_or(at, |ahead| at + ahead);
        at = start + word.len();
        if let Some(short) = may_be_drawn(word).then(|| shortened(word)).flatten() {
            edits.push(Edit::replace(start..at, short, NAME));
        }
    }
    edits
}

/// Whether three bytes in a row are one letter, or are no plain letters: cheap, for every word there is.
fn may_be_drawn(word: &str) -> bool {
    !word.is_ascii()
        || word
            .as_bytes()
            .windows(MIN_RUN)
            .any(|run| run.iter().all(|byte| byte.eq_ignore_ascii_case(&run[0])))
}

/// The word as it is spelled, if it is drawn out.
fn shortened(word: &str) -> Option<String> {
    let runs = runs(word);
    let drawn: Vec<usize> = (0..runs.len()).filter(|n| runs[*n].1 >= MIN_RUN).collect();
    let is_roman = word.chars().all(|c| "IVXLCDM".contains(c));
    if drawn.is_empty() || drawn.len() > MAX_RUNS || is_roman || word.eq_ignore_ascii_case("www") {
        return None;
    }
    // As many doubles as possible first; the last choice is to have every letter once.
    let choices = 1u32 << drawn.len();
    let mut masks: Vec<u32> = (0..choices).collect();
    masks.sort_by_key(|mask| (std::cmp::Reverse(mask.count_ones()), *mask));
    let spelled = |mask: u32| -> String {
        let times = |n: usize| match drawn.iter().position(|at| *at == n) {
            Some(bit) => 1 + usize::from(mask & (1 << bit) != 0),
            None => runs[n].1,
        };
        (0..runs.len()).flat_map(|n| std::iter::repeat_n(runs[n].0, times(n))).collect()
    };
    let known = masks.iter().copied().filter(|mask| *mask != 0).map(spelled).find(|word| is_doubled(word));
    Some(known.unwrap_or_else(|| spelled(0)))
}

/// The letters of a word with how often each stands in a row; case does not matter for that.
fn runs(word: &str) -> Vec<(char, usize)> {
    let mut runs: Vec<(char, usize)> = Vec::new();
    for c in word.chars() {
        match runs.last_mut() {
            Some((last, n)) if last.to_lowercase().eq(c.to_lowercase()) => *n += 1,
            _ => runs.push((c, 1)),
        }
    }
    runs
}

fn is_doubled(word: &str) -> bool {
    let lower = word.to_lowercase();
    DOUBLED.lines().any(|known| known == lower)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::{CLEANER, DOUBLED};

    #[test]
    fn drawn_out_words_are_spelled() {
        check(&CLEANER, "soooooo COOOOL goooodddd hellooo yesss", "so COOL good hello yes");
        check(&CLEANER, "see you in VIII, www 1000000 ----- ééé", "see you in VIII, www 1000000 ----- é");
    }

    #[test]
    fn the_list_holds_doubles_in_order() {
        let words: Vec<&str> = DOUBLED.lines().collect();
        assert!(words.is_sorted_by(|a, b| a < b));
        let has_double = |word: &&str| word.as_bytes().windows(2).any(|pair| pair[0] == pair[1]);
        assert_eq!(words.iter().find(|word| !has_double(word)), None);
    }
}
