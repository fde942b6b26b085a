//! Words as hashes: enough to know a text again, or a passage of it, and not enough to read it.

use std::collections::BTreeSet;

use penname_ledger::Hash;
use serde::{Deserialize, Serialize};

use crate::dedupe::shingle::Words;

/// Words in a run.
const RUN: usize = 8;
/// Runs kept of a text; of a longer one every second, every fourth and so on.
const MAX_RUNS: usize = 4096;
/// Runs that the shorter of two texts must have before a share of them says anything.
const MIN_RUNS: usize = 4;
/// Share of the runs of the shorter text that must stand in the longer one.
const SHARE: f64 = 0.8;

/// The hashes of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Runs are kept whose hash this divides: 1, 2, 4 and so on.
    every: u64,
    /// Runs of eight words, 16 hexadecimal digits each.
    #[serde(with = "digits")]
    runs: BTreeSet<u64>,
    /// The hash of all words.
    whole: Hash,
    n_words: usize,
}

impl Trace {
    /// The trace of a text, short enough to be kept.
    pub fn of(text: &str) -> Self {
        let mut trace = Self::whole(text);
        while trace.runs.len() > MAX_RUNS {
            trace.every *= 2;
            let every = trace.every;
            trace.runs.retain(|run| run.is_multiple_of(every));
        }
        trace
    }

    /// The trace of a text with all of its runs, to be compared.
    pub(super) fn whole(text: &str) -> Self {
        let words = Words::of(text);
        let n_words = words.text().split(' ').filter(|word| !word.is_empty()).count();
        let runs = words.windows(RUN).into_iter().collect();
        Self {
            every: 1,
            runs,
            whole: Hash::of_parts([b"forgotten", b"text".as_slice(), words.text().as_bytes()]),
            n_words,
        }
    }

    /// By which the same words are known again.
    pub fn key(&self) -> Hash {
        self.whole
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.n_words == 0
    }

    /// Whether one of both stands in the other, whole or nearly so.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let every = self.every.max(other.every);
        let kept = |trace: &Self| trace.runs.iter().filter(|run| run.is_multiple_of(every)).count();
        let least = kept(self).min(kept(other));
        let is_common = |run: &&u64| run.is_multiple_of(every) && other.runs.contains(run);
        let common = self.runs.iter().filter(is_common).count();
        least >= MIN_RUNS && common as f64 >= SHARE * least as f64
    }
}

/// Numbers of 64 bits as text: JSON's own numbers do not hold them everywhere.
mod digits {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(runs: &BTreeSet<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(runs.iter().map(|run| format!("{run:016x}")))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<u64>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| u64::from_str_radix(text, 16).map_err(de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(seed: usize, n: usize) -> String {
        (0..n).map(|k| format!("word{} ", (seed * 61 + k) * 7919 % 9973)).collect()
    }

    #[test]
    fn a_passage_is_known_in_the_whole_and_the_whole_in_a_passage() {
        let long = prose(1, 400);
        let passage: String = long.split_inclusive(' ').skip(100).take(60).collect();
        let fits = |one: &str, other: &str| Trace::of(one).fits(&Trace::whole(other));
        assert!(fits(&passage, &long) && fits(&long, &passage));
        assert!(!fits(&long, &prose(50, 400)));
        let changed = passage.replacen("word", "other", 1);
        assert!(fits(&long, &changed), "a word more or less does not matter");
    }

    #[test]
    fn case_and_marks_do_not_matter_and_few_words_must_be_the_same() {
        let key = |text: &str| Trace::of(text).key();
        assert_eq!(key("The kettle sings!"), key("the  kettle, sings"));
        assert_ne!(key("The kettle sings"), key("The kettle sang"));
        assert!(
            !Trace::of("The kettle sings").fits(&Trace::whole("So the kettle sings all day long, he said"))
        );
        assert!(Trace::of(" ?! ").is_empty());
    }

    #[test]
    fn a_long_text_is_thinned_and_still_known() {
        let long = prose(3, 9000);
        let trace = Trace::of(&long);
        assert!(trace.every > 1 && trace.runs.len() <= MAX_RUNS);
        assert!(trace.fits(&Trace::whole(&long)));
        let passage: String = long.split_inclusive(' ').skip(4000).take(400).collect();
        assert!(trace.fits(&Trace::whole(&passage)));
        let kept: Trace = serde_json::from_str(&serde_json::to_string(&trace).unwrap()).unwrap();
        assert_eq!(kept, trace);
    }
}
