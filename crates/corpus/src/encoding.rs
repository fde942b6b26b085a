//! Bytes to text: byte order mark, then strict UTF-8, then a guess.
//!
//! Line ends become `\n` and control characters go, for every format alike. U+2028 stays, because
//! a line of JSON may hold it. Whatever is changed is listed in [`Decoded::cuts`], counted from
//! the characters as decoded.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::clean::find_control;
use crate::edit::{self, Cut, Edit};

/// Bytes looked at to tell text from anything else.
const SAMPLE_BYTES: usize = 1 << 16;
/// Confidence below which a guess is worth a remark.
pub const DOUBTFUL: f64 = 0.6;

/// A text and how it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The text, with `\n` for every line end.
    pub text: String,
    /// The encoding's name: `UTF-8`, `windows-1252`.
    pub encoding: &'static str,
    /// How sure the reader is, 0 to 1: 1 for a mark or faultless UTF-8, for a guess the share of
    /// unusual characters that stand where one would expect them.
    pub confidence: f64,
    /// Bytes or pairs that fit the encoding nowhere, each now U+FFFD.
    pub replaced: usize,
    /// Characters decoded, before line ends and control characters were seen to.
    pub given: u64,
    /// What was done to line ends and control characters.
    pub cuts: Vec<Cut>,
}

/// Reads bytes as text.
///
/// # Errors
/// What the bytes are instead of text, in words.
pub fn decode(bytes: &[u8]) -> Result<Decoded, &'static str> {
    let (text, encoding, confidence, replaced) = if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        if bytes.starts_with(&[0xff, 0xfe, 0, 0]) {
            let (text, replaced) = utf32le(&bytes[4..]);
            (text, "UTF-32LE", 1.0, replaced)
        } else {
            let (text, replaced) = with(encoding, &bytes[mark..]);
            (text, encoding.name(), 1.0, replaced)
        }
    } else if let Some(kind) = binary(bytes) {
        return Err(kind);
    } else if let Some(encoding) = utf16_without_mark(bytes) {
        let (text, replaced) = with(encoding, bytes);
        (text, encoding.name(), 0.8, replaced)
    } else {
        unmarked(bytes)
    };
    let given = text.chars().count() as u64;
    let mut edits = find_control(&text);
    edits.extend(
        text.match_indices('\u{feff}').map(|(at, m)| Edit::cut(at..at + m.len(), "byte order marks")),
    );
    let edited = edit::apply(&text, edits);
    Ok(Decoded { text: edited.text, encoding, confidence, replaced, given, cuts: edited.cuts })
}

/// UTF-8 where it fits or nearly fits, else the detector's guess.
fn unmarked(bytes: &[u8]) -> (String, &'static str, f64, usize) {
    let (good, bad) = utf8_sequences(bytes);
    // A few torn sequences among many good ones are damage, not another encoding.
    if bad == 0 || good > bad.saturating_mul(4) {
        let (text, replaced) = with(UTF_8, bytes);
        let confidence = if bad == 0 { 1.0 } else { good as f64 / (good + bad) as f64 };
        return (text, UTF_8.name(), confidence, replaced);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let (text, replaced) = with(encoding, bytes);
    let confidence = plausibility(&text);
    (text, encoding.name(), confidence, replaced)
}

/// Decodes and counts the replacement characters that were not there before.
fn with(encoding: &'static Encoding, bytes: &[u8]) -> (String, usize) {
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    let marks = |text: &str| text.matches('\u{fffd}').count();
    let replaced = match (had_errors, encoding == UTF_8) {
        (false, _) => 0,
        (true, true) => {
            marks(&text).saturating_sub(bytes.windows(3).filter(|w| *w == [0xef, 0xbf, 0xbd]).count())
        }
        (true, false) => marks(&text),
    };
    (text.into_owned(), replaced)
}

fn utf32le(bytes: &[u8]) -> (String, usize) {
    let mut replaced = 0;
    let one = |unit: &[u8]| {
        let code = unit.try_into().map(u32::from_le_bytes).unwrap_or(u32::MAX);
        char::from_u32(code).unwrap_or_else(|| {
            replaced += 1;
            char::REPLACEMENT_CHARACTER
        })
    };
    let text = bytes.chunks(4).map(one).collect();
    (text, replaced)
}

/// Sequences of UTF-8 beyond ASCII that are well formed, and pieces that are not.
fn utf8_sequences(bytes: &[u8]) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    (good, bad)
}

/// What bytes are, where they are not text.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"%PDF-", "a PDF document"),
        (b"PK\x03\x04", "a zip archive, as Word, EPUB and OpenDocument files are"),
        (b"\xd0\xcf\x11\xe0", "an old Office document"),
        (b"{\\rtf", "a rich text document"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"RIFF", "a sound or picture"),
        (b"ID3", "a sound"),
        (b"OggS", "a sound"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"bplist0", "a property list"),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(kind);
    }
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let odd = sample.iter().filter(|b| matches!(b, 0..=7 | 14..=26 | 28..=31)).count();
    (odd > 8 && odd * 10 > sample.len() && utf16_without_mark(bytes).is_none()).then_some("binary data")
}

/// UTF-16 shows itself by zeros at every other byte, as long as the text is mostly Latin.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let pairs = sample.len() / 2;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match () {
        () if pairs < 4 => None,
        () if odd * 10 > pairs * 7 && even * 20 < pairs => Some(UTF_16LE),
        () if even * 10 > pairs * 7 && odd * 20 < pairs => Some(UTF_16BE),
        () => None,
    }
}

/// Share of characters beyond ASCII that stand where one would expect them: letters beside
/// letters, and the marks and signs that prose uses.
fn plausibility(text: &str) -> f64 {
    let (mut seen, mut expected) = (0usize, 0usize);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_ascii() {
            let beside_letter = before.is_alphabetic() || chars.peek().is_some_and(|n| n.is_alphabetic());
            seen += 1;
            expected += usize::from(
                (c.is_alphabetic() && beside_letter) || "‘’“”„«»–—…•£€©®°½¼¾§¡¿\u{a0}".contains(c),
            );
        }
        before = c;
    }
    if seen == 0 { 1.0 } else { expected as f64 / seen as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8], text: &str, encoding: &str, replaced: usize) -> Decoded {
        let decoded = decode(bytes).unwrap();
        assert_eq!(decoded.text, text);
        assert_eq!((decoded.encoding, decoded.replaced), (encoding, replaced), "{text}");
        decoded
    }

    #[test]
    fn marks_are_believed() {
        check(b"\xef\xbb\xbfcaf\xc3\xa9", "café", "UTF-8", 0);
        check(b"\xff\xfeh\0i\0\xe9\0", "hié", "UTF-16LE", 0);
        check(b"\xfe\xff\0h\0i\xd8\x3d", "hi\u{fffd}", "UTF-16BE", 1);
        check(b"\xff\xfe\0\0h\0\0\0\0\xd8\0\0", "h\u{fffd}", "UTF-32LE", 1);
    }

    #[test]
    fn encodings_are_guessed_when_nothing_says() {
        let latin = b"The ch\xe2teau of P\xe8re Yvon, \xa33 17s., d\xe9jeuner and L\xe9on's friends";
        let decoded =
            check(latin, "The château of Père Yvon, £3 17s., déjeuner and Léon's friends", "windows-1252", 0);
        assert!(decoded.confidence > 0.9);
        check("plain".as_bytes(), "plain", "UTF-8", 0);
        let damaged = [&"é".repeat(20).into_bytes()[..], b"\xe9x"].concat();
        assert!(check(&damaged, &("é".repeat(20) + "\u{fffd}x"), "UTF-8", 1).confidence < 1.0);
        check(b"h\0e\0l\0l\0o\0", "hello", "UTF-16LE", 0);
    }

    #[test]
    fn line_ends_and_controls_are_counted() {
        let decoded = check(b"a\r\nb\0\xef\xbb\xbfc\xe2\x80\xa8d", "a\nbc\u{2028}d", "UTF-8", 0);
        assert_eq!(decoded.given, 9);
        assert_eq!(decoded.cuts.iter().map(|c| c.chars).sum::<u64>(), 3);
    }

    #[test]
    fn what_is_no_text_is_named() {
        assert_eq!(decode(b"%PDF-1.4 ..."), Err("a PDF document"));
        assert_eq!(decode(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 0, 0]), Err("binary data"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(decoded) = decode(&bytes) {
                let cut: u64 = decoded.cuts.iter().map(|c| c.chars).sum();
                prop_assert_eq!(decoded.given, decoded.text.chars().count() as u64 + cut);
            }
        }
    }
}
