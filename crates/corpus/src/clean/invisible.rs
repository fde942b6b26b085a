//! Characters that take no room: zero-width spaces, soft hyphens, overrides of direction.
//!
//! Joiners are kept where they carry meaning, inside emoji and in scripts that need them; the
//! isolates and marks that right-to-left text needs are kept too.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "invisible characters";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "zero-width spaces, soft hyphens, byte order marks, overrides of direction, stray joiners and tags",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits = Vec::new();
    if text.is_ascii() {
        return edits;
    }
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|&(_, next)| next);
        if is_noise(before, c, after) {
            edits.push(Edit::cut(at..at + c.len_utf8(), NAME));
        } else {
            before = Some(c);
        }
    }
    edits
}

fn is_noise(before: Option<char>, c: char, after: Option<char>) -> bool {
    match c {
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        '\u{202a}'..='\u{202e}' => true,
        '\u{200c}' | '\u{200d}' => !(before.is_some_and(joins) && after.is_some_and(joins)),
        // Tags spell the flags of regions, after a black flag; elsewhere they are hidden text.
        '\u{e0000}'..='\u{e007f}' => !matches!(before, Some('\u{1f3f4}' | '\u{e0000}'..='\u{e007f}')),
        _ => false,
    }
}

/// Whether a joiner beside this character can mean something: emoji, Arabic, Indic scripts, and
/// the selectors and skin tones between them, but nothing Latin, Greek or Cyrillic.
fn joins(c: char) -> bool {
    c >= '\u{590}' && !c.is_whitespace() && !matches!(c, '\u{1e00}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn joiners_stay_where_they_mean_something() {
        check(&CLEANER, "a\u{200b}b\u{ad}c\u{200d}d\u{feff}", "abcd");
        check(&CLEANER, "👩\u{200d}👧 👁\u{fe0f}\u{200d}🗨", "👩\u{200d}👧 👁\u{fe0f}\u{200d}🗨");
        check(&CLEANER, "می\u{200c}خواهم", "می\u{200c}خواهم");
        check(&CLEANER, "\u{202e}abc\u{202c} \u{2067}אב\u{2069}", "abc \u{2067}אב\u{2069}");
        check(&CLEANER, "🏴\u{e0067}\u{e0062}\u{e007f} x\u{e0067}", "🏴\u{e0067}\u{e0062}\u{e007f} x");
    }
}
