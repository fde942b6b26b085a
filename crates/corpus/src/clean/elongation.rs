//! Letters drawn out beyond three: `soooooo`. Off by default: drawing out is a manner of speech.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "elongation";

/// Equal letters in a row that are kept.
const MAX_RUN: usize = 3;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "letters repeated more than three times are cut to three",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let (mut last, mut run) = ('\0', 0);
    for (at, c) in text.char_indices() {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        if run > MAX_RUN && c.is_alphabetic() {
            edits.push(Edit::cut(at..at + c.len_utf8(), NAME));
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn long_runs_of_letters_are_cut_to_three() {
        check(&CLEANER, "soooooo goood 10000000 ----- éééé", "sooo goood 10000000 ----- ééé");
    }
}
