//! Cleaners: one file each, each saying what it cut and why.
//!
//! A cleaner looks at a text and lists [`Edit`]s; it never changes anything itself. To add one,
//! write a file with a `CLEANER` constant and put it into [`ALL`], at its place in the order.
//!
//! A cleaner is run until it finds nothing more, so running it again changes nothing (a property
//! test holds all of them to it). Noise is cut by default; what could be the author's own manner
//! is cut only when asked.

mod control;
mod elongation;
mod entity;
mod footnote;
mod gutenberg;
mod invisible;
mod italics;
mod nfc;
mod page;
mod quotes;
mod separator;
mod unwrap;
mod whitespace;

use std::collections::BTreeMap;

pub(crate) use control::find as find_control;
pub(crate) use entity::decode as decode_entity;
pub(crate) use gutenberg::is_framed;

use crate::edit::{self, Cut, Edit};
use crate::settings;

/// Passes after which a cleaner that still finds something is stopped. Each pass of every cleaner
/// here removes or joins something, and two are the rule.
const MAX_PASSES: usize = 16;

/// What a cleaner is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole text of a file, before its format is read. Only for formats that are plain text.
    File,
    /// Each text of a document: a turn, a post, a section.
    Passage,
    /// Both.
    Both,
}

/// Whether a cleaner removes what nobody wrote, or what the author may have meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Traces of machines and formats. On by default.
    Noise,
    /// Possibly the author's manner. Off by default.
    Voice,
}

/// What is known of the file a text comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits {
    /// It carries the frame of Project Gutenberg, and so its conventions.
    pub gutenberg: bool,
    /// Its reader has decoded HTML entities already.
    pub entities_decoded: bool,
}

/// One cleaner.
#[derive(Debug)]
pub struct Cleaner {
    /// Its name, in settings and in the account.
    pub name: &'static str,
    /// What it removes, in one line.
    pub about: &'static str,
    /// Noise or voice.
    pub effect: Effect,
    /// What it is shown.
    pub scope: Scope,
    /// Lists the edits for a text.
    pub find: fn(&str, &Traits) -> Vec<Edit>,
}

/// Every cleaner, in the order in which they run.
pub const ALL: &[Cleaner] = &[
    entity::CLEANER,
    control::CLEANER,
    separator::CLEANER,
    gutenberg::CLEANER,
    page::CLEANER,
    unwrap::CLEANER,
    footnote::CLEANER,
    italics::CLEANER,
    invisible::CLEANER,
    nfc::CLEANER,
    quotes::CLEANER,
    elongation::CLEANER,
    whitespace::CLEANER,
];

/// The cleaners chosen for a corpus.
#[derive(Debug, Clone)]
pub struct Plan(Vec<&'static Cleaner>);

impl Plan {
    /// Noise cleaners and those enabled, without those disabled.
    pub fn new(chosen: &settings::Clean) -> Self {
        let has = |names: &[String], name: &str| names.iter().any(|n| n == name);
        let runs = |cleaner: &&Cleaner| {
            let asked = has(&chosen.enable, cleaner.name) || cleaner.effect == Effect::Noise;
            asked && !has(&chosen.disable, cleaner.name)
        };
        Self(ALL.iter().filter(runs).collect())
    }

    /// Runs the chosen cleaners of a scope over a text and adds up what they did.
    pub fn run(&self, text: &str, scope: Scope, traits: &Traits, cuts: &mut BTreeMap<String, Cut>) -> String {
        let mut text = text.to_owned();
        for cleaner in self.0.iter().filter(|c| c.scope == scope || c.scope == Scope::Both) {
            text = run(cleaner, text, traits, cuts);
        }
        text
    }
}

/// Runs one cleaner until it finds nothing more.
fn run(cleaner: &Cleaner, mut text: String, traits: &Traits, cuts: &mut BTreeMap<String, Cut>) -> String {
    for _ in 0..MAX_PASSES {
        let edits = (cleaner.find)(&text, traits);
        if edits.is_empty() {
            break;
        }
        let edited = edit::apply(&text, edits);
        edit::merge(cuts, &edited.cuts);
        text = edited.text;
    }
    text
}

/// The lines of a text with the byte at which each begins, without their line ends.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split('\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
    })
}

/// A cleaner's result on a text, for its tests.
#[cfg(test)]
fn check(cleaner: &Cleaner, text: &str, expected: &str) {
    check_with(cleaner, Traits { gutenberg: true, entities_decoded: false }, text, expected);
}

#[cfg(test)]
fn check_with(cleaner: &Cleaner, traits: Traits, text: &str, expected: &str) {
    assert_eq!(run(cleaner, text.to_owned(), &traits, &mut BTreeMap::new()), expected, "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn voice_cleaners_run_only_when_asked() {
        let plan = |enable: &[&str], disable: &[&str]| {
            let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect();
            Plan::new(&settings::Clean { enable: names(enable), disable: names(disable) })
        };
        let run =
            |plan: &Plan| plan.run("“so\u{200b}”", Scope::Passage, &Traits::default(), &mut BTreeMap::new());
        assert_eq!(run(&plan(&[], &[])), "“so”");
        assert_eq!(run(&plan(&["quotes"], &[])), "\"so\"");
        assert_eq!(run(&plan(&["quotes"], &["invisible characters"])), "\"so\u{200b}\"");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    /// Scraps that cleaners care about, in any order.
    fn scraps() -> impl Strategy<Value = String> {
        let scrap = prop_oneof![
            3 => "\\PC{0,12}",
            2 => "[a-z]{1,9}( [a-z]{1,9}){0,14}\n",
            1 => prop::sample::select(vec![
                "\n", "\n\n\n", "  \n", "\r\n", "\u{2028}", "\0", "\u{1b}[31m", "\u{200b}", "\u{200d}", "\u{ad}",
                "&amp;", "&amp;lt;", "&#38;", "&#146;", "&lt;", "amp;", "_", "__", "_so_ ", "“", "’", "aaaa",
                "[Footnote: ", "[Footnote", "]", "[Pg 3]", "\n12\n", "\n- 4 -\n", "\n* * *\n", "--", "e\u{301}",
                "\u{1100}\u{1161}", "\u{958}", "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n", "Produced by A\n\n",
                "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n", "*END THE SMALL PRINT!\n", "End of the Project Gutenberg\n",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(scrap, 0..30).prop_map(|scraps| scraps.concat())
    }

    proptest! {
        #[test]
        fn every_cleaner_is_idempotent_and_counts(text in scraps(), gutenberg: bool, entities_decoded: bool) {
            let traits = Traits { gutenberg, entities_decoded };
            for cleaner in ALL {
                let mut cuts = BTreeMap::new();
                let once = run(cleaner, text.clone(), &traits, &mut cuts);
                let gone: u64 = cuts.values().map(|c| c.chars).sum();
                let added: u64 = cuts.values().map(|c| c.added).sum();
                let chars = |t: &str| t.chars().count() as u64;
                prop_assert_eq!(chars(&text) + added, chars(&once) + gone, "{}", cleaner.name);
                let again = (cleaner.find)(&once, &traits);
                prop_assert!(again.is_empty(), "{} finds {:?} again in {:?}", cleaner.name, again, once);
            }
        }
    }
}
