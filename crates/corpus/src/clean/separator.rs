//! The Unicode line and paragraph separators.

use super::{Cleaner, Effect, Scope};
use crate::edit::Edit;

pub(super) const CLEANER: Cleaner = Cleaner {
    name: "line separators",
    about: "U+2028 and U+2029 become line feeds",
    effect: Effect::Noise,
    scope: Scope::Both,
    find: |text, _| {
        if text.is_ascii() {
            return Vec::new();
        }
        let marks = text.match_indices(['\u{2028}', '\u{2029}']);
        marks.map(|(at, mark)| Edit::replace(at..at + mark.len(), "\n", "line separators")).collect()
    },
};

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn separators_become_line_feeds() {
        check(&CLEANER, "a\u{2028}b\u{2029}c", "a\nb\nc");
    }
}
