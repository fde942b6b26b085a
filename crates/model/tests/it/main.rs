//! What the crate promises, seen from outside.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod as_gguf;
mod config;
mod container;
mod corrupt;
mod families;
mod folder;
mod gguf;
mod golden;
mod golden_dora;
mod golden_gpt2;
mod golden_llama;
mod golden_moe;
mod golden_qwen;
mod keeping;
mod less;
mod llama2c;
mod moe_files;
mod outgoing;
mod peft;
mod shelf;
mod taken;
mod tiny;
