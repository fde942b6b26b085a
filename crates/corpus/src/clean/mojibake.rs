//! UTF-8 that was once read as something else: `â€™` for `’`.
//!
//! Judged over the whole text of a file, because a single run proves little: `Ã»` may be an author's
//! own letters, but forty runs of which every one is UTF-8 in disguise are not. Where the file as a
//! whole does not vote for a code page, single lines may still be repaired, on stricter terms.

use std::sync::LazyLock;

use encoding_rs::{Encoding, MACINTOSH, WINDOWS_1251, WINDOWS_1252};

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "mojibake";

/// Share of a file's characters beyond ASCII that must be UTF-8 in disguise.
const MIN_SHARE: f64 = 0.95;

/// Code page 437 from 128 on, which no library at hand knows.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "UTF-8 that was read as another code page: `â€™` becomes `’`, if the whole file says so",
    effect: Effect::Noise,
    scope: Scope::Both,
    find,
};

/// A code page under which UTF-8 was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Windows, Western, with the bytes it leaves out standing for themselves; Latin-1 too.
    Windows1252,
    /// The old Macintosh.
    MacRoman,
    /// Windows, Cyrillic.
    Windows1251,
    /// The IBM PC.
    Cp437,
}

/// In the order in which they are believed when several fit equally well.
const PAGES: [Page; 4] = [Page::Windows1252, Page::MacRoman, Page::Windows1251, Page::Cp437];

/// The characters of the bytes from 128 on, in order of the character.
type Upper = Vec<(char, u8)>;

static UPPER: LazyLock<[Upper; 4]> = LazyLock::new(|| PAGES.map(upper));

fn upper(page: Page) -> Upper {
    let decoded = |encoding: &'static Encoding| {
        let bytes: Vec<u8> = (0x80..=0xff).collect();
        encoding.decode_without_bom_handling(&bytes).0.into_owned()
    };
    let chars = match page {
        Page::Windows1252 => decoded(WINDOWS_1252),
        Page::MacRoman => decoded(MACINTOSH),
        Page::Windows1251 => decoded(WINDOWS_1251),
        Page::Cp437 => CP437.to_owned(),
    };
    let mut upper: Upper = chars.chars().zip(0x80u8..=0xff).collect();
    upper.sort_unstable();
    upper
}

impl Page {
    fn byte(self, c: char) -> Option<u8> {
        if self == Self::Windows1252 && ('\u{80}'..='\u{9f}').contains(&c) {
            // Latin-1 has the controls where Windows has marks.
            return u8::try_from(u32::from(c)).ok();
        }
        let upper = &UPPER[self as usize];
        upper.binary_search_by_key(&c, |(known, _)| *known).ok().map(|at| upper[at].1)
    }

    /// The character a text begins with in disguise, and the bytes of the disguise.
    fn undisguise(self, text: &str) -> Option<(char, usize)> {
        let mut chars = text.char_indices();
        let lead = self.byte(chars.next()?.1)?;
        let length = match lead {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return None,
        };
        let mut bytes = [lead, 0, 0, 0];
        for byte in &mut bytes[1..length] {
            *byte = self.byte(chars.next()?.1)?;
        }
        let c = std::str::from_utf8(&bytes[..length]).ok()?.chars().next()?;
        // Read wrong twice, it holds the bytes that Windows leaves out.
        let is_text = !c.is_control() || (self == Self::Windows1252 && c >= '\u{80}');
        is_text.then(|| (c, chars.next().map_or(text.len(), |(end, _)| end)))
    }
}

/// What a text holds when it is read as UTF-8 in disguise.
#[derive(Debug, Default, Clone, Copy)]
struct Vote {
    /// Characters in disguise.
    hits: usize,
    /// Those of three bytes and more, which hardly come about by chance.
    long: usize,
    /// Characters beyond ASCII that are just themselves.
    misses: usize,
}

impl Vote {
    fn of(text: &str, page: Page) -> Self {
        let mut vote = Self::default();
        scan(text, page, |found| match found {
            Some((_, _, disguise)) => {
                vote.hits += 1;
                vote.long += usize::from(disguise.chars().count() > 2);
            }
            None => vote.misses += 1,
        });
        vote
    }

    fn share(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }
}

/// Visits every character beyond ASCII: the one in disguise with its place, or nothing.
fn scan<'a>(text: &'a str, page: Page, mut visit: impl FnMut(Option<(char, usize, &'a str)>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(ahead) = bytes[at..].iter().position(|byte| !byte.is_ascii()) {
        at += ahead;
        match page.undisguise(&text[at..]) {
            Some((c, length)) => {
                visit(Some((c, at, &text[at..at + length])));
                at += length;
            }
            None => {
                visit(None);
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }
}

/// The code page for which a whole file votes, if for any.
pub(super) fn vote(text: &str) -> Option<Page> {
    if text.is_ascii() {
        return None;
    }
    let votes = PAGES.map(|page| (page, Vote::of(text, page)));
    let best = votes.iter().rev().max_by_key(|(_, vote)| vote.hits)?;
    let (page, vote) = *best;
    // The dashes and quotation marks of print are leading bytes on the Macintosh: `—É` is no proof.
    let is_proof = page != Page::MacRoman || vote.long > 0;
    (vote.hits > 0 && vote.share() >= MIN_SHARE && is_proof).then_some(page)
}

/// A line by itself must be in disguise throughout, and show it twice or by a long sequence.
fn line_vote(line: &str) -> Option<Page> {
    [Page::Windows1252, Page::MacRoman].into_iter().find(|page| {
        let vote = Vote::of(line, *page);
        let is_proof = vote.long > 0 || (vote.hits > 1 && *page == Page::Windows1252);
        vote.misses == 0 && is_proof
    })
}

fn find(text: &str, traits: &Traits) -> Vec<Edit> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut edits = Vec::new();
    match traits.mojibake {
        Some(page) => repair(text, 0, page, &mut edits),
        None => {
            for (at, line) in lines(text).filter(|(_, line)| !line.is_ascii()) {
                if let Some(page) = line_vote(line) {
                    repair(line, at, page, &mut edits);
                }
            }
        }
    }
    edits
}

fn repair(text: &str, base: usize, page: Page, edits: &mut Vec<Edit>) {
    scan(text, page, |found| {
        if let Some((c, at, disguise)) = found {
            edits.push(Edit::replace(base + at..base + at + disguise.len(), c.to_string(), NAME));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Traits, check_with};
    use super::*;

    fn disguise(text: &str, page: Page) -> String {
        let upper = |byte: u8| UPPER[page as usize].iter().find(|(_, b)| *b == byte).unwrap().0;
        text.bytes().map(|b| if b.is_ascii() { char::from(b) } else { upper(b) }).collect()
    }

    fn check(text: &str, expected: &str) {
        check_with(&CLEANER, Traits { mojibake: vote(text), ..Traits::default() }, text, expected);
    }

    #[test]
    fn every_page_is_seen_through() {
        let text = "It’s a café — “naïve”, £5 … and 👩‍👧. ".repeat(3);
        for page in PAGES {
            check(&disguise(&text, page), &text);
        }
        assert_eq!(vote(&disguise("Привет, мир", Page::Windows1251)), Some(Page::Windows1251));
        let twice = disguise(&disguise(&text, Page::Windows1252), Page::Windows1252);
        check(&twice, &text);
    }

    #[test]
    fn healthy_text_is_left_alone() {
        let texts = [
            "«Ã» is a letter; so is é, and “quotes” — all of them.",
            "—Était-ce lui ? —Écoute, dit-il, c'est l'été.",
            "Рёбра и рис. Съешь ещё этих мягких булок.",
            "Größe, Übermut, SÃO PAULO, naïve",
            "茶は飲み物です。",
        ];
        texts.iter().for_each(|text| check(text, text));
    }

    #[test]
    fn a_mixed_file_is_repaired_by_line() {
        let bad = disguise("it’s — so", Page::Windows1252);
        check(&format!("É, é, ü, “so”\n{bad}\nÃ»"), "É, é, ü, “so”\nit’s — so\nÃ»");
    }
}
