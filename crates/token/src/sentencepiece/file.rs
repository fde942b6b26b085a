//! The `.model` file: a protocol buffer of pieces, and of how they were made.
//!
//! Fields that only say how a model was trained are passed over. Those that change how text is cut
//! are read, and refused where they ask for what is not done here.

use super::wire::{Fields, Message, Value};
use super::{Algorithm, Flaw, Kind, Normalization, Piece, UNKNOWN_SURFACE, Vocabulary};

/// Fields of the file.
const PIECE: u64 = 1;
const TRAINER: u64 = 2;
const NORMALIZER: u64 = 3;
const DENORMALIZER: u64 = 5;

/// Fields of the trainer's settings.
const ALGORITHM: u64 = 3;
const VOCABULARY_SIZE: u64 = 4;
const COVERAGE: u64 = 10;
const AS_SUFFIX: u64 = 24;
const SPLIT_DIGITS: u64 = 25;
const SPACES_ONLY: u64 = 26;
const BYTE_FALLBACK: u64 = 35;
const UNKNOWN_ID: u64 = 40;
const BOS_ID: u64 = 41;
const EOS_ID: u64 = 42;
const PAD_ID: u64 = 43;
const SURFACE: u64 = 44;
const BOS_PIECE: u64 = 46;
const EOS_PIECE: u64 = 47;

/// Fields of the normalizer's settings.
const NAME: u64 = 1;
const RULES: u64 = 2;
const DUMMY_PREFIX: u64 = 3;
const SQUEEZE: u64 = 4;
const ESCAPE: u64 = 5;

const KINDS: [(u64, Kind); 6] = [
    (1, Kind::Normal),
    (2, Kind::Unknown),
    (3, Kind::Control),
    (4, Kind::UserDefined),
    (5, Kind::Unused),
    (6, Kind::Byte),
];

/// What the settings of the trainer say about cutting.
struct Trainer {
    algorithm: u64,
    byte_fallback: bool,
    as_suffix: bool,
    bos: i32,
    eos: i32,
    pad: i32,
    surface: String,
}

pub(super) fn read(bytes: &[u8]) -> Result<Vocabulary, Flaw> {
    let mut fields = Fields::new(bytes, "the model");
    let (mut pieces, mut trainer, mut normalization) = (Vec::new(), trainer(&[])?, normalization(&[])?);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (PIECE, Value::Bytes(bytes)) => pieces.push(piece(bytes, pieces.len())?),
            (TRAINER, Value::Bytes(bytes)) => trainer = self::trainer(bytes)?,
            (NORMALIZER, Value::Bytes(bytes)) => normalization = self::normalization(bytes)?,
            (DENORMALIZER, Value::Bytes(bytes)) => no_denormalizer(bytes)?,
            (PIECE | TRAINER | NORMALIZER | DENORMALIZER, value) => return Err(fields.wrong(field, value)),
            _ => {}
        }
    }
    let algorithm = match trainer.algorithm {
        1 => Algorithm::Unigram,
        2 => Algorithm::Bpe,
        other => return Err(unsupported("model_type", other, "1 (unigram) or 2 (bpe)")),
    };
    if trainer.as_suffix {
        return Err(unsupported("treat_whitespace_as_suffix", true, "false"));
    }
    // The library takes an id below zero as none, and one that is no control piece as none either.
    let id = |id: i32| {
        let id = u32::try_from(id).ok()?;
        let piece: Option<&Piece> = pieces.get(id as usize);
        piece.is_none_or(|piece| piece.kind == Kind::Control).then_some(id)
    };
    let (bos, eos, pad) = (id(trainer.bos), id(trainer.eos), id(trainer.pad));
    let (byte_fallback, unknown_surface) = (trainer.byte_fallback, trainer.surface);
    Ok(Vocabulary { pieces, algorithm, byte_fallback, bos, eos, pad, unknown_surface, normalization })
}

fn piece(bytes: &[u8], index: usize) -> Result<Piece, Flaw> {
    let mut fields = Fields::new(bytes, "a piece");
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => piece.text = text(bytes, "piece", index)?,
            (2, Value::Four(bytes)) => piece.score = f32::from_le_bytes(bytes),
            (3, Value::Varint(number)) => {
                let known = KINDS.iter().find(|(known, _)| *known == number);
                piece.kind = known.ok_or(unsupported("type of a piece", number, "1 to 6"))?.1;
            }
            (1..=3, value) => return Err(fields.wrong(field, value)),
            _ => {}
        }
    }
    Ok(piece)
}

fn trainer(bytes: &[u8]) -> Result<Trainer, Flaw> {
    let mut fields = Fields::new(bytes, "the trainer's settings");
    let surface = UNKNOWN_SURFACE.to_owned();
    let mut trainer =
        Trainer { algorithm: 1, byte_fallback: false, as_suffix: false, bos: 1, eos: 2, pad: -1, surface };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (ALGORITHM, Value::Varint(number)) => trainer.algorithm = number,
            (BYTE_FALLBACK, Value::Varint(number)) => trainer.byte_fallback = number != 0,
            (AS_SUFFIX, Value::Varint(number)) => trainer.as_suffix = number != 0,
            // An id below zero is written in the ten bytes of a negative 64-bit number.
            (BOS_ID, Value::Varint(number)) => trainer.bos = number as i32,
            (EOS_ID, Value::Varint(number)) => trainer.eos = number as i32,
            (PAD_ID, Value::Varint(number)) => trainer.pad = number as i32,
            (SURFACE, Value::Bytes(bytes)) => trainer.surface = text(bytes, "unk_surface", 0)?,
            (ALGORITHM | BYTE_FALLBACK | AS_SUFFIX | BOS_ID..=SURFACE, value) => {
                return Err(fields.wrong(field, value));
            }
            _ => {}
        }
    }
    Ok(trainer)
}

fn normalization(bytes: &[u8]) -> Result<Normalization, Flaw> {
    let mut fields = Fields::new(bytes, "the normalizer's settings");
    let (name, rules) = (String::new(), Vec::new());
    let mut normalization = Normalization { name, rules, dummy_prefix: true, squeeze: true, escape: true };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (NAME, Value::Bytes(bytes)) => normalization.name = text(bytes, "normalizer", 0)?,
            (RULES, Value::Bytes(bytes)) => normalization.rules = bytes.to_vec(),
            (DUMMY_PREFIX, Value::Varint(number)) => normalization.dummy_prefix = number != 0,
            (SQUEEZE, Value::Varint(number)) => normalization.squeeze = number != 0,
            (ESCAPE, Value::Varint(number)) => normalization.escape = number != 0,
            (NAME..=ESCAPE, value) => return Err(fields.wrong(field, value)),
            _ => {}
        }
    }
    Ok(normalization)
}

/// Rules for the way back are for scripts without spaces and in no model in use here.
fn no_denormalizer(bytes: &[u8]) -> Result<(), Flaw> {
    let found = normalization(bytes)?;
    if found.rules.is_empty() {
        return Ok(());
    }
    Err(unsupported("denormalizer_spec", format!("{} bytes of rules", found.rules.len()), "no rules"))
}

fn text(bytes: &[u8], part: &'static str, index: usize) -> Result<String, Flaw> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Flaw::NotText { part, index })
}

fn unsupported(setting: &'static str, found: impl ToString, expected: &'static str) -> Flaw {
    Flaw::Unsupported { setting, found: found.to_string(), expected }
}

pub(super) fn write(vocabulary: &Vocabulary) -> Vec<u8> {
    let mut file = Message::default();
    for Piece { text, score, kind } in &vocabulary.pieces {
        let mut piece = Message::default();
        piece.bytes(1, text.as_bytes()).float(2, *score);
        let kind = KINDS.iter().find(|(_, known)| known == kind).map_or(1, |(number, _)| *number);
        if kind != 1 {
            piece.varint(3, kind);
        }
        file.message(PIECE, &piece);
    }
    file.message(TRAINER, &trainer_message(vocabulary));
    file.message(NORMALIZER, &normalizer_message(&vocabulary.normalization));
    file.finish()
}

fn trainer_message(vocabulary: &Vocabulary) -> Message {
    let mut trainer = Message::default();
    let algorithm = if vocabulary.algorithm == Algorithm::Bpe { 2 } else { 1 };
    trainer.varint(ALGORITHM, algorithm).varint(VOCABULARY_SIZE, vocabulary.pieces.len() as u64);
    trainer.float(COVERAGE, 1.0).varint(SPLIT_DIGITS, 1).varint(SPACES_ONLY, 1);
    trainer.varint(BYTE_FALLBACK, vocabulary.byte_fallback.into());
    let id = |id: Option<u32>| id.map_or(u64::MAX, u64::from);
    let unknown = vocabulary.pieces.iter().position(|piece| piece.kind == Kind::Unknown);
    trainer.varint(UNKNOWN_ID, unknown.unwrap_or(0) as u64);
    for (field, role) in [(BOS_ID, vocabulary.bos), (EOS_ID, vocabulary.eos), (PAD_ID, vocabulary.pad)] {
        trainer.varint(field, id(role));
    }
    trainer.bytes(SURFACE, vocabulary.unknown_surface.as_bytes());
    // The library finds the pieces with a job by their texts.
    for (field, role) in [(BOS_PIECE, vocabulary.bos), (EOS_PIECE, vocabulary.eos)] {
        if let Some(piece) = role.and_then(|id| vocabulary.pieces.get(id as usize)) {
            trainer.bytes(field, piece.text.as_bytes());
        }
    }
    trainer
}

fn normalizer_message(normalization: &Normalization) -> Message {
    let mut message = Message::default();
    message.bytes(NAME, normalization.name.as_bytes()).bytes(RULES, &normalization.rules);
    let flags = [
        (DUMMY_PREFIX, normalization.dummy_prefix),
        (SQUEEZE, normalization.squeeze),
        (ESCAPE, normalization.escape),
    ];
    for (field, flag) in flags {
        message.varint(field, flag.into());
    }
    message
}
