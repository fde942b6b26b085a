//! Text to ids and ids to bytes.
//!
//! A [`Tokenizer`] wraps the model's own, read from a `tokenizer.json` or from
//! the vocabulary inside a GGUF file, or made of SentencePiece's pieces. It adds three promises: text that merely
//! looks like a control token never becomes one ([`Tokenizer::encode`]); bytes
//! the vocabulary cannot spell are counted ([`Tokenizer::n_lost`]); and a text
//! that goes on where another ended gains no unwritten space.

mod bytes;
mod config;
mod gguf;
mod hash;
mod load;
mod pieces;
mod pre;
mod prefix;
pub(crate) mod special;
mod to_gguf;

use penname_ledger::Hash;

pub use config::TokenizerConfig;
pub use gguf::GgufVocab;

pub(crate) use bytes::alphabet;
pub(crate) use pre::pre_tokenizer;

use crate::error::{Error, Result};
use crate::sentencepiece::Model;
use bytes::TokenBytes;
use special::{Piece, Specials};

/// The ids that have a job beyond their text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Any of these ends a text. The first is the one templates write.
    pub eos: Vec<u32>,
    /// Stands for what the vocabulary cannot spell.
    pub unk: Option<u32>,
    /// Fills rows of unequal length. Never a label here.
    pub pad: Option<u32>,
    /// Whether the model was trained with `bos` before every text.
    pub add_bos: bool,
}

/// A model's tokenizer. See the [module](self) for its promises.
pub struct Tokenizer {
    /// For text that begins.
    begin: tokenizers::Tokenizer,
    /// For text that goes on, where that makes a difference.
    go_on: Option<GoOn>,
    /// Where ids come from pieces themselves.
    pieces: Option<Box<Model>>,
    specials: Specials,
    bytes: TokenBytes,
    /// Bytes no token spells.
    lost: Vec<u8>,
    ids: SpecialIds,
    hash: Hash,
}

struct GoOn {
    tokenizer: tokenizers::Tokenizer,
    after_control: bool,
}

/// What stands before a stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: the text begins here.
    Nothing,
    /// A control token.
    Control,
    /// Other text, encoded on its own.
    Text,
}

impl Tokenizer {
    /// Reads a Hugging Face `tokenizer.json`. The file does not say which
    /// token begins or ends a text: add that with [`Tokenizer::with_config`]
    /// or [`Tokenizer::with_special_ids`].
    ///
    /// # Errors
    /// Malformed JSON, a kind of tokenizer whose ids do not lead back to
    /// bytes, or pieces without a token for every byte.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        Self::from_value(serde_json::from_slice(json).map_err(load::unreadable)?)
    }

    /// Says which ids begin, end and fill texts.
    ///
    /// # Errors
    /// An id beyond the vocabulary.
    pub fn with_special_ids(mut self, ids: SpecialIds) -> Result<Self> {
        let eos = ids.eos.iter().map(|&id| ("eos", Some(id)));
        let others = [("bos", ids.bos), ("unk", ids.unk), ("pad", ids.pad)];
        for (role, id) in eos.chain(others) {
            if let Some(id) = id.filter(|&id| self.token_bytes(id).is_none()) {
                let vocab_size = self.vocab_size();
                return Err(Error::SpecialToken { role, found: id.to_string(), vocab_size });
            }
        }
        self.ids = ids;
        self.ids.eos.dedup();
        Ok(self)
    }

    /// Ids of a text somebody wrote. Control tokens in it stay ordinary text.
    ///
    /// # Errors
    /// The tokenizer library refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_stretch(text, Before::Nothing)
    }

    /// Ids of a text a template wrote. Control tokens in it are recognised.
    /// Never pass what a user wrote.
    ///
    /// # Errors
    /// The tokenizer library refuses the text.
    pub fn encode_template(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.encode_guarded(text, &[], Before::Nothing, &mut ids)?;
        Ok(ids)
    }

    /// Appends the ids of rendered text in which `guards` mark the places that
    /// no control token may span. Returns what stands before a text that follows.
    pub(crate) fn encode_guarded(
        &self,
        text: &str,
        guards: &[usize],
        before: Before,
        ids: &mut Vec<u32>,
    ) -> Result<Before> {
        let mut before = before;
        for piece in self.specials.split(text, guards) {
            before = match piece {
                Piece::Control(id, _) => {
                    ids.push(id);
                    Before::Control
                }
                Piece::Text(range) => {
                    ids.extend(self.encode_stretch(&text[range], before)?);
                    Before::Text
                }
            };
        }
        Ok(before)
    }

    fn encode_stretch(&self, text: &str, before: Before) -> Result<Vec<u32>> {
        if let Some(pieces) = &self.pieces {
            return Ok(if before == Before::Text { pieces.encode_on(text) } else { pieces.encode(text) });
        }
        let tokenizer = match &self.go_on {
            Some(go_on) if before == Before::Text => &go_on.tokenizer,
            Some(go_on) if before == Before::Control && !go_on.after_control => &go_on.tokenizer,
            _ => &self.begin,
        };
        let encoding =
            tokenizer.encode_fast(text, false).map_err(|cause| Error::Encode { cause: cause.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of some ids, control tokens included. Bytes that are no UTF-8
    /// and ids beyond the vocabulary become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text = self.spell(ids);
        let has_prefix = self.go_on.is_some() && ids.first().is_some_and(|&id| !self.is_control(id));
        match text.strip_prefix(' ') {
            Some(rest) if has_prefix => rest.to_owned(),
            _ => text,
        }
    }

    /// As [`Tokenizer::decode`], for ids that go on where others ended.
    pub(crate) fn spell(&self, ids: &[u32]) -> String {
        let bytes = |&id| self.token_bytes(id).unwrap_or("\u{fffd}".as_bytes()).iter().copied();
        let bytes: Vec<u8> = ids.iter().flat_map(bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Bytes of a text that no token spells. They are dropped when it is
    /// encoded, as by every engine; here they are at least counted.
    pub fn n_lost(&self, text: &str) -> usize {
        if let Some(pieces) = &self.pieces {
            return pieces.n_unknown(text);
        }
        match self.lost.is_empty() {
            true => 0,
            false => text.bytes().filter(|byte| self.lost.contains(byte)).count(),
        }
    }

    /// The bytes one id stands for; they need not be whole characters.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.bytes.get(id)
    }

    /// The id of a token spelled exactly so, as the vocabulary file spells it.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.begin.token_to_id(text)
    }

    /// Whether an id is a control token, never to be shown to a reader.
    pub fn is_control(&self, id: u32) -> bool {
        self.specials.contains(id)
    }

    /// Number of ids: one more than the largest.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The ids that have a job.
    pub fn special_ids(&self) -> &SpecialIds {
        &self.ids
    }

    /// The ids that end a text.
    pub fn eos_ids(&self) -> &[u32] {
        &self.ids.eos
    }

    /// The text of a token with a job, as templates write it.
    pub fn token_text(&self, id: Option<u32>) -> String {
        id.map(|id| self.decode(&[id])).unwrap_or_default()
    }

    /// The digest of everything that decides which ids a text gets.
    /// Stored with every adapter and shard; equal for a `tokenizer.json` and a
    /// GGUF file that agree on the vocabulary.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The `tokenizer.json` that gives this tokenizer back.
    ///
    /// # Errors
    /// The tokenizer library cannot write itself.
    pub fn to_json(&self) -> Result<String> {
        self.begin
            .to_string(false)
            .map_err(|cause| Error::Json { file: "tokenizer.json", cause: cause.to_string() })
    }

    pub(crate) fn specials(&self) -> &Specials {
        &self.specials
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("ids", &self.ids)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
