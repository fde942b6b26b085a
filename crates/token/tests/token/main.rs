//! What must hold for every text, template and conversation.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod families;
mod learn;
mod pack;
mod render;
mod running;
mod sentencepiece;
mod shard;
mod stream;
mod template;
mod tokenizer;
mod toy;
