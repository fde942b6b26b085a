//! What can go wrong with a tokenizer, a template or a shard.
//!
//! An example that cannot be learned from is not here: that is a
//! [`Verdict`](crate::Verdict), which is counted, and the work goes on.

use std::path::PathBuf;

use penname_ledger::Hash;

use crate::sentencepiece::Flaw;
use crate::shard::Damage;

/// Every way the corridor can refuse its materials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `tokenizer.json` or `tokenizer_config.json` is not what it should be.
    #[error("`{file}` is not readable: {cause}")]
    Json {
        /// The file as the model shelf names it.
        file: &'static str,
        /// What the reader said.
        cause: String,
    },
    /// The tokenizer is of a kind whose ids cannot be turned back into bytes.
    #[error(
        "tokenizer model `{found}` is not supported, expected byte-level BPE or pieces with byte fallback"
    )]
    TokenizerKind {
        /// The kind the file declares.
        found: String,
    },
    /// A vocabulary of pieces falls back on bytes but lacks one.
    #[error("the vocabulary falls back on bytes but has no token for byte 0x{byte:02x}")]
    MissingByte {
        /// The first byte without a token.
        byte: u8,
    },
    /// A GGUF file names a way of cutting text before BPE that is not known here.
    #[error("unknown pre-tokenizer `{found}`, expected one of {}", known.join(", "))]
    PreTokenizer {
        /// The value of `tokenizer.ggml.pre`.
        found: String,
        /// The values that are known.
        known: Vec<&'static str>,
    },
    /// A GGUF file names a vocabulary type that is not known here.
    #[error("unknown vocabulary type `{found}`, expected `gpt2` (byte-level BPE) or `llama` (scored pieces)")]
    VocabularyType {
        /// The value of `tokenizer.ggml.model`.
        found: String,
    },
    /// Two lists of a vocabulary that belong together differ in length.
    #[error("the vocabulary has {n_tokens} tokens but {found} {list}")]
    VocabularyLength {
        /// Number of tokens.
        n_tokens: usize,
        /// Which list differs.
        list: &'static str,
        /// Its length.
        found: usize,
    },
    /// The same text stands at two ids.
    #[error("token {second} repeats the text {text:?} of token {first}")]
    DuplicateToken {
        /// The text.
        text: String,
        /// Where it stood first.
        first: u32,
        /// Where it stands again.
        second: u32,
    },
    /// Two texts share one id.
    #[error("token {id} has two texts, one of them {text:?}")]
    RepeatedId {
        /// The id.
        id: u32,
        /// The second text.
        text: String,
    },
    /// The ids leave too many holes to be a real vocabulary.
    #[error("the vocabulary has {n_tokens} tokens but ids up to {largest}")]
    SparseVocabulary {
        /// Number of tokens.
        n_tokens: usize,
        /// The largest id.
        largest: u32,
    },
    /// A merge line does not name two tokens.
    #[error("merge {index} is {found:?}, expected two tokens with one space between")]
    Merge {
        /// Index of the line.
        index: usize,
        /// The line.
        found: String,
    },
    /// A named or numbered special token is not in the vocabulary.
    #[error("{role} token {found} is not in the vocabulary of {vocab_size}")]
    SpecialToken {
        /// What the token is for: `bos`, `eos`, `unk` or `pad`.
        role: &'static str,
        /// Its name or number.
        found: String,
        /// Number of ids.
        vocab_size: usize,
    },
    /// A vocabulary of pieces is not what it should be.
    #[error("the vocabulary of pieces {0}")]
    SentencePiece(#[from] Flaw),
    /// A vocabulary to be learned is too small to hold an alphabet.
    #[error("a vocabulary of {found} is too small, expected at least {least}")]
    VocabularySize {
        /// The size asked for.
        found: usize,
        /// The smallest that works.
        least: usize,
    },
    /// No vocabulary could be learned.
    #[error("no vocabulary can be learned: {cause}")]
    Learn {
        /// Why.
        cause: String,
    },
    /// The tokenizer library refused a text.
    #[error("the text could not be encoded: {cause}")]
    Encode {
        /// What the library said.
        cause: String,
    },
    /// The template cannot be read, or failed while rendering.
    #[error("chat template{}: {cause}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Template {
        /// Line of the template's source, when known.
        line: Option<usize>,
        /// What went wrong there.
        cause: String,
    },
    /// The template refused this conversation through `raise_exception`.
    #[error("chat template{} raised: {message}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Raised {
        /// Line of the template's source, when known.
        line: Option<usize>,
        /// The template's own words.
        message: String,
    },
    /// No built-in template has this name.
    #[error("unknown template `{found}`, expected one of {}", known.join(", "))]
    TemplateName {
        /// The name asked for.
        found: String,
        /// The names that exist.
        known: Vec<&'static str>,
    },
    /// A template does more than to stand around messages.
    #[error(
        "the template does more than to put pieces around messages, so it cannot be written in another language"
    )]
    TemplateTurns,
    /// A sequence does not fit into the rows of one step.
    #[error("sequence `{id}` has {n_tokens} tokens, more than the budget of {budget}")]
    OverBudget {
        /// Example id of the sequence.
        id: String,
        /// Its length.
        n_tokens: usize,
        /// Rows in one step.
        budget: usize,
    },
    /// A shard is damaged or of another version.
    #[error("shard `{}`: {damage}", path.display())]
    Shard {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// A shard cannot be read from disk.
    #[error("shard `{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A shard cannot be written.
    #[error(transparent)]
    Ledger(#[from] penname_ledger::Error),
    /// A shard was made with another tokenizer.
    #[error("the shard was made with tokenizer {found}, expected {expected}")]
    ShardTokenizer {
        /// Hash in the shard.
        found: Hash,
        /// Hash of the tokenizer in use.
        expected: Hash,
    },
}

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;
