//! What of a text is compared: its words in lower case, whole or in overlapping runs.

use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Words in a run.
const WORDS: usize = 5;
/// Characters in a run, for texts with few words or none that can be told apart.
const CHARS: usize = 5;
/// Words below which runs of characters are compared.
const MIN_WORDS: usize = 20;

/// A hash of all words; texts that differ in case, blanks and punctuation have the same one.
pub(super) fn exact(text: &str) -> u128 {
    let words = normal(text).join(" ");
    // Without words, marks and emoji are all there is.
    if words.is_empty() { xxh3_128(text.trim().as_bytes()) } else { xxh3_128(words.as_bytes()) }
}

/// The hashes of all runs, sorted, each once.
pub(super) fn shingles(text: &str) -> Vec<u64> {
    let words = normal(text);
    let mut hashes: Vec<u64> = if words.len() >= MIN_WORDS {
        words.windows(WORDS).map(|run| xxh3_64(run.join(" ").as_bytes())).collect()
    } else {
        let chars: Vec<char> = words.join(" ").chars().collect();
        let runs = chars.windows(CHARS.min(chars.len().max(1)));
        runs.map(|run| xxh3_64(run.iter().collect::<String>().as_bytes())).collect()
    };
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Common members over all members of two sorted lists, 0 for two empty ones.
pub(super) fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

fn normal(text: &str) -> Vec<String> {
    text.unicode_words().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_marks_do_not_count() {
        assert_eq!(exact("A kettle,\nsings."), exact("a kettle sings"));
        assert_ne!(exact("a kettle"), exact("kettle a"));
        assert_ne!(exact("🫖"), exact("🍵"));
    }

    #[test]
    fn overlap_is_measured_on_runs() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[], &[]), 0.0);
        assert_eq!(shingles("abc").len(), 1);
        assert!(shingles("").is_empty());
        assert_eq!(shingles("茶は飲み物です").len(), shingles("茶は飲み物です").len());
    }
}
