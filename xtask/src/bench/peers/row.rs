//! The comparisons: what is held against what, and how much faster it is wanted.

/// What of the figures is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Tokens a second.
    Rate,
    /// Seconds to the end of the first step.
    FirstStep,
    /// Share of the register peak; compared with nobody.
    ShareOfPeak,
}

/// One comparison. Of several runners on a side the best counts.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is typed for it.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) about: &'static str,
    /// Names of our runners.
    pub(crate) ours: &'static [&'static str],
    /// Names of theirs.
    pub(crate) theirs: &'static [&'static str],
    pub(crate) figure: Figure,
    /// How many times theirs is wanted; for a share, the share.
    pub(crate) wanted: f64,
    /// The most memory, as a share of theirs.
    pub(crate) memory: Option<f64>,
}

const fn rate(
    name: &'static str,
    about: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
    wanted: f64,
) -> Row {
    Row { name, about, ours, theirs, figure: Figure::Rate, wanted, memory: None }
}

const LORA: &str = "penname smollm2 lora 4x256 bf16";
const CHAT: [&str; 3] = ["trl default", "trl packing", "trl tuned"];

/// Every comparison.
pub(crate) const ALL: &[Row] = &[
    Row {
        memory: Some(0.45),
        ..rate(
            "lora-4x256",
            "SmolLM2-135M LoRA, 4×256, against PyTorch+PEFT at its best",
            &[LORA],
            &[
                "pytorch smollm2 lora 4x256 autocast",
                "pytorch smollm2 lora 4x256 autocast tcmalloc",
                "pytorch smollm2 lora 4x256 bf16",
                "pytorch smollm2 lora 4x256 bf16 tcmalloc",
                "pytorch smollm2 lora 4x256 bf16 compile",
            ],
            1.55,
        )
    },
    Row {
        memory: Some(0.25),
        ..rate(
            "lora-default",
            "the same against PyTorch+PEFT as it comes",
            &[LORA],
            &["pytorch smollm2 lora 4x256 f32"],
            3.0,
        )
    },
    rate(
        "lora-f32",
        "the same in f32 on both sides",
        &["penname smollm2 lora 4x256 f32"],
        &["pytorch smollm2 lora 4x256 f32"],
        1.15,
    ),
    rate(
        "lora-1x512",
        "SmolLM2-135M LoRA, 1×512, against PyTorch+PEFT at its best",
        &["penname smollm2 lora 1x512 bf16"],
        &["pytorch smollm2 lora 1x512 autocast tcmalloc", "pytorch smollm2 lora 1x512 bf16 tcmalloc"],
        1.7,
    ),
    Row {
        figure: Figure::ShareOfPeak,
        ..rate("share", "share of the register peak over the whole LoRA step", &[LORA], &[], 0.78)
    },
    rate("burn", "SmolLM2-135M LoRA, 4×256, against Burn", &[LORA], &["burn"], 4.0),
    rate("candle", "SmolLM2-135M LoRA, 4×256, against candle", &[LORA], &["candle"], 6.0),
    rate(
        "gpt2-lora-4x128",
        "GPT-2-124M LoRA, 4×128, against PyTorch at its best",
        &["penname gpt2 lora 4x128 bf16"],
        &["pytorch gpt2 lora 4x128 autocast tcmalloc", "pytorch gpt2 lora 4x128 bf16 tcmalloc"],
        1.4,
    ),
    rate(
        "gpt2-lora-4x512",
        "GPT-2-124M LoRA, 4×512, against PyTorch at its best",
        &["penname gpt2 lora 4x512 bf16"],
        &["pytorch gpt2 lora 4x512 autocast tcmalloc", "pytorch gpt2 lora 4x512 bf16 tcmalloc"],
        1.4,
    ),
    rate(
        "gpt2-full-4x128",
        "GPT-2-124M, all weights, 4×128, against PyTorch in autocast",
        &["penname gpt2 full 4x128 bf16"],
        &["pytorch gpt2 full 4x128 autocast tcmalloc"],
        1.35,
    ),
    rate(
        "gpt2-full-4x512",
        "GPT-2-124M, all weights, 4×512, against PyTorch in autocast",
        &["penname gpt2 full 4x512 bf16"],
        &["pytorch gpt2 full 4x512 autocast tcmalloc"],
        1.35,
    ),
    rate(
        "llmc",
        "GPT-2-124M, all weights, 4×64, against llm.c",
        &["penname gpt2 full 4x64 bf16"],
        &["llm.c"],
        6.0,
    ),
    rate(
        "tiny",
        "7M parameters from scratch, 8×256, against PyTorch at its best",
        &["penname tiny full 8x256 bf16"],
        &["pytorch tiny full 8x256 autocast tcmalloc", "pytorch tiny full 8x256 bf16 tcmalloc"],
        1.5,
    ),
    rate(
        "prefill",
        "reading 512 tokens, best format of each, against llama.cpp",
        &["penname prefill bf16", "penname prefill q4_0", "penname prefill q8_0"],
        &["llama.cpp prefill bf16", "llama.cpp prefill q4_0", "llama.cpp prefill q8_0"],
        1.4,
    ),
    rate("prefill-bf16", "the same in BF16", &["penname prefill bf16"], &["llama.cpp prefill bf16"], 1.3),
    rate("prefill-q4_0", "the same in Q4_0", &["penname prefill q4_0"], &["llama.cpp prefill q4_0"], 1.3),
    rate("prefill-q8_0", "the same in Q8_0", &["penname prefill q8_0"], &["llama.cpp prefill q8_0"], 1.3),
    rate(
        "decode-q4_0",
        "writing one answer in Q4_0, against llama.cpp",
        &["penname decode q4_0"],
        &["llama.cpp decode q4_0"],
        1.2,
    ),
    rate(
        "decode-q8_0",
        "writing one answer in Q8_0, against llama.cpp",
        &["penname decode q8_0"],
        &["llama.cpp decode q8_0"],
        1.2,
    ),
    rate(
        "batch-llama.cpp",
        "64 prompts × 64 tokens in Q4_0, against llama.cpp one by one",
        &["penname batch q4_0"],
        &["llama.cpp each q4_0"],
        3.0,
    ),
    rate(
        "batch-transformers",
        "64 prompts × 64 tokens in bf16, against transformers in one batch",
        &["penname batch bf16"],
        &["transformers batch bf16"],
        5.0,
    ),
    rate("chat", "chat rows, the whole command, against TRL at its best", &["penname chat"], &CHAT, 2.5),
    Row {
        figure: Figure::FirstStep,
        ..rate("chat-start", "the same, time to the first step", &["penname chat"], &CHAT, 10.0)
    },
];

impl Row {
    /// Whether it was asked for: by its name, or the beginning of it; all are if none is named.
    pub(crate) fn is_wanted(&self, only: &[String]) -> bool {
        only.is_empty() || only.iter().any(|only| self.name.starts_with(only.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_names_every_row_that_has_it() {
        let names = |only: &str| -> Vec<&str> {
            ALL.iter().filter(|row| row.is_wanted(&[only.to_owned()])).map(|row| row.name).collect()
        };
        assert_eq!(names("decode"), ["decode-q4_0", "decode-q8_0"]);
        assert_eq!(names("lora-f32"), ["lora-f32"]);
        assert_eq!(names("chat"), ["chat", "chat-start"]);
        assert!(names("nothing").is_empty());
    }

    #[test]
    fn names_are_different() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
