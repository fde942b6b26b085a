//! What happens to text before it is cut.
//!
//! The rules for characters are a table the library compiles: a trie in one array of 32-bit units,
//! then the texts that replace what it finds, each closed by a zero byte.
//!
//! # Source
//! The trie is Yata's darts-clone (2011), whose units hold a label or a value, a flag for "a text
//! ends here", and the distance to the next unit.

use super::prefix::Prefixes;
use super::{Flaw, Normalization, SPACE};

/// Bytes of the longest text that a rule may write. Unicode's longest has 33, and a text must not become
/// many times as long because a file says so.
const MAX_WRITTEN: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Normalizer {
    rules: Option<Rules>,
    dummy_prefix: bool,
    squeeze: bool,
    space: char,
}

/// A trie, and what is written for what it finds.
#[derive(Debug, Clone)]
struct Rules {
    units: Vec<u32>,
    texts: String,
}

impl Normalizer {
    pub(super) fn new(normalization: &Normalization) -> Result<Self, Flaw> {
        let has_rules = !normalization.rules.is_empty();
        Ok(Self {
            rules: has_rules.then(|| Rules::read(&normalization.rules)).transpose()?,
            dummy_prefix: normalization.dummy_prefix,
            squeeze: normalization.squeeze,
            space: if normalization.escape { SPACE } else { ' ' },
        })
    }

    /// A text that begins here. `whole` are texts that no rule changes.
    pub(super) fn begin(&self, text: &str, whole: &Prefixes) -> String {
        let mut rest = text;
        while let Some((" ", n_bytes)) = self.next(rest, whole).filter(|_| self.squeeze) {
            rest = &rest[n_bytes..];
        }
        let prefix =
            if self.dummy_prefix && !rest.is_empty() { self.space.to_string() } else { String::new() };
        self.write(rest, whole, prefix, self.squeeze)
    }

    /// A text that goes on where another ended.
    pub(super) fn go_on(&self, text: &str, whole: &Prefixes) -> String {
        self.write(text, whole, String::new(), false)
    }

    fn write(&self, text: &str, whole: &Prefixes, mut out: String, mut after_space: bool) -> String {
        let mut rest = text;
        while let Some((found, n_bytes)) = self.next(rest, whole) {
            let kept = if after_space { found.trim_start_matches(' ') } else { found };
            out.extend(kept.chars().map(|c| if c == ' ' { self.space } else { c }));
            if !kept.is_empty() {
                after_space = kept.ends_with(' ');
            }
            after_space &= self.squeeze;
            rest = &rest[n_bytes..];
        }
        if self.squeeze {
            out.truncate(out.trim_end_matches(self.space).len());
        }
        out
    }

    /// What the beginning of a text becomes, and how much of it.
    fn next<'t>(&'t self, text: &'t str, whole: &Prefixes) -> Option<(&'t str, usize)> {
        let n_bytes = text.chars().next()?.len_utf8();
        if let Some(n_bytes) = whole.longest(text.as_bytes()) {
            return Some((&text[..n_bytes], n_bytes));
        }
        let by_rule = self.rules.as_ref().and_then(|rules| rules.longest(text));
        Some(by_rule.unwrap_or((&text[..n_bytes], n_bytes)))
    }
}

impl Rules {
    fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        let damaged = |what| Flaw::Rules { what };
        let (head, rest) = bytes.split_first_chunk::<4>().ok_or(damaged("they are too short"))?;
        let n_bytes = u32::from_le_bytes(*head) as usize;
        let (trie, texts) = rest.split_at_checked(n_bytes).ok_or(damaged("the table is cut short"))?;
        let (units, []) = trie.as_chunks::<4>() else { return Err(damaged("the table is uneven")) };
        let units: Vec<u32> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let texts = String::from_utf8(texts.to_vec()).map_err(|_| damaged("a text is not UTF-8"))?;
        if units.is_empty() {
            return Err(damaged("the table is empty"));
        }
        if texts.split('\0').any(|text| text.len() > MAX_WRITTEN) {
            return Err(damaged("what is written for a character is longer than 256 bytes"));
        }
        Ok(Self { units, texts })
    }

    /// The longest rule that a text begins with: what is written instead, and its length.
    fn longest<'r>(&'r self, text: &str) -> Option<(&'r str, usize)> {
        let offset = |unit: u32| ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
        let mut at = offset(*self.units.first()?);
        let mut longest = None;
        for (idx, byte) in text.bytes().enumerate() {
            at ^= usize::from(byte);
            let Some(&unit) = self.units.get(at) else { break };
            if unit & ((1 << 31) | 0xff) != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if unit & (1 << 8) != 0 {
                let Some(&value) = self.units.get(at) else { break };
                longest = Some(((value & !(1 << 31)) as usize, idx + 1));
            }
        }
        let (start, n_bytes) = longest?;
        // A rule that ends inside a character, or a text that is not there, is damage: no rule then.
        let written = self.texts.get(start..)?;
        let written = written.split('\0').next()?;
        text.is_char_boundary(n_bytes).then_some((written, n_bytes))
    }
}
