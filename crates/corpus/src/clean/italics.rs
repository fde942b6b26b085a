//! Underscores that stand for italics in the plain texts of Project Gutenberg.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "underscores for italics";

/// Longest stretch set in italics, in bytes: beyond it two underscores have nothing to do with
/// each other.
const MAX_SPAN: usize = 2000;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "the underscores of `_word_` in texts of Project Gutenberg",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, traits: &Traits) -> Vec<Edit> {
    if !traits.gutenberg {
        return Vec::new();
    }
    let mut edits = Vec::new();
    let mut open: Option<usize> = None;
    for (at, _) in text.match_indices('_') {
        let before = text[..at].chars().next_back();
        let after = text[at + 1..].chars().next();
        match open {
            Some(start) if closes(before, after) && same_paragraph(&text[start..at]) => {
                edits.push(Edit::cut(start..start + 1, NAME));
                edits.push(Edit::cut(at..at + 1, NAME));
                open = None;
            }
            _ if opens(before, after) => open = Some(at),
            _ => {}
        }
    }
    edits
}

fn opens(before: Option<char>, after: Option<char>) -> bool {
    !before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| !c.is_whitespace() && c != '_')
}

fn closes(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|c| !c.is_whitespace() && c != '_') && !after.is_some_and(char::is_alphanumeric)
}

fn same_paragraph(span: &str) -> bool {
    span.len() <= MAX_SPAN && !span.contains("\n\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Traits, check, check_with};
    use super::CLEANER;

    #[test]
    fn underscores_around_words_go() {
        check(&CLEANER, "a _dash_ of _hot\nwater_, _he said_?", "a dash of hot\nwater, he said?");
        check(&CLEANER, "snake_case_name and 5_000", "snake_case_name and 5_000");
        check(&CLEANER, "_open\n\nclose_", "_open\n\nclose_");
        check(&CLEANER, "a lone _ and ____", "a lone _ and ____");
        check(&CLEANER, "_pray_--_do_", "pray--do");
        check_with(&CLEANER, Traits::default(), "_word_", "_word_");
    }
}
