//! Text to ids with a loss mask, and back: the corridor between words and numbers.
//!
//! Everything that turns a conversation into something a model can learn from
//! happens here, once, and nowhere else. In the order of the flow:
//!
//! 1. [`message`]: an [`Example`] is a conversation with its provenance and its [`rights`].
//! 2. [`template`]: a [`Template`] writes a conversation the way one model
//!    expects to read it.
//! 3. [`tokenizer`]: a [`Tokenizer`] turns text into ids; text that merely
//!    looks like a control token never becomes one.
//! 4. [`render`]: the [`Renderer`] joins the two. [`Renderer::render`] gives
//!    ids with a loss mask for training and scoring, [`Renderer::prompt`] the
//!    ids a model answers to. The second is always a prefix of the first.
//! 5. [`sequence`]: a [`Sequence`] is what comes out; a [`Verdict`] says why
//!    an example did not become one.
//! 6. [`shard`]: many sequences in one checked file.
//! 7. [`mod@pack`]: sequences laid side by side into the rows of one step. The
//!    only place where labels are shifted.
//! 8. [`stream`]: the way back, ids to text as they arrive.
//!
//! Beside the flow stand [`sentencepiece`], vocabularies of scored pieces, [`learn`], which makes a
//! vocabulary of writing, and [`running`], text that is learned whole.
//!
//! This crate fetches nothing and knows no gradient. It takes bytes and plain
//! data; where they come from is the business of others.

pub mod error;
pub mod learn;
pub mod message;
pub mod pack;
pub mod render;
pub mod rights;
pub mod running;
pub mod sentencepiece;
pub mod sequence;
pub mod shard;
pub mod stream;
pub mod template;
pub mod tokenizer;
pub mod verdict;

pub use error::Error;
pub use message::{Example, Message, Role};
pub use pack::{IGNORE, Pack, pack_in_order, pack_tightly};
pub use render::{Renderer, TooLong};
pub use rights::Rights;
pub use sequence::{Sequence, Span};
pub use shard::Shard;
pub use stream::TextStream;
pub use template::Template;
pub use tokenizer::{GgufVocab, Tokenizer};
pub use verdict::Verdict;
