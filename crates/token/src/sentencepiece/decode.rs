//! Ids back to text, as the library writes it.

use super::{Kind, Model, SPACE, piece_byte};

impl Model {
    /// The text of some ids. Control pieces have none, the unknown piece has the model's own word for
    /// it; bytes that make no character become U+FFFD each, and ids beyond the vocabulary are unknown.
    pub fn decode(&self, ids: &[u32]) -> String {
        let normalization = &self.vocabulary.normalization;
        let mut begins = normalization.dummy_prefix || normalization.squeeze;
        let mut text = String::new();
        let mut bytes = Vec::new();
        for &id in ids {
            let piece = self.vocabulary.pieces.get(id as usize);
            if let Some(byte) = piece.filter(|p| p.kind == Kind::Byte).and_then(|p| piece_byte(&p.text)) {
                bytes.push(byte);
                continue;
            }
            write_bytes(&mut bytes, &mut text);
            begins &= text.is_empty();
            match piece {
                Some(piece) if piece.kind == Kind::Control => {}
                Some(piece) if piece.kind != Kind::Unknown => {
                    let written = match piece.text.strip_prefix(SPACE) {
                        Some(rest) if begins => {
                            begins = normalization.squeeze;
                            rest
                        }
                        _ => &piece.text,
                    };
                    text.extend(written.chars().map(|c| if c == SPACE { ' ' } else { c }));
                }
                _ => text.push_str(&self.vocabulary.unknown_surface),
            }
        }
        write_bytes(&mut bytes, &mut text);
        text
    }
}

/// Whole characters of the bytes, and U+FFFD for each byte of none.
fn write_bytes(bytes: &mut Vec<u8>, text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    bytes.clear();
}
