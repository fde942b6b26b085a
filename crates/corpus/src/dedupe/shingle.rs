//! What of a text is compared: its words in lower case, whole or in overlapping runs.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Words in a run.
const WORDS: usize = 5;
/// Characters in a run, for texts with few words or none that can be told apart.
const CHARS: usize = 5;
/// Words below which runs of characters are compared.
const MIN_WORDS: usize = 20;
/// From here on scripts do not part words with blanks as a rule, and every character is one.
const CHARACTER_IS_WORD: char = '\u{2e80}';

/// The words of a text in lower case, parted by single spaces; marks, blanks and case are gone.
#[derive(Debug, Default)]
pub(crate) struct Words {
    text: String,
    /// Where each word ends in the text.
    ends: Vec<usize>,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let mut words = Self { text: String::with_capacity(text.len()), ends: Vec::new() };
        let mut in_word = false;
        for c in text.chars() {
            match c {
                c if c.is_ascii_alphanumeric() => {
                    words.begin(!in_word);
                    words.text.push(c.to_ascii_lowercase());
                    in_word = true;
                }
                // `don't` and `don’t` are one word, and the same.
                '\'' | '’' => {}
                c if !c.is_ascii() && c.is_alphanumeric() => {
                    words.begin(!in_word || c >= CHARACTER_IS_WORD);
                    words.text.extend(c.to_lowercase());
                    in_word = c < CHARACTER_IS_WORD;
                }
                _ => in_word = false,
            }
        }
        if !words.text.is_empty() {
            words.ends.push(words.text.len());
        }
        words
    }

    fn begin(&mut self, is_new: bool) {
        if is_new && !self.text.is_empty() {
            self.ends.push(self.text.len());
            self.text.push(' ');
        }
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end + 1));
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// A hash of all words, or of the text itself where it has none: marks and emoji are all there is.
    pub(super) fn exact(&self, text: &str) -> u128 {
        let of = if self.text.is_empty() { text.trim() } else { &self.text };
        xxh3_128(of.as_bytes())
    }

    /// The hashes of all runs, in order of the text.
    pub(super) fn runs(&self) -> Vec<u64> {
        if self.ends.len() < MIN_WORDS {
            let bounds: Vec<usize> =
                self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]).collect();
            let n_chars = bounds.len() - 1;
            let run = CHARS.min(n_chars.max(1));
            let hash = |at: usize| xxh3_64(&self.text.as_bytes()[bounds[at]..bounds[at + run]]);
            return (0..(n_chars + 1).saturating_sub(run)).map(hash).collect();
        }
        self.windows(WORDS)
    }

    /// The hashes of all runs of so many words.
    pub(crate) fn windows(&self, n_words: usize) -> Vec<u64> {
        let words: Vec<u64> = self.iter().map(|word| xxh3_64(word.as_bytes())).collect();
        let join = |run: &[u64]| run.iter().fold(0u64, |sum, word| mix(sum.rotate_left(23) ^ word));
        words.windows(n_words.max(1)).map(join).collect()
    }

    /// The words, parted by single spaces.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// The hashes of all runs of a text, sorted, each once.
pub(super) fn shingles(text: &str) -> Vec<u64> {
    let mut hashes = Words::of(text).runs();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// A bijection of 64-bit numbers that leaves no bit where it was.
///
/// # Source
/// S. Vigna's `splitmix64`, 2015, after D. Stafford's variant 13.
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Words::of(text).iter().map(str::to_owned).collect()
    }

    fn exact(text: &str) -> u128 {
        Words::of(text).exact(text)
    }

    #[test]
    fn case_and_marks_do_not_count() {
        assert_eq!(exact("A kettle,\nsings."), exact("a kettle sings"));
        assert_eq!(exact("don't"), exact("DON’T!"));
        assert_ne!(exact("a kettle"), exact("kettle a"));
        assert_ne!(exact("🫖"), exact("🍵"));
        assert_eq!(words("Größe, 3 kettles: 茶は。"), ["größe", "3", "kettles", "茶", "は"]);
        assert!(words("... ’").is_empty());
    }

    #[test]
    fn overlap_is_measured_on_runs() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[], &[]), 0.0);
        assert_eq!(shingles("abc").len(), 1);
        assert_eq!(shingles("abcdefg").len(), 3);
        assert!(shingles("").is_empty());
        let long: String = (0..30).map(|n| format!("word{n} ")).collect();
        assert_eq!(shingles(&long).len(), 26);
    }
}
