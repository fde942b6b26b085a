//! Bracketed apparatus in the plain texts of Project Gutenberg: footnotes set into the middle of a
//! sentence, captions of pictures that are not there, remarks of the transcriber.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "bracketed notes";

/// What such a note begins with, in any case.
const OPENERS: &[&str] = &["[footnote", "[illustration", "[sidenote", "[transcriber"];

/// Longest note, in bytes; a bracket that is not closed by then was never meant to be.
const MAX_NOTE: usize = 16_384;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "`[Footnote: …]`, `[Illustration: …]` and the like in texts of Project Gutenberg",
    effect: Effect::Noise,
    scope: Scope::Both,
    find,
};

fn find(text: &str, traits: &Traits) -> Vec<Edit> {
    if !traits.gutenberg {
        return Vec::new();
    }
    let mut edits = Vec::new();
    let mut open = Vec::new();
    for (at, bracket) in text.match_indices(['[', ']']) {
        if bracket == "[" {
            open.push(at);
            continue;
        }
        let Some(start) = open.pop() else { continue };
        let end = at + 1;
        if end - start <= MAX_NOTE && opens(&text[start..]) {
            // A note inside a note goes with the outer one: its edit begins inside the other's.
            edits.push(Edit::cut(start - blank_before(text, start, end)..end, NAME));
        }
    }
    edits
}

fn opens(rest: &str) -> bool {
    OPENERS.iter().any(|opener| rest.get(..opener.len()).is_some_and(|s| s.eq_ignore_ascii_case(opener)))
}

/// 1 when the note stands after a space that would be left over, as before a comma or another space.
fn blank_before(text: &str, start: usize, end: usize) -> usize {
    let spaced = text[..start].ends_with([' ', '\n']) && !text[..start].ends_with("\n\n");
    let loose = text[end..].chars().next().is_none_or(|c| c.is_whitespace() || ".,;:!?)".contains(c));
    usize::from(spaced && loose)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn notes_go_with_the_space_they_leave() {
        check(&CLEANER, "the chill [Footnote: A basin [large]\nis best.] (By", "the chill (By");
        check(&CLEANER, "oatmeal [Footnote: Oats.], and", "oatmeal, and");
        check(&CLEANER, "one\n\n[Illustration: A tree.]\n\ntwo", "one\n\n\n\ntwo");
        check(
            &CLEANER,
            "kept [see above] [Footnote: never closed",
            "kept [see above] [Footnote: never closed",
        );
    }
}
