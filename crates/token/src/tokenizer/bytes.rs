//! The bytes each token stands for.

use std::collections::HashMap;

/// How a vocabulary writes bytes as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// GPT-2's alphabet: every byte is one printable letter.
    ByteLevel,
    /// SentencePiece: `▁` for a space and `<0x0A>` for a lone byte.
    Pieces,
}

/// The bytes of every token, in one buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenBytes {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl TokenBytes {
    /// Appends the next id's bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of an id, `None` beyond the vocabulary.
    pub(super) fn get(&self, id: u32) -> Option<&[u8]> {
        let id = usize::try_from(id).ok()?;
        let end = *self.ends.get(id)?;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        Some(&self.bytes[start..end])
    }
}

/// GPT-2's alphabet: printable bytes stand for themselves, the others for the
/// letters from U+0100 on, in order.
///
/// # Source
/// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, and its released `encoder.py`.
pub(crate) fn alphabet() -> [char; 256] {
    let mut next_spare = 0x100_u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            return char::from(byte);
        }
        let letter = char::from_u32(next_spare).unwrap_or(char::REPLACEMENT_CHARACTER);
        next_spare += 1;
        letter
    })
}

/// Turns a token's text into the bytes it stands for.
pub(super) struct Reader {
    spelling: Spelling,
    letters: HashMap<char, u8>,
}

impl Reader {
    /// A reader of one spelling.
    pub(super) fn new(spelling: Spelling) -> Self {
        let letters = (0..=u8::MAX).zip(alphabet()).map(|(byte, letter)| (letter, byte)).collect();
        Self { spelling, letters }
    }

    /// The bytes of an ordinary token. A letter outside the alphabet stands for itself.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        match self.spelling {
            Spelling::ByteLevel => {
                let mut bytes = Vec::with_capacity(token.len());
                for letter in token.chars() {
                    match self.letters.get(&letter) {
                        Some(byte) => bytes.push(*byte),
                        None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
                bytes
            }
            Spelling::Pieces => match lone_byte(token) {
                Some(byte) => vec![byte],
                None => token.replace('▁', " ").into_bytes(),
            },
        }
    }
}

/// The byte that `<0x0A>` stands for.
fn lone_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() != 2 {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// How a byte is written as a token of its own.
pub(super) fn spell(spelling: Spelling, byte: u8) -> String {
    match spelling {
        Spelling::ByteLevel => alphabet()[usize::from(byte)].to_string(),
        Spelling::Pieces => format!("<0x{byte:02X}>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_both_spellings() {
        for spelling in [Spelling::ByteLevel, Spelling::Pieces] {
            let reader = Reader::new(spelling);
            for byte in 0..=u8::MAX {
                assert_eq!(reader.bytes(&spell(spelling, byte)), [byte], "{spelling:?}");
            }
        }
    }

    #[test]
    fn known_letters() {
        assert_eq!(spell(Spelling::ByteLevel, b' '), "Ġ");
        assert_eq!(spell(Spelling::ByteLevel, b'\n'), "Ċ");
        assert_eq!(Reader::new(Spelling::Pieces).bytes("▁the"), b" the");
        assert_eq!(Reader::new(Spelling::ByteLevel).bytes("▁"), "▁".as_bytes());
        assert_eq!(Reader::new(Spelling::Pieces).bytes("<0x1>"), b"<0x1>");
    }

    #[test]
    fn tokens_are_cut_from_one_buffer() {
        let mut table = TokenBytes::default();
        table.push(b"ab");
        table.push(b"");
        table.push(b"c");
        assert_eq!([0, 1, 2].map(|id| table.get(id)), [Some(&b"ab"[..]), Some(b""), Some(b"c")]);
        assert_eq!(table.get(3), None);
    }
}
