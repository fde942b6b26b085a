//! SentencePiece: a vocabulary of scored pieces, and how text is cut into them.
//!
//! [`Model::from_bytes`] reads a `.model` file, [`Model::from_llama2c`] a llama2.c `tokenizer.bin`;
//! [`Model::encode`] and [`Model::decode`] give the ids and texts of the `sentencepiece` library,
//! id for id. Two ways of cutting are known: byte-pair encoding, where the neighbours whose union
//! scores best are joined first, and unigram, where the pieces whose scores add up to most are taken.
//!
//! This is deliberately not a [`Tokenizer`](crate::Tokenizer), which knows of turns, control tokens
//! and texts that go on; [`Tokenizer::from_sentencepiece`](crate::Tokenizer::from_sentencepiece)
//! makes one of this. Learning a vocabulary is [`crate::learn`].
//!
//! # Source
//! Kudo and Richardson, "SentencePiece", 2018, arXiv 1808.06226, and the library of that name, whose
//! order among equals is kept; byte-pair encoding from Sennrich et al., 2016, arXiv 1508.07909;
//! unigram from Kudo, 2018, arXiv 1804.10959.

mod bpe;
mod decode;
mod file;
mod flaw;
mod llama2c;
mod normal;
mod prefix;
mod unigram;
mod wire;

use std::collections::HashMap;
use std::ops::Range;

pub use flaw::Flaw;

use normal::Normalizer;
use prefix::Prefixes;

/// What stands for a space in a piece.
pub const SPACE: char = '▁';

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    Normal,
    /// Stands for text that no piece spells.
    Unknown,
    /// Begins or ends a text, or has another job; never made of text.
    Control,
    /// Text that is never cut and never joined.
    UserDefined,
    /// In the vocabulary, but not used.
    Unused,
    /// One byte of text that no piece spells.
    Byte,
}

/// One entry of the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// How it is spelled, [`SPACE`] for a space.
    pub text: String,
    /// The larger, the sooner it is taken.
    pub score: f32,
    /// What it is for.
    pub kind: Kind,
}

/// How text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Neighbours are joined, best union first.
    Bpe,
    /// Pieces are chosen whose scores add up to most.
    Unigram,
}

/// What is done to text before it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalization {
    /// Its name: `identity`, `nmt_nfkc`.
    pub name: String,
    /// Rules for characters, as the library compiles them; empty changes none.
    pub rules: Vec<u8>,
    /// Whether a text begins with a space it does not have.
    pub dummy_prefix: bool,
    /// Whether spaces at the ends are dropped and runs of them made one.
    pub squeeze: bool,
    /// Whether a space becomes [`SPACE`].
    pub escape: bool,
}

impl Default for Normalization {
    fn default() -> Self {
        let (name, rules) = ("identity".to_owned(), Vec::new());
        Self { name, rules, dummy_prefix: true, squeeze: false, escape: true }
    }
}

/// The plain data of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// Pieces, by id.
    pub pieces: Vec<Piece>,
    /// How text is cut.
    pub algorithm: Algorithm,
    /// Whether what no piece spells becomes bytes.
    pub byte_fallback: bool,
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
    /// Fills up a batch.
    pub pad: Option<u32>,
    /// What [`Model::decode`] writes for the unknown piece.
    pub unknown_surface: String,
    /// What is done to text first.
    pub normalization: Normalization,
}

/// What the unknown piece is decoded to unless a model says otherwise.
pub const UNKNOWN_SURFACE: &str = " \u{2047} ";

/// A vocabulary ready to cut text.
#[derive(Debug, Clone)]
pub struct Model {
    vocabulary: Vocabulary,
    normalizer: Normalizer,
    /// Pieces that are made of text.
    index: HashMap<String, u32>,
    /// The same, for the search of unigram.
    prefixes: Prefixes,
    /// Pieces that are never cut.
    whole: Prefixes,
    unknown: u32,
    bytes: Option<Box<[u32; 256]>>,
}

/// A stretch of normalized text and the piece it was found to be.
type Cut = (Range<usize>, u32);

impl Model {
    /// Checks a vocabulary and makes it ready.
    ///
    /// # Errors
    /// The first [`Flaw`]: pieces without text or with a text twice, none or two for the unknown,
    /// bytes to fall back on that are missing, ids that do not exist.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, Flaw> {
        let mut index = HashMap::with_capacity(vocabulary.pieces.len());
        let mut reserved = HashMap::new();
        for (id, piece) in (0..).zip(&vocabulary.pieces) {
            flaw::check_piece(id, piece)?;
            let is_text = matches!(piece.kind, Kind::Normal | Kind::UserDefined | Kind::Unused);
            let table = if is_text { &mut index } else { &mut reserved };
            if let Some(first) = table.insert(piece.text.clone(), id) {
                return Err(Flaw::Twice { text: piece.text.clone(), first, second: id });
            }
        }
        let unknown = flaw::only_unknown(&vocabulary.pieces)?;
        flaw::check_ids(&vocabulary)?;
        let bytes = vocabulary.byte_fallback.then(|| bytes(&reserved)).transpose()?;
        let texts = |wanted: &dyn Fn(Kind) -> bool| {
            let ids = index.iter().filter(|(_, id)| wanted(vocabulary.pieces[**id as usize].kind));
            Prefixes::new(ids.map(|(text, id)| (text.clone().into_bytes(), *id)).collect())
        };
        let is_unigram = vocabulary.algorithm == Algorithm::Unigram;
        let prefixes = texts(&|kind| is_unigram && kind != Kind::Unused);
        let whole = texts(&|kind| kind == Kind::UserDefined);
        let normalizer = Normalizer::new(&vocabulary.normalization)?;
        Ok(Self { vocabulary, normalizer, index, prefixes, whole, unknown, bytes })
    }

    /// Reads a `.model` file.
    ///
    /// # Errors
    /// Bytes that are no such file, a way of cutting that is not known here, or a [`Flaw`] of the
    /// vocabulary.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Flaw> {
        Self::new(file::read(bytes)?)
    }

    /// The `.model` file of this vocabulary.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(&self.vocabulary)
    }

    /// Reads a llama2.c `tokenizer.bin`.
    ///
    /// # Errors
    /// Bytes that are no such file, or a [`Flaw`] of the vocabulary.
    pub fn from_llama2c(bytes: &[u8]) -> Result<Self, Flaw> {
        Self::new(llama2c::read(bytes)?)
    }

    /// The `tokenizer.bin` of this vocabulary, which says nothing of normalization: `run.c` puts a
    /// space before a text and changes nothing else.
    ///
    /// # Errors
    /// A vocabulary whose ids are not where `run.c` looks for them.
    pub fn to_llama2c(&self) -> Result<Vec<u8>, Flaw> {
        llama2c::check(&self.vocabulary)?;
        Ok(llama2c::write(&self.vocabulary))
    }

    /// The plain data.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The id of the unknown piece.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The ids of a text that begins here, without any that begin or end it.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.ids(&self.normalizer.begin(text, &self.whole))
    }

    /// The ids of a text that goes on where another ended: it gains no space.
    pub fn encode_on(&self, text: &str) -> Vec<u32> {
        self.ids(&self.normalizer.go_on(text, &self.whole))
    }

    /// Bytes of a text that become the unknown piece, after normalization.
    pub fn n_unknown(&self, text: &str) -> usize {
        if self.bytes.is_some() {
            return 0;
        }
        let cuts = self.cut(&self.normalizer.begin(text, &self.whole));
        cuts.into_iter().filter(|(_, id)| *id == self.unknown).map(|(range, _)| range.len()).sum()
    }

    fn cut(&self, normalized: &str) -> Vec<Cut> {
        match self.vocabulary.algorithm {
            Algorithm::Bpe => bpe::cut(self, normalized),
            Algorithm::Unigram => unigram::cut(self, normalized),
        }
    }

    /// Unknown stretches become their bytes, or neighbours of them one unknown piece.
    fn ids(&self, normalized: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut after_unknown = false;
        for (range, id) in self.cut(normalized) {
            let is_unknown = id == self.unknown;
            match &self.bytes {
                Some(bytes) if is_unknown => {
                    ids.extend(normalized[range].bytes().map(|byte| bytes[usize::from(byte)]));
                }
                None if is_unknown && after_unknown => {}
                _ => ids.push(id),
            }
            after_unknown = is_unknown;
        }
        ids
    }

    fn kind(&self, id: u32) -> Kind {
        self.vocabulary.pieces.get(id as usize).map_or(Kind::Unknown, |piece| piece.kind)
    }

    fn score(&self, id: u32) -> f32 {
        self.vocabulary.pieces.get(id as usize).map_or(0.0, |piece| piece.score)
    }
}

/// How a lone byte is spelled: `<0x0A>`.
pub(crate) fn byte_piece(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The byte that `<0x0A>` spells.
fn piece_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (byte_piece(byte) == text).then_some(byte)
}

fn bytes(reserved: &HashMap<String, u32>) -> Result<Box<[u32; 256]>, Flaw> {
    let mut ids = Box::new([0; 256]);
    for byte in 0..=u8::MAX {
        ids[usize::from(byte)] = *reserved.get(&byte_piece(byte)).ok_or(Flaw::MissingByte { byte })?;
    }
    Ok(ids)
}
