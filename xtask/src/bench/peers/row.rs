//! The comparisons: what is held against what, and how much faster it is wanted.

use crate::bench::record::Record;

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

impl Figure {
    /// Its name among the figures that a runner prints.
    fn field(self) -> &'static str {
        match self {
            Self::Rate => "tokens_per_s",
            Self::FirstStep => "first_step_s",
            Self::ShareOfPeak => "share_of_peak",
        }
    }
}

/// One comparison. Of several runners on a side the best counts.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is typed for it.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) work: &'static str,
    /// What it is held against.
    pub(crate) against: &'static str,
    /// Names of our runners.
    pub(crate) ours: &'static [&'static str],
    /// Names of theirs.
    pub(crate) theirs: &'static [&'static str],
    pub(crate) figure: Figure,
    /// How many times theirs is wanted; for a share, the share.
    pub(crate) wanted: f64,
    /// The most memory, as a share of theirs.
    pub(crate) memory: Option<f64>,
    /// Whether the first page of the project tells it.
    pub(crate) is_headline: bool,
}

const fn rate(
    name: &'static str,
    [work, against]: [&'static str; 2],
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
    wanted: f64,
) -> Row {
    Row { name, work, against, ours, theirs, figure: Figure::Rate, wanted, memory: None, is_headline: false }
}

/// A comparison that the first page of the project tells.
const fn headline(
    name: &'static str,
    what: [&'static str; 2],
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
    wanted: f64,
) -> Row {
    Row { is_headline: true, ..rate(name, what, ours, theirs, wanted) }
}

const LORA: &str = "penname smollm2 lora 4x256 bf16";
const CHAT: [&str; 3] = ["trl default", "trl packing", "trl tuned"];

/// Every comparison.
pub(crate) const ALL: &[Row] = &[
    Row {
        memory: Some(0.45),
        ..headline(
            "lora-4x256",
            ["LoRA step, SmolLM2-135M, rank 16, 4×256", "PyTorch with PEFT at its best"],
            &[LORA],
            &[
                "pytorch smollm2 lora 4x256 autocast",
                "pytorch smollm2 lora 4x256 autocast tcmalloc",
                "pytorch smollm2 lora 4x256 bf16",
                "pytorch smollm2 lora 4x256 bf16 tcmalloc",
                "pytorch smollm2 lora 4x256 autocast compile tcmalloc",
                "pytorch smollm2 lora 4x256 bf16 compile",
                "pytorch smollm2 lora 4x256 bf16 compile tcmalloc",
            ],
            1.55,
        )
    },
    Row {
        memory: Some(0.25),
        ..headline(
            "lora-default",
            ["LoRA step, SmolLM2-135M, rank 16, 4×256", "PyTorch with PEFT as it comes"],
            &[LORA],
            &["pytorch smollm2 lora 4x256 f32"],
            3.0,
        )
    },
    rate(
        "lora-f32",
        ["LoRA step in f32, SmolLM2-135M, 4×256", "PyTorch with PEFT in f32"],
        &["penname smollm2 lora 4x256 f32"],
        &["pytorch smollm2 lora 4x256 f32"],
        1.15,
    ),
    rate(
        "lora-1x512",
        ["LoRA step, SmolLM2-135M, rank 16, 1×512", "PyTorch with PEFT at its best"],
        &["penname smollm2 lora 1x512 bf16"],
        &[
            "pytorch smollm2 lora 1x512 autocast tcmalloc",
            "pytorch smollm2 lora 1x512 bf16 tcmalloc",
            "pytorch smollm2 lora 1x512 bf16 compile tcmalloc",
        ],
        1.7,
    ),
    Row {
        figure: Figure::ShareOfPeak,
        ..rate("share", ["LoRA step, SmolLM2-135M, rank 16, 4×256", "the register peak"], &[LORA], &[], 0.78)
    },
    headline(
        "burn",
        ["LoRA step, SmolLM2-135M, rank 16, 4×256", "Burn"],
        &[LORA],
        &["burn", "burn tcmalloc"],
        4.0,
    ),
    headline(
        "candle",
        ["LoRA step, SmolLM2-135M, rank 16, 4×256", "candle"],
        &[LORA],
        &["candle", "candle tcmalloc"],
        6.0,
    ),
    rate(
        "gpt2-lora-4x128",
        ["LoRA step, GPT-2-124M, rank 16, 4×128", "PyTorch with PEFT at its best"],
        &["penname gpt2 lora 4x128 bf16"],
        &[
            "pytorch gpt2 lora 4x128 autocast tcmalloc",
            "pytorch gpt2 lora 4x128 bf16 tcmalloc",
            "pytorch gpt2 lora 4x128 bf16 compile tcmalloc",
        ],
        1.4,
    ),
    rate(
        "gpt2-lora-4x512",
        ["LoRA step, GPT-2-124M, rank 16, 4×512", "PyTorch with PEFT at its best"],
        &["penname gpt2 lora 4x512 bf16"],
        &[
            "pytorch gpt2 lora 4x512 autocast tcmalloc",
            "pytorch gpt2 lora 4x512 bf16 tcmalloc",
            "pytorch gpt2 lora 4x512 bf16 compile tcmalloc",
        ],
        1.4,
    ),
    headline(
        "gpt2-full-4x128",
        ["step of all weights, GPT-2-124M, 4×128", "PyTorch in autocast"],
        &["penname gpt2 full 4x128 bf16"],
        &["pytorch gpt2 full 4x128 autocast tcmalloc", "pytorch gpt2 full 4x128 autocast compile tcmalloc"],
        1.35,
    ),
    rate(
        "gpt2-full-4x512",
        ["step of all weights, GPT-2-124M, 4×512", "PyTorch in autocast"],
        &["penname gpt2 full 4x512 bf16"],
        &["pytorch gpt2 full 4x512 autocast tcmalloc", "pytorch gpt2 full 4x512 autocast compile tcmalloc"],
        1.35,
    ),
    headline(
        "llmc",
        ["step of all weights, GPT-2-124M, 4×64", "llm.c"],
        &["penname gpt2 full 4x64 bf16"],
        &["llm.c"],
        6.0,
    ),
    rate(
        "tiny",
        ["step of a new model of 7M parameters, 8×256", "PyTorch at its best"],
        &["penname tiny full 8x256 bf16"],
        &[
            "pytorch tiny full 8x256 autocast tcmalloc",
            "pytorch tiny full 8x256 bf16 tcmalloc",
            "pytorch tiny full 8x256 autocast compile tcmalloc",
        ],
        1.5,
    ),
    headline(
        "prefill",
        ["reading a prompt of 512 tokens, best format of each", "llama.cpp"],
        &["penname prefill bf16", "penname prefill q4_0", "penname prefill q8_0"],
        &["llama.cpp prefill bf16", "llama.cpp prefill q4_0", "llama.cpp prefill q8_0"],
        1.4,
    ),
    rate(
        "prefill-bf16",
        ["reading a prompt of 512 tokens, BF16", "llama.cpp, same file"],
        &["penname prefill bf16"],
        &["llama.cpp prefill bf16"],
        1.3,
    ),
    rate(
        "prefill-q4_0",
        ["reading a prompt of 512 tokens, Q4_0", "llama.cpp, same file"],
        &["penname prefill q4_0"],
        &["llama.cpp prefill q4_0"],
        1.3,
    ),
    rate(
        "prefill-q8_0",
        ["reading a prompt of 512 tokens, Q8_0", "llama.cpp, same file"],
        &["penname prefill q8_0"],
        &["llama.cpp prefill q8_0"],
        1.3,
    ),
    headline(
        "decode-q4_0",
        ["writing one answer, Q4_0", "llama.cpp, same file"],
        &["penname decode q4_0"],
        &["llama.cpp decode q4_0"],
        1.2,
    ),
    rate(
        "decode-q8_0",
        ["writing one answer, Q8_0", "llama.cpp, same file"],
        &["penname decode q8_0"],
        &["llama.cpp decode q8_0"],
        1.2,
    ),
    headline(
        "batch-llama.cpp",
        ["answering 64 prompts with 64 tokens each, Q4_0", "llama.cpp, one by one"],
        &["penname batch q4_0"],
        &["llama.cpp each q4_0"],
        3.0,
    ),
    rate(
        "batch-transformers",
        ["answering 64 prompts with 64 tokens each, BF16", "transformers, in one batch"],
        &["penname batch bf16"],
        &["transformers batch bf16"],
        5.0,
    ),
    headline(
        "chat",
        ["training on 200 chat rows, the whole command", "TRL at its best"],
        &["penname chat"],
        &CHAT,
        2.5,
    ),
    Row {
        figure: Figure::FirstStep,
        ..headline(
            "chat-start",
            ["time to the first step on 200 chat rows", "TRL at its best"],
            &["penname chat"],
            &CHAT,
            10.0,
        )
    },
];

/// Ours and theirs of a comparison, as far as a record has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome<'a> {
    /// Our runner and its figure.
    pub(crate) ours: Option<(&'a str, f64)>,
    /// Their best runner and its figure.
    pub(crate) theirs: Option<(&'a str, f64)>,
    /// How many times theirs; for a share, the share.
    pub(crate) ratio: Option<f64>,
    /// Our memory as a share of theirs.
    pub(crate) memory: Option<f64>,
    /// Whether it is what was wanted.
    pub(crate) is_met: bool,
}

impl Row {
    /// What a record says of it.
    pub(crate) fn outcome<'a>(&'a self, record: &Record) -> Outcome<'a> {
        let (ours, theirs) = (self.best(self.ours, record), self.best(self.theirs, record));
        let ratio = match (ours, theirs) {
            (Some((_, ours)), None) if self.theirs.is_empty() => Some(ours),
            (Some((_, ours)), Some((_, theirs))) if self.figure == Figure::FirstStep => Some(theirs / ours),
            (Some((_, ours)), Some((_, theirs))) => Some(ours / theirs),
            _ => None,
        };
        let memory = ours.zip(theirs).and_then(|((ours, _), (theirs, _))| {
            Some(record.figure(ours, "peak_rss_bytes")? / record.figure(theirs, "peak_rss_bytes")?)
        });
        let is_met = ratio.is_some_and(|ratio| ratio >= self.wanted)
            && self.memory.is_none_or(|most| memory.is_some_and(|memory| memory <= most));
        Outcome { ours, theirs, ratio, memory, is_met }
    }

    /// The best of some runners by the figure of the row, with its value.
    fn best<'a>(&self, names: &'a [&'a str], record: &Record) -> Option<(&'a str, f64)> {
        let values = names.iter().filter_map(|name| Some((*name, record.figure(name, self.figure.field())?)));
        match self.figure {
            Figure::FirstStep => values.min_by(|a, b| a.1.total_cmp(&b.1)),
            Figure::Rate | Figure::ShareOfPeak => values.max_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }

    /// What is done, and what it is held against.
    pub(crate) fn about(&self) -> String {
        format!("{}, against {}", self.work, self.against)
    }

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
