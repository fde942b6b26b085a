//! The same thing over and over: `lol` ten thousand times, a hand on the keyboard, a log.
//!
//! # Source
//! The measures are those of J. Rae and others, *Scaling Language Models: Methods, Analysis &
//! Insights from Training Gopher*, 2021, appendix A (lines and runs of words that were there before),
//! with the ratio of compression beside them for texts without words. Theirs are set for the web; by
//! default ours are far more lenient, because a refrain is a manner of writing.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use xxhash_rust::xxh3::xxh3_64;

use super::{Looked, Rule};

/// Characters below which a text is too short to repeat itself.
const MIN_CHARS: usize = 200;
/// Bytes of a text looked at.
const MAX_BYTES: usize = 1 << 18;
/// Words in a run.
const RUN: usize = 5;
/// Keeps the hashes of a run's words apart from those of the same words in another order.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// A text that packs to less than this share of itself says next to nothing. Prose packs to between
/// 0.35 and 0.6 at a few hundred characters, and to a quarter at most however long it is.
const MIN_PACKED: f64 = 0.08;

pub(super) const RULE: Rule = Rule {
    name: "repetition",
    about: "more of the lines or of the runs of five words than asked were there before, or the text packs to \
            almost nothing",
    settings: "`repetition`",
    judge,
};

fn judge(looked: &Looked<'_>) -> Option<String> {
    let most = looked.settings.repetition?;
    let text = &looked.voice[..looked.voice.floor_char_boundary(MAX_BYTES)];
    if text.len() < MIN_CHARS {
        return None;
    }
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let (lines, runs) = (repeated_lines(text), repeated_runs(text));
    match () {
        () if lines > most => Some(format!("{} of it is lines that were there before", percent(lines))),
        () if runs > most => Some(format!("{} of its runs of {RUN} words were there before", percent(runs))),
        () => {
            let packed = packed(text);
            (packed < MIN_PACKED).then(|| format!("it packs to {} of itself", percent(packed)))
        }
    }
}

/// The share of runs that were there before, in words; nothing for a text too short to repeat itself.
pub(super) fn told(voice: &str) -> Option<String> {
    let text = &voice[..voice.floor_char_boundary(MAX_BYTES)];
    (text.len() >= MIN_CHARS).then(|| format!("{:.0} % of runs of {RUN} words", repeated_runs(text) * 100.0))
}

/// Share of the bytes that stand in lines the text has had before.
fn repeated_lines(text: &str) -> f64 {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut seen: Vec<(u64, usize)> = lines.map(|line| (xxh3_64(line.as_bytes()), line.len())).collect();
    let all: usize = seen.iter().map(|(_, length)| length).sum();
    seen.sort_unstable();
    seen.dedup();
    let once: usize = seen.iter().map(|(_, length)| length).sum();
    (all - once) as f64 / all.max(1) as f64
}

/// Share of the runs of words that the text has had before.
fn repeated_runs(text: &str) -> f64 {
    let words: Vec<u64> = text.split_whitespace().map(|word| xxh3_64(word.as_bytes())).collect();
    let join =
        |run: &[u64]| run.iter().fold(0u64, |sum, word| (sum.rotate_left(23) ^ word).wrapping_mul(FACTOR));
    let mut runs: Vec<u64> = words.windows(RUN).map(join).collect();
    let all = runs.len();
    runs.sort_unstable();
    runs.dedup();
    (all - runs.len()) as f64 / all.max(1) as f64
}

/// Bytes after packing over bytes before; 1 should packing fail, which it cannot in memory.
fn packed(text: &str) -> f64 {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    let packed = packer.write_all(text.as_bytes()).and_then(|()| packer.finish());
    packed.map_or(1.0, |bytes| bytes.len() as f64 / text.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::super::judged as check;
    use super::*;
    use crate::settings::Validate;

    #[test]
    fn the_same_over_and_over_is_rejected() {
        let settings = Validate::default();
        check(
            &RULE,
            &"lol ".repeat(10_000),
            &settings,
            Some("100 % of its runs of 5 words were there before"),
        );
        check(&RULE, &"asdf".repeat(500), &settings, Some("it packs to 1 % of itself"));
        check(
            &RULE,
            &"error: no kettle\n".repeat(50),
            &settings,
            Some("98 % of it is lines that were there before"),
        );
        let off = Validate { repetition: None, ..Default::default() };
        check(&RULE, &"lol ".repeat(100), &off, None);
    }

    #[test]
    fn refrains_and_short_texts_stay() {
        let verse = |n: usize| {
            format!(
                "The {n}th kettle sang of steam and {n} spoons,\nand of the {n} rivers where it had been water.\nO my dear, o my dear.\n"
            )
        };
        let song: String = (1..9).map(verse).collect();
        check(&RULE, &song, &Validate::default(), None);
        check(&RULE, "no no no no no no no", &Validate::default(), None);
    }
}
