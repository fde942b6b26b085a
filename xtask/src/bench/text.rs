//! Text that nobody wrote, drawn from a seed: English in its small words, invented in the others.

use penname_ledger::Seed;

/// Small words, the commonest first.
const SMALL: &[&str] = &[
    "the", "of", "and", "a", "to", "in", "is", "that", "it", "was", "for", "on", "with", "as", "his", "they",
    "at", "be", "this", "from", "have", "or", "by", "one", "had", "not", "but", "what", "all", "were",
    "when", "we", "there", "can", "an", "your", "which", "their", "said", "if", "do", "will", "each",
    "about", "how", "up", "out", "them", "then", "she", "many", "some", "so", "these", "would", "other",
    "into", "has", "more", "her", "two", "like", "him", "see", "time", "could", "no", "make", "than",
    "first", "been", "its", "who", "now", "people", "my", "made", "over", "did", "down", "only", "way",
    "find", "use", "may", "water", "long", "little", "very", "after", "words", "called", "just", "where",
    "most", "know", "thought", "night", "house",
];
const BEGINS: &[&str] = &["k", "sp", "l", "br", "m", "st", "w", "th", "gr", "p", "sh", "d", "tr", "f", "h"];
const MIDDLES: &[&str] = &["ettl", "oon", "amp", "ead", "ill", "ow", "ast", "ind", "ark", "ool", "ens"];
const ENDS: &[&str] = &["e", "er", "ing", "ed", "s", "y", "ly", "ness", "et", "ow", "ish", "en"];
/// Dirt that texts come with.
const DIRT: &[&str] = &["&amp;", "\u{a0}", "\u{200b}", "  ", "e\u{301}", "“", "’", " — ", "\u{ad}", "…"];

/// Draws text.
#[derive(Debug)]
pub(super) struct Pen(u64);

impl Pen {
    pub(super) fn new(seed: Seed) -> Self {
        Self(seed.0)
    }

    /// A number below `n`, of Vigna's splitmix64 (2015).
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n.max(1) as u64) as usize
    }

    fn word(&mut self, out: &mut String) {
        match self.below(10) {
            0..5 => {
                // Twice drawn, the smaller: common words come more often.
                let at = self.below(SMALL.len()).min(self.below(SMALL.len()));
                out.push_str(SMALL[at]);
            }
            _ => {
                for parts in [BEGINS, MIDDLES, ENDS] {
                    out.push_str(parts[self.below(parts.len())]);
                }
            }
        }
    }

    pub(super) fn sentence(&mut self) -> String {
        let mut out = String::new();
        let n_words = 5 + self.below(16);
        for n in 0..n_words {
            if n > 0 {
                out.push(' ');
            }
            let start = out.len();
            self.word(&mut out);
            if n == 0 {
                out[start..=start].make_ascii_uppercase();
            }
            if self.below(40) == 0 {
                out.push_str(DIRT[self.below(DIRT.len())]);
            }
        }
        out.push_str([". ", ". ", "! ", "? "][self.below(4)]);
        out
    }

    /// A short message.
    pub(super) fn message(&mut self) -> String {
        let mut out = self.sentence();
        if self.below(4) == 0 {
            out.push_str("#SoItIs https://example.org/a");
        }
        out
    }

    /// Paragraphs of about so many words.
    pub(super) fn post(&mut self, words: usize) -> String {
        let mut out = String::new();
        for _ in 0..(words / 12).max(1) {
            out.push_str(&self.sentence());
            if self.below(5) == 0 {
                out.push_str("\r\n\r\n");
            }
        }
        out
    }

    /// Pages with their numbers.
    pub(super) fn scanned(&mut self, pages: usize) -> String {
        (1..=pages).map(|page| format!("{}\n\n{page}\n\n", self.post(250))).collect()
    }
}
