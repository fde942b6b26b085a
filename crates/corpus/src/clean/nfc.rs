//! One spelling for every accented letter: Unicode normalisation form C.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "unicode normalisation";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "letters and their accents are composed (NFC)",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

/// Goes word by word: nothing composes across the space a piece begins with.
fn find(text: &str, _: &Traits) -> Vec<Edit> {
    if text.is_ascii() || is_nfc(text) {
        return Vec::new();
    }
    let mut edits = Vec::new();
    let mut at = 0;
    while at < text.len() {
        // `at + 1` may be inside a character, but a space or line feed never is.
        let rest = &text.as_bytes()[at + 1..];
        let end =
            rest.iter().position(|b| matches!(b, b' ' | b'\n')).map_or(text.len(), |found| at + 1 + found);
        let word = &text[at..end];
        if !is_nfc(word) {
            edits.push(Edit::replace(at..end, word.nfc().collect::<String>(), NAME));
        }
        at = end;
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn accents_are_composed() {
        check(&CLEANER, "cafe\u{301} ole\u{301}\nfin", "café olé\nfin");
        check(&CLEANER, "\u{1100}\u{1161}", "가");
        check(&CLEANER, "é \u{958} ﬁ", "é \u{915}\u{93c} ﬁ");
    }
}
