//! How text is cut before byte-pair merging, by the name GGUF files give it.
//!
//! A GGUF file carries the vocabulary but only a *name* for the pattern that
//! cuts the text first. A wrong pattern gives other ids without any error, so
//! a name that is not in [`ALL`] is refused.
//!
//! # Source
//! The patterns are published with each model's `tokenizer.json`; the names
//! are those of llama.cpp's model converter.

use serde_json::{Value, json};

/// One way to cut text.
pub(super) struct Pre {
    /// Every name under which GGUF files mean this one.
    pub(super) names: &'static [&'static str],
    steps: &'static [Step],
    /// Whether text is brought to Unicode form NFC first.
    pub(super) nfc: bool,
    /// Whether a piece that is a token as it stands skips the merges.
    pub(super) ignore_merges: bool,
    /// Whether the begin token stands before every text unless the file says otherwise.
    pub(super) add_bos: bool,
}

enum Step {
    /// Cut out every match of the pattern.
    Isolate(&'static str),
    /// Cut out every single digit.
    Digits,
    /// Cut with GPT-2's own pattern.
    Gpt2,
}

const GPT2: Pre =
    Pre { names: &["gpt-2", "gpt2"], steps: &[Step::Gpt2], nfc: false, ignore_merges: false, add_bos: false };

const SMOLLM: Pre = Pre {
    names: &["smollm", "starcoder", "refact", "command-r", "codeshell"],
    steps: &[Step::Digits, Step::Gpt2],
    ..GPT2
};

const QWEN2: Pre = Pre {
    names: &["qwen2"],
    steps: &[Step::Isolate(concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ))],
    nfc: true,
    ..GPT2
};

const LLAMA3: Pre = Pre {
    names: &["llama-bpe", "llama3", "llama-v3"],
    steps: &[Step::Isolate(concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ))],
    ignore_merges: true,
    add_bos: true,
    ..GPT2
};

const GPT4O: Pre = Pre {
    names: &["gpt-4o"],
    steps: &[Step::Isolate(concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ))],
    ..GPT2
};

const DEFAULT: Pre = Pre {
    names: &["default"],
    steps: &[
        Step::Isolate(r"[\p{P}\$\+<=>\^~\|]+"),
        Step::Gpt2,
        Step::Isolate(r"\p{N}+"),
        Step::Isolate(r"[0-9][0-9][0-9]"),
    ],
    ..GPT2
};

/// Every way of cutting text that is known.
pub(super) const ALL: &[Pre] = &[GPT2, SMOLLM, QWEN2, LLAMA3, GPT4O, DEFAULT];

/// The `pre_tokenizer` entry of the way with this name, nothing where there is none.
pub(crate) fn pre_tokenizer(name: &str) -> Value {
    Pre::named(name).map_or(Value::Null, Pre::to_json)
}

impl Pre {
    /// The way with this name.
    pub(super) fn named(name: &str) -> Option<&'static Pre> {
        ALL.iter().find(|pre| pre.names.contains(&name))
    }

    /// The `pre_tokenizer` entry of a `tokenizer.json`: the cuts, then bytes written as letters.
    pub(super) fn to_json(&self) -> Value {
        let ends_with_gpt2 = matches!(self.steps.last(), Some(Step::Gpt2));
        let mut steps: Vec<Value> = self.steps.iter().map(Step::to_json).collect();
        if ends_with_gpt2 {
            steps.pop();
        }
        steps.push(byte_level(ends_with_gpt2));
        match <[Value; 1]>::try_from(steps) {
            Ok([only]) => only,
            Err(steps) => json!({ "type": "Sequence", "pretokenizers": steps }),
        }
    }
}

impl Step {
    fn to_json(&self) -> Value {
        match self {
            Step::Digits => json!({ "type": "Digits", "individual_digits": true }),
            Step::Isolate(pattern) => isolate(pattern),
            Step::Gpt2 => {
                isolate(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
            }
        }
    }
}

fn isolate(pattern: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
}

fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}
