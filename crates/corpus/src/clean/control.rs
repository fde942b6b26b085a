//! Control characters, terminal colours and the many ways to end a line.
//!
//! Runs on every file as it is decoded, and again on texts taken out of JSON, whose escapes can
//! bring them back. The separators U+2028 and U+2029 are left to [`super::separator`], because
//! they may stand inside a JSON line.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const CONTROL: &str = "control characters";
const ENDS: &str = "line ends";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: CONTROL,
    about: "NUL and other control characters, terminal colours; CR, FF, VT and NEL become line ends",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find: |text, _: &Traits| find(text, false),
};

/// As the cleaner, for text just decoded: bytes that Windows leaves out (`â€` and U+009D for `”`)
/// are left where they may belong to UTF-8 read as another code page, which [`super::mojibake`] sees to.
pub(crate) fn find_decoding(text: &str) -> Vec<Edit> {
    find(text, true)
}

/// Lists every control character of a text except tab and line feed.
fn find(text: &str, keep_disguised: bool) -> Vec<Edit> {
    if text.bytes().all(|byte| matches!(byte, b'\n' | b'\t' | 0x20..0x7f)) {
        return Vec::new();
    }
    let mut before = ' ';
    let mut edits = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' | '\t' => {}
            '\r' => {
                let pair = chars.next_if(|&(_, next)| next == '\n').is_some();
                edits.push(Edit::replace(at..at + 1 + usize::from(pair), "\n", ENDS));
            }
            '\u{b}' | '\u{c}' | '\u{85}' => edits.push(Edit::replace(at..at + c.len_utf8(), "\n", ENDS)),
            '\u{1b}' => {
                let end = at + 1 + sequence(&text[at + 1..]);
                while chars.next_if(|&(next, _)| next < end).is_some() {}
                edits.push(Edit::cut(at..end, CONTROL));
            }
            '\u{80}'..='\u{9f}' if keep_disguised && is_disguise(before) => {}
            c if c.is_control() => edits.push(Edit::cut(at..at + c.len_utf8(), CONTROL)),
            _ => {}
        }
        before = c;
    }
    edits
}

/// Whether a character may stand before another in UTF-8 read as Windows-1252.
fn is_disguise(before: char) -> bool {
    matches!(before, 'Â'..='ô' | '€' | '\u{80}'..='\u{9f}')
}

/// Bytes of a control sequence (`[31m`) after its escape character; 0 when there is none.
fn sequence(rest: &str) -> usize {
    let Some(body) = rest.strip_prefix('[') else { return 0 };
    let parameters = body.bytes().take_while(|b| (0x20..0x40).contains(b)).count();
    match body.as_bytes().get(parameters) {
        Some(0x40..=0x7e) => parameters + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::{CLEANER, find_decoding};

    #[test]
    fn line_ends_become_one_kind_and_controls_go() {
        check(&CLEANER, "a\r\nb\rc\n", "a\nb\nc\n");
        check(&CLEANER, "a\0b\u{7f}c\u{9d}\td", "abc\td");
        check(&CLEANER, "\u{1b}[1;31mred\u{1b}[0m \u{1b}x", "red x");
        check(&CLEANER, "page\u{c}page\u{85}line", "page\npage\nline");
        assert_eq!(find_decoding("â€\u{9d} a\u{9d}").len(), 1);
        check(&CLEANER, "kept: é \u{2028} 👩‍👧", "kept: é \u{2028} 👩‍👧");
    }
}
