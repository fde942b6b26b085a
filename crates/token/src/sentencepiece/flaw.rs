//! What can be wrong with a vocabulary of pieces, or with a file that should hold one.

use super::{Kind, Piece, Vocabulary, piece_byte};

/// A fault, by cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The file ends too early, or a length leads out of it.
    #[error("ends inside {part} at offset {offset}")]
    Truncated {
        /// What was being read.
        part: &'static str,
        /// Where.
        offset: usize,
    },
    /// A field is written in another way than it should be.
    #[error("field {field} of {part} is of wire type {found}")]
    Field {
        /// What it is a field of.
        part: &'static str,
        /// Its number.
        field: u64,
        /// How it is written.
        found: u8,
    },
    /// A text is not UTF-8.
    #[error("{part} {index} is not UTF-8")]
    NotText {
        /// What was being read.
        part: &'static str,
        /// Which of them.
        index: usize,
    },
    /// A setting under which text is cut in a way that is not known here.
    #[error("`{setting}` is {found}, expected {expected}")]
    Unsupported {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// There are no pieces.
    #[error("has no pieces")]
    Empty,
    /// A piece has no text, a score that is no number, or is no byte though it says so.
    #[error("piece {id} {what}")]
    Piece {
        /// Its id.
        id: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The same text stands at two ids.
    #[error("piece {second} repeats the text {text:?} of piece {first}")]
    Twice {
        /// The text.
        text: String,
        /// Where it stood first.
        first: u32,
        /// Where it stands again.
        second: u32,
    },
    /// Not one piece stands for the unknown.
    #[error("has {found} pieces for the unknown, expected 1")]
    Unknowns {
        /// How many there are.
        found: usize,
    },
    /// Text falls back on bytes, and one has no piece.
    #[error("falls back on bytes but has no piece for byte 0x{byte:02x}")]
    MissingByte {
        /// The first byte without a piece.
        byte: u8,
    },
    /// An id with a job does not exist.
    #[error("{role} is piece {found} of {n_pieces}")]
    Id {
        /// The job.
        role: &'static str,
        /// The id.
        found: u32,
        /// How many pieces there are.
        n_pieces: usize,
    },
    /// The rules for characters are damaged.
    #[error("its rules for characters are damaged: {what}")]
    Rules {
        /// What is wrong with them.
        what: &'static str,
    },
}

pub(super) fn check_piece(id: u32, piece: &Piece) -> Result<(), Flaw> {
    let what = match piece {
        Piece { text, .. } if text.is_empty() => "has no text",
        Piece { score, .. } if !score.is_finite() => "has a score that is no number",
        Piece { kind: Kind::Byte, text, .. } if piece_byte(text).is_none() => "is no byte, though it says so",
        _ => return Ok(()),
    };
    Err(Flaw::Piece { id, what })
}

pub(super) fn only_unknown(pieces: &[Piece]) -> Result<u32, Flaw> {
    let mut unknowns = (0..).zip(pieces).filter(|(_, piece)| piece.kind == Kind::Unknown).map(|(id, _)| id);
    match (unknowns.next(), unknowns.count()) {
        (Some(id), 0) => Ok(id),
        (None, _) if pieces.is_empty() => Err(Flaw::Empty),
        (first, more) => Err(Flaw::Unknowns { found: usize::from(first.is_some()) + more }),
    }
}

pub(super) fn check_ids(vocabulary: &Vocabulary) -> Result<(), Flaw> {
    let n_pieces = vocabulary.pieces.len();
    for (role, id) in [("bos", vocabulary.bos), ("eos", vocabulary.eos), ("pad", vocabulary.pad)] {
        if let Some(found) = id.filter(|id| *id as usize >= n_pieces) {
            return Err(Flaw::Id { role, found, n_pieces });
        }
    }
    Ok(())
}
