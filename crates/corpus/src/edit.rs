//! Changes to a text, each with its reason.
//!
//! A cleaner or reader never rewrites a text: it lists [`Edit`]s, and [`apply`] makes a new text
//! of them and counts. Because the counting happens here and nowhere else, no rule can lose a
//! character without saying so: `before + added == after + cut` holds for every list of edits,
//! however foolish.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Longest sample kept of what a rule cut, in characters.
const SAMPLE_CHARS: usize = 80;

/// One replacement in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes to replace; both ends stand on character boundaries.
    pub range: Range<usize>,
    /// What stands there afterwards.
    pub with: Cow<'static, str>,
    /// The rule that asks for it.
    pub rule: &'static str,
}

impl Edit {
    /// Removes `range`.
    pub fn cut(range: Range<usize>, rule: &'static str) -> Self {
        Self { range, with: Cow::Borrowed(""), rule }
    }

    /// Puts `with` in the place of `range`.
    pub fn replace(range: Range<usize>, with: impl Into<Cow<'static, str>>, rule: &'static str) -> Self {
        Self { range, with: with.into(), rule }
    }
}

/// What one rule did to one text, or to many once merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The rule.
    pub rule: String,
    /// Characters that are gone, net of what replaced them.
    pub chars: u64,
    /// Characters written in beyond those replaced.
    pub added: u64,
    /// Places changed.
    pub times: u64,
    /// The first thing changed, shortened.
    pub sample: String,
    /// What stands in its place, shortened; empty when nothing does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub becomes: String,
}

impl Cut {
    /// The counts without the words.
    pub(crate) fn forget_sample(&mut self) {
        self.sample.clear();
        self.becomes.clear();
    }
}

/// A text after its edits, and what they did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// One entry per rule, in order of name.
    pub cuts: Vec<Cut>,
}

/// Makes the new text. Edits are taken in order of position; one that begins inside another, or
/// does not stand on character boundaries, is left out.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> Edited {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut out = String::with_capacity(text.len());
    let mut cuts: BTreeMap<&'static str, Cut> = BTreeMap::new();
    let mut at = 0;
    for edit in edits {
        let Some(gone) = text.get(edit.range.clone()) else { continue };
        if edit.range.start < at || gone == edit.with {
            continue;
        }
        out.push_str(&text[at..edit.range.start]);
        out.push_str(&edit.with);
        at = edit.range.end;
        count(
            cuts.entry(edit.rule).or_insert_with(|| Cut::of(edit.rule, gone, &edit.with)),
            gone,
            &edit.with,
        );
    }
    out.push_str(&text[at..]);
    Edited { text: out, cuts: cuts.into_values().collect() }
}

/// Adds cuts to a list of totals, rule by rule.
pub fn merge(totals: &mut BTreeMap<String, Cut>, cuts: &[Cut]) {
    for cut in cuts {
        match totals.get_mut(&cut.rule) {
            Some(total) => {
                total.chars += cut.chars;
                total.added += cut.added;
                total.times += cut.times;
            }
            None => {
                totals.insert(cut.rule.clone(), cut.clone());
            }
        }
    }
}

impl Cut {
    fn of(rule: &str, gone: &str, with: &str) -> Self {
        let (sample, becomes) = (shorten(gone, SAMPLE_CHARS), shorten(with, SAMPLE_CHARS));
        Self { rule: rule.to_owned(), chars: 0, added: 0, times: 0, sample, becomes }
    }
}

fn count(cut: &mut Cut, gone: &str, with: &str) {
    let (gone, with) = (gone.chars().count() as u64, with.chars().count() as u64);
    cut.chars += gone.saturating_sub(with);
    cut.added += with.saturating_sub(gone);
    cut.times += 1;
}

/// The first `max` characters on one line, with control characters made visible.
pub fn shorten(text: &str, max: usize) -> String {
    let mut out: String = text.chars().take(max).flat_map(char::escape_debug).collect();
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, edits: Vec<Edit>, expected: &str, chars: u64, added: u64) {
        let edited = apply(text, edits);
        assert_eq!(edited.text, expected);
        assert_eq!(edited.cuts.iter().map(|c| c.chars).sum::<u64>(), chars);
        assert_eq!(edited.cuts.iter().map(|c| c.added).sum::<u64>(), added);
    }

    #[test]
    fn edits_are_counted_in_characters() {
        check("naïve", vec![Edit::cut(2..4, "r")], "nave", 1, 0);
        check("a--b", vec![Edit::replace(1..3, "\u{2014}", "r")], "a—b", 1, 0);
        check("ab", vec![Edit::replace(1..1, "xy", "r")], "axyb", 0, 2);
        check("abc", vec![Edit::cut(0..2, "r"), Edit::cut(1..3, "q")], "c", 2, 0);
        check("é", vec![Edit::cut(0..1, "r")], "é", 0, 0);
        check("same", vec![Edit::replace(0..4, "same", "r")], "same", 0, 0);
    }

    #[test]
    fn samples_are_short_and_on_one_line() {
        assert_eq!(shorten("a\nb", 10), "a\\nb");
        assert_eq!(shorten("abcdef", 3), "abc…");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_unsaid(
            text in "\\PC{0,40}",
            raw in prop::collection::vec((0usize..60, 0usize..60, "[a-z]{0,4}"), 0..12),
        ) {
            let edits = raw.into_iter().map(|(a, b, with)| Edit::replace(a.min(b)..a.max(b), with, "r")).collect();
            let edited = apply(&text, edits);
            let cut: u64 = edited.cuts.iter().map(|c| c.chars).sum();
            let added: u64 = edited.cuts.iter().map(|c| c.added).sum();
            prop_assert_eq!(
                text.chars().count() as u64 + added,
                edited.text.chars().count() as u64 + cut
            );
        }
    }
}
