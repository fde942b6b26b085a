//! Curly quotation marks made straight. Off by default: they are part of a printed voice.

use super::{Cleaner, Effect, Scope};
use crate::edit::Edit;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: "quotes",
    about: "curly quotation marks become straight ones",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find: |text, _| {
        if text.is_ascii() {
            return Vec::new();
        }
        let straight = |mark: &str| if matches!(mark, "‘" | "’" | "‚" | "‛") { "'" } else { "\"" };
        let marks = text.match_indices(['‘', '’', '‚', '‛', '“', '”', '„', '‟']);
        marks.map(|(at, mark)| Edit::replace(at..at + mark.len(), straight(mark), "quotes")).collect()
    },
};

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn curly_marks_become_straight() {
        check(&CLEANER, "“I’m”, ‘so’ „x‟", "\"I'm\", 'so' \"x\"");
    }
}
