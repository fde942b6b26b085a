//! llama2.c's `tokenizer.bin`: scores and texts, and nothing that says which is which.
//!
//! ```text
//! longest text u32, then for each id: score f32, length u32, text
//! ```
//!
//! Ids 0, 1 and 2 are the unknown, the beginning and the end; 256 pieces `<0x00>` … follow. A text has
//! spaces where a piece has `▁`, and the beginning and the end are written between line breaks.

use super::{Algorithm, Flaw, Kind, Normalization, Piece, SPACE, UNKNOWN_SURFACE, Vocabulary, piece_byte};

const BOS: u32 = 1;
const EOS: u32 = 2;
const CONTROLS: [&str; 3] = ["<unk>", "<s>", "</s>"];

pub(super) fn read(bytes: &[u8]) -> Result<Vocabulary, Flaw> {
    let mut left = bytes;
    let longest = number(&mut left, bytes, "the header")?;
    let mut pieces = Vec::new();
    while !left.is_empty() {
        pieces.push(piece(&mut left, bytes, u32::from_le_bytes(longest), pieces.len())?);
    }
    if pieces.len() < CONTROLS.len() {
        return Err(Flaw::Empty);
    }
    let byte_fallback = pieces.iter().filter(|piece| piece.kind == Kind::Byte).count() == 256;
    Ok(Vocabulary {
        pieces,
        algorithm: Algorithm::Bpe,
        byte_fallback,
        bos: Some(BOS),
        eos: Some(EOS),
        pad: None,
        unknown_surface: UNKNOWN_SURFACE.to_owned(),
        normalization: Normalization::default(),
    })
}

fn number(left: &mut &[u8], whole: &[u8], part: &'static str) -> Result<[u8; 4], Flaw> {
    let offset = whole.len() - left.len();
    let (number, rest) = left.split_first_chunk().ok_or(Flaw::Truncated { part, offset })?;
    *left = rest;
    Ok(*number)
}

fn piece(left: &mut &[u8], whole: &[u8], longest: u32, id: usize) -> Result<Piece, Flaw> {
    let score = f32::from_le_bytes(number(left, whole, "a score")?);
    let n_bytes = u32::from_le_bytes(number(left, whole, "a length")?);
    let truncated = Flaw::Truncated { part: "a text", offset: whole.len() - left.len() };
    if n_bytes > longest {
        let found = format!("{n_bytes} bytes for piece {id}");
        return Err(Flaw::Unsupported {
            setting: "length of a text",
            found,
            expected: "at most the longest",
        });
    }
    let (text, rest) = left.split_at_checked(n_bytes as usize).ok_or(truncated)?;
    *left = rest;
    let text = std::str::from_utf8(text).map_err(|_| Flaw::NotText { part: "piece", index: id })?;
    let (text, kind) = match CONTROLS.get(id) {
        Some(control) => (text.trim_matches('\n').to_owned(), control_kind(control)),
        None if piece_byte(text).is_some() => (text.to_owned(), Kind::Byte),
        None => (text.replace(' ', SPACE.encode_utf8(&mut [0; 4])), Kind::Normal),
    };
    Ok(Piece { text, score, kind })
}

fn control_kind(control: &str) -> Kind {
    if control == CONTROLS[0] { Kind::Unknown } else { Kind::Control }
}

/// Refuses what `run.c` would read as something else.
pub(super) fn check(vocabulary: &Vocabulary) -> Result<(), Flaw> {
    let refuse = |setting, found: String, expected| Err(Flaw::Unsupported { setting, found, expected });
    if vocabulary.algorithm != Algorithm::Bpe {
        return refuse("model_type", "unigram".to_owned(), "bpe, which is all that llama2.c cuts by");
    }
    let ends = (vocabulary.bos, vocabulary.eos);
    if ends != (Some(BOS), Some(EOS)) {
        return refuse("ids of beginning and end", format!("{ends:?}"), "1 and 2, as llama2.c has them");
    }
    let is_byte = |byte: u8| {
        let piece = vocabulary.pieces.get(CONTROLS.len() + usize::from(byte));
        piece.is_some_and(|piece| piece_byte(&piece.text) == Some(byte))
    };
    match (0..=u8::MAX).find(|byte| !is_byte(*byte)) {
        Some(byte) => {
            refuse("place of a byte", format!("another for {byte}"), "3 to 258, as llama2.c has them")
        }
        None => Ok(()),
    }
}

pub(super) fn write(vocabulary: &Vocabulary) -> Vec<u8> {
    let texts: Vec<String> =
        (0..).zip(&vocabulary.pieces).map(|(id, piece)| written(vocabulary, id, piece)).collect();
    let longest = texts.iter().map(String::len).max().unwrap_or(0) as u32;
    let mut bytes = longest.to_le_bytes().to_vec();
    for (text, piece) in texts.iter().zip(&vocabulary.pieces) {
        bytes.extend(piece.score.to_le_bytes());
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn written(vocabulary: &Vocabulary, id: u32, piece: &Piece) -> String {
    if [vocabulary.bos, vocabulary.eos].contains(&Some(id)) {
        return format!("\n{}\n", piece.text);
    }
    piece.text.replace(SPACE, " ")
}
