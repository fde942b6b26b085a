//! Accents piled up until the letter cannot be read: `z̸̢͇̱̦̋…`.

use unicode_normalization::char::is_combining_mark;

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "piled accents";

/// Marks in a row from which they are a pile. No script needs as many.
const MAX_MARKS: usize = 8;
/// Marks that are left of a pile.
const KEPT: usize = 2;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "more than eight accents on one letter are cut to two",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits = Vec::new();
    if text.is_ascii() {
        return edits;
    }
    // Where the marks after the second begin, and how many there are in all.
    let (mut from, mut n_marks) = (0, 0);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if is_combining_mark(c) {
            n_marks += 1;
            from = if n_marks == KEPT + 1 { at } else { from };
            continue;
        }
        if n_marks > MAX_MARKS {
            edits.push(Edit::cut(from..at, NAME));
        }
        n_marks = 0;
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn piles_are_cut_and_accents_stay() {
        let pile = "\u{301}\u{302}".repeat(6);
        check(&CLEANER, &format!("z{pile}a\u{301}lgo{pile}"), "z\u{301}\u{302}a\u{301}lgo\u{301}\u{302}");
        check(&CLEANER, "e\u{301}\u{323} שָׁלוֹם हिन्दी", "e\u{301}\u{323} שָׁלוֹם हिन्दी");
    }
}
