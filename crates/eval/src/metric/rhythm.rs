//! A few plain counts that show how a text moves, for the reader's own judgement.
//!
//! These describe; no claim rests on them. A model may have the author's
//! sentence length and none of the voice.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Better, Family, Measure};
use crate::pair::{Pairs, cluster};
use crate::stat::bootstrap::Resampling;
use crate::stat::estimate::{self, Contrast};
use crate::stat::ratio::Ratio;

/// The counts.
pub static FAMILY: Family = Family {
    name: "rhythm",
    question: "How do the texts move?",
    measures: &[
        measure_of(
            "words_per_reply",
            "Words per reply",
            "All words over all replies, empty ones included.",
            "words",
        ),
        measure_of("words_per_sentence", "Words per sentence", "All words over all sentences.", "words"),
        measure_of(
            "punctuation",
            "Punctuation",
            "Punctuation marks that stand outside words, over all words, times 1000.",
            "per 1000 words",
        ),
        measure_of(
            "questions",
            "Questions",
            "Sentences with a question mark at their end, over all sentences, times 100.",
            "% of sentences",
        ),
        measure_of(
            "contractions",
            "Contractions",
            "English contractions such as don't, I'm and it's, over all words, times 1000.",
            "per 1000 words",
        ),
    ],
};

const fn measure_of(
    name: &'static str,
    label: &'static str,
    definition: &'static str,
    unit: &'static str,
) -> Measure {
    Measure { name, label, definition, unit, decimals: 1, better: Better::Author }
}

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    /// Words per reply.
    pub words_per_reply: Contrast,
    /// Words per sentence.
    pub words_per_sentence: Contrast,
    /// Punctuation marks per 1000 words.
    pub punctuation: Contrast,
    /// Questions, in percent of sentences.
    pub questions: Contrast,
    /// Contractions per 1000 words.
    pub contractions: Contrast,
}

impl Rhythm {
    /// The contrasts in the order of [`FAMILY`].
    pub(crate) fn contrasts(&self) -> [&Contrast; 5] {
        [
            &self.words_per_reply,
            &self.words_per_sentence,
            &self.punctuation,
            &self.questions,
            &self.contractions,
        ]
    }
}

/// What is counted in one text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Words as Unicode bounds them: `don't` is one.
    pub words: u32,
    /// Sentences with at least one word.
    pub sentences: u32,
    /// Punctuation marks outside words.
    pub punctuation: u32,
    /// Sentences that end in a question mark.
    pub questions: u32,
    /// English contractions.
    pub contractions: u32,
}

/// Counts all replies and the author's answers.
#[must_use]
pub fn measure(pairs: &Pairs<'_>, plan: Resampling) -> Rhythm {
    let counts = pairs.measure(|voice| Counts::of(voice.text));
    let rate = |stream: &str, over: fn(&Counts) -> u32, under: fn(&Counts) -> u32, scale: f64| {
        let ratio = |c: &Counts| Ratio::new(scale * f64::from(over(c)), f64::from(under(c)));
        estimate::contrast(&cluster(&counts, ratio), plan, stream)
    };
    Rhythm {
        words_per_reply: rate("words_per_reply", |c| c.words, |_| 1, 1.0),
        words_per_sentence: rate("words_per_sentence", |c| c.words, |c| c.sentences, 1.0),
        punctuation: rate("punctuation", |c| c.punctuation, |c| c.words, 1000.0),
        questions: rate("questions", |c| c.questions, |c| c.sentences, 100.0),
        contractions: rate("contractions", |c| c.contractions, |c| c.words, 1000.0),
    }
}

impl Counts {
    /// Counts one text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for sentence in text.unicode_sentences() {
            counts.sentences += 1;
            counts.questions += u32::from(is_question(sentence));
        }
        for piece in text.split_word_bounds() {
            if piece.chars().any(char::is_alphanumeric) {
                counts.words += 1;
                counts.contractions += u32::from(is_contraction(piece));
            } else {
                counts.punctuation += piece.chars().filter(|&c| is_punctuation(c)).count() as u32;
            }
        }
        counts
    }
}

fn is_question(sentence: &str) -> bool {
    let closing = |c: char| c.is_whitespace() || "\"'’”»)]!".contains(c);
    sentence.trim_end_matches(closing).ends_with(['?', '？', '؟'])
}

/// Whether a word ends as only contractions do; `'s` counts after the few words that have no genitive.
fn is_contraction(word: &str) -> bool {
    const BEFORE_S: &[&str] =
        &["it", "that", "he", "she", "what", "there", "here", "let", "who", "where", "how"];
    let word = word.to_lowercase().replace('’', "'");
    let Some((stem, ending)) = word.rsplit_once('\'') else { return false };
    match ending {
        "t" => stem.ends_with('n'),
        "s" => BEFORE_S.contains(&stem),
        "re" | "ve" | "ll" | "d" | "m" => !stem.is_empty(),
        _ => false,
    }
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '¡' | '¿' | '«' | '»' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}')
        || matches!(c, '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '！' | '，' | '：' | '；' | '？')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let check = |text: &str, expected: [u32; 5]| {
            let c = Counts::of(text);
            assert_eq!(
                [c.words, c.sentences, c.punctuation, c.questions, c.contractions],
                expected,
                "{text:?}"
            );
        };
        check("", [0, 0, 0, 0, 0]);
        check("...", [0, 0, 3, 0, 0]);
        check("I don't know. Do you?", [5, 2, 2, 1, 1]);
        check("It’s John's dog, isn’t it?", [5, 1, 2, 1, 2]);
        check("\"Why?\" she said — twice.", [4, 2, 5, 1, 0]);
        check("One line\n\nAnother line", [4, 2, 0, 0, 0]);
        check("海は青い。本当？", [6, 2, 2, 1, 0]);
    }
}
