//! Replies that are no replies: empty, cut off, going in circles, or showing the machinery.
//!
//! The author's own texts are put through the same tests, so that a rule which
//! misfires on this voice is seen to misfire.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Better, Family, Measure};
use crate::Finish;
use crate::pair::{Measured, Pairs, Voice, cluster};
use crate::stat::estimate::Contrast;
use crate::stat::proportion::contrast;
use crate::stat::ratio::Ratio;

/// The kinds of broken reply.
pub static FAMILY: Family = Family {
    name: "breakage",
    question: "How many replies are broken?",
    measures: &[
        share("empty", "Empty", "Replies of nothing but white space, over all replies."),
        share("cut_off", "Cut off", "Replies that ended at the length limit, over all replies."),
        share(
            "looping",
            "Going in circles",
            "Replies in which eight words in a row occur four times, or a pattern of up to 256 characters \
             repeats four times in a row over at least 60 characters; over all replies.",
        ),
        share(
            "leaking",
            "Template showing",
            "Replies with a control token such as `<|im_start|>`, a `<think>` tag, or a line that begins \
             with a role such as `Assistant:`; over all replies.",
        ),
        share("broken", "Broken in any way", "Replies with at least one of these faults, over all replies."),
    ],
};

const fn share(name: &'static str, label: &'static str, definition: &'static str) -> Measure {
    Measure { name, label, definition, unit: "% of replies", decimals: 1, better: Better::Lower }
}

/// Words in a row that make a repetition.
const LOOP_WORDS: usize = 8;
/// Occurrences that make a loop.
const LOOP_TIMES: usize = 4;
/// Longest pattern searched for character by character; longer ones contain repeated words.
const MAX_PERIOD: usize = 256;
/// Shortest stretch of repeated characters that is no longer emphasis: `hahaha` and rules pass.
const MIN_RUN: usize = 60;

/// Control words of published chat templates that the general pattern `<|word|>` misses.
const MARKERS: &[&str] = &[
    "<think>",
    "</think>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<unk>",
    "<pad>",
    "[PAD]",
];

/// Roles that begin a line when a model writes the other side of the conversation too.
const ROLES: &[&str] =
    &["user:", "assistant:", "human:", "system:", "question:", "answer:", "### instruction", "### response"];

/// The faults of one text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing but white space.
    pub empty: bool,
    /// Ended by the length limit.
    pub cut_off: bool,
    /// Repeats itself.
    pub looping: bool,
    /// Shows the template.
    pub leaking: bool,
}

/// Shares of broken replies, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakage {
    /// Empty replies.
    pub empty: Contrast,
    /// Replies cut off; the author is never cut off, so that column is empty.
    pub cut_off: Contrast,
    /// Replies that go in circles.
    pub looping: Contrast,
    /// Replies that show the template.
    pub leaking: Contrast,
    /// Replies with at least one fault.
    pub broken: Contrast,
}

impl Breakage {
    /// The contrasts in the order of [`FAMILY`].
    pub(crate) fn contrasts(&self) -> [&Contrast; 5] {
        [&self.empty, &self.cut_off, &self.looping, &self.leaking, &self.broken]
    }
}

/// Counts the faults of all replies and of the author's answers.
#[must_use]
pub fn measure(pairs: &Pairs<'_>) -> Breakage {
    let faults = pairs.measure(Faults::of);
    let share =
        |has: fn(&Faults) -> bool| contrast(&cluster(&faults, |f| Ratio::new(f64::from(has(f)), 1.0)));
    let models_only: Vec<Measured<'_, Faults>> =
        faults.iter().map(|row| Measured { author: None, ..row.clone() }).collect();
    Breakage {
        empty: share(|f| f.empty),
        cut_off: contrast(&cluster(&models_only, |f| Ratio::new(f64::from(f.cut_off), 1.0))),
        looping: share(|f| f.looping),
        leaking: share(|f| f.leaking),
        broken: share(Faults::any),
    }
}

impl Faults {
    /// Examines one text.
    #[must_use]
    pub fn of(voice: Voice<'_>) -> Self {
        Self {
            empty: voice.text.trim().is_empty(),
            cut_off: voice.finish == Some(Finish::Length),
            looping: repeats_words(voice.text) || repeats_chars(voice.text),
            leaking: shows_template(voice.text),
        }
    }

    /// Whether there is any fault.
    #[must_use]
    pub fn any(&self) -> bool {
        self.empty || self.cut_off || self.looping || self.leaking
    }
}

fn repeats_words(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut counts: HashMap<&[&str], usize> = HashMap::new();
    words.windows(LOOP_WORDS).any(|window| {
        let count = counts.entry(window).or_default();
        *count += 1;
        *count >= LOOP_TIMES
    })
}

/// Whether some stretch is a pattern repeated: each character equals the one a period before.
fn repeats_chars(text: &str) -> bool {
    let chars: Vec<char> = text.split_whitespace().flat_map(|word| word.chars().chain([' '])).collect();
    (1..=MAX_PERIOD.min(chars.len())).any(|period| {
        let wanted = (LOOP_TIMES * period).max(MIN_RUN) - period;
        let mut run = 0;
        chars.iter().zip(&chars[period..]).any(|(earlier, later)| {
            run = if earlier == later { run + 1 } else { 0 };
            run >= wanted
        })
    })
}

fn shows_template(text: &str) -> bool {
    MARKERS.iter().any(|marker| text.contains(marker))
        || has_control_token(text, "<|", "|>")
        || has_control_token(text, "<\u{ff5c}", "\u{ff5c}>")
        || text.lines().any(begins_with_role)
}

/// Whether `open`, a word of letters, digits, `_`, `-` or `▁`, and `close` follow each other.
fn has_control_token(text: &str, open: &str, close: &str) -> bool {
    let longest_name = 40;
    text.match_indices(open).any(|(start, _)| {
        let rest = &text[start + open.len()..];
        let is_name = |c: &char| c.is_alphanumeric() || "_-\u{2581}".contains(*c);
        let name: String = rest.chars().take(longest_name).take_while(is_name).collect();
        !name.is_empty() && rest[name.len()..].starts_with(close)
    })
}

fn begins_with_role(line: &str) -> bool {
    let longest_role = 16;
    let start: String = line.trim_start_matches([' ', '*']).chars().take(longest_role).collect();
    let start = start.to_lowercase();
    ROLES.iter().any(|role| start.starts_with(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        Faults::of(Voice { text, prompt: "", finish: Some(Finish::End) })
    }

    #[test]
    fn empty_is_white_space_only() {
        for (text, expected) in [("", true), (" \n\u{a0}", true), (".", false)] {
            assert_eq!(faults(text).empty, expected, "{text:?}");
        }
        assert!(Faults::of(Voice { text: "a", prompt: "", finish: Some(Finish::Length) }).cut_off);
        assert!(!Faults::of(Voice { text: "a", prompt: "", finish: None }).any());
    }

    #[test]
    fn loops() {
        let check = |text: String, expected| assert_eq!(faults(&text).looping, expected, "{text:?}");
        let sentence = "I never said that the sea was blue. ";
        check(sentence.repeat(3), false);
        check(sentence.repeat(4), true);
        let between =
            |n: usize| (0..n).map(|i| format!("{sentence} And then, {i} times, ")).collect::<String>();
        check(between(3), false);
        check(between(4), true);
        check("ha".repeat(20), false);
        check("ha".repeat(30), true);
        check("no ".repeat(25), true);
        check("-".repeat(59), false);
        check("海は青い。".repeat(11), false);
        check("海は青い。".repeat(13), true);
        check(String::new(), false);
    }

    #[test]
    fn templates() {
        let check = |text: &str, expected| assert_eq!(faults(text).leaking, expected, "{text:?}");
        check("Fine.<|im_end|>", true);
        check("<|reserved_special_token_12|>", true);
        check("<\u{ff5c}end\u{2581}of\u{2581}sentence\u{ff5c}>", true);
        check("<think>Well", true);
        check("Yes.\n  USER: and you?", true);
        check("**Assistant:** no", true);
        check("### Response", true);
        check("The assistant: a short history", false);
        check("He asked the user: why?", false);
        check("if a <| b then c |> d", false);
        check("<|", false);
        check("I think <b>so</b> [sic]", false);
    }
}
