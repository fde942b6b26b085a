//! Cleaners: one file each, each saying what it cut and why.
//!
//! A cleaner looks at a text and lists [`Edit`]s; it never changes anything itself. To add one,
//! write a file with a `CLEANER` constant and put it into [`ALL`], at its place in the order.
//!
//! A cleaner is run until it finds nothing more, and all of them in turn until none does, so that
//! cleaning again changes nothing (property tests hold each and the whole chain to it). Noise is cut
//! by default; what could be the author's own manner is cut only when asked, by name or by a
//! [`profile`], and otherwise it is told what it would have changed.

mod boilerplate;
mod control;
mod elongation;
mod entity;
mod footnote;
mod gutenberg;
mod hashtag;
mod hyphen;
mod invisible;
mod italics;
mod link;
mod mention;
mod mojibake;
mod nfc;
mod notes;
mod page;
pub mod profile;
mod quoted;
mod quotes;
mod running;
mod separator;
mod signature;
mod unwrap;
mod whitespace;
mod zalgo;

use std::collections::BTreeMap;

pub(crate) use control::find_decoding as find_control;
pub(crate) use entity::decode as decode_entity;
pub use mojibake::Page;

use self::profile::Profile;
use crate::document::{Body, Document};
use crate::edit::{self, Cut, Edit};
use crate::settings;

/// Passes after which a cleaner that still finds something is stopped. Each pass of every cleaner
/// here removes or joins something, and two are the rule.
const MAX_PASSES: usize = 16;

/// Rounds of all cleaners after which they are stopped. A second one finds what the first laid
/// bare, and finds nothing as a rule.
const MAX_ROUNDS: usize = 8;

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
    /// The code page as which its UTF-8 was once read, if the whole of it says so.
    pub mojibake: Option<Page>,
    /// The profile of the place where it lies.
    pub profile: Option<&'static Profile>,
}

impl Traits {
    /// What the text of a file shows.
    pub fn of(text: &str) -> Self {
        let (gutenberg, mojibake) = (gutenberg::is_framed(text), mojibake::vote(text));
        Self { gutenberg, mojibake, ..Self::default() }
    }

    /// What is known of a text that stands outside the file's, as a title in another encoding may.
    pub(crate) fn aside(self) -> Self {
        Self { entities_decoded: false, ..self }
    }
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
    mojibake::CLEANER,
    control::CLEANER,
    separator::CLEANER,
    gutenberg::CLEANER,
    quoted::CLEANER,
    signature::CLEANER,
    boilerplate::CLEANER,
    running::CLEANER,
    page::CLEANER,
    hyphen::CLEANER,
    unwrap::CLEANER,
    notes::CLEANER,
    footnote::CLEANER,
    italics::CLEANER,
    invisible::CLEANER,
    zalgo::CLEANER,
    nfc::CLEANER,
    quotes::CLEANER,
    link::CLEANER,
    mention::CLEANER,
    hashtag::CLEANER,
    elongation::CLEANER,
    whitespace::CLEANER,
];

/// When a cleaner of a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Where the profile of a file names it.
    Asked,
    Never,
}

/// The cleaners chosen for a corpus.
#[derive(Debug, Clone)]
pub struct Plan(Vec<(&'static Cleaner, When)>);

impl Plan {
    /// Noise cleaners and those enabled, without those disabled.
    pub fn new(chosen: &settings::Clean) -> Self {
        let has = |names: &[String], name: &str| names.iter().any(|n| n == name);
        let when = |cleaner: &Cleaner| match () {
            () if has(&chosen.disable, cleaner.name) => When::Never,
            () if has(&chosen.enable, cleaner.name) || cleaner.effect == Effect::Noise => When::Always,
            () => When::Asked,
        };
        Self(ALL.iter().map(|cleaner| (cleaner, when(cleaner))).collect())
    }

    /// Runs the chosen cleaners of a scope over a text and adds up what they did.
    pub fn run(&self, text: &str, scope: Scope, traits: &Traits, cuts: &mut BTreeMap<String, Cut>) -> String {
        let mut text = text.to_owned();
        for _ in 0..MAX_ROUNDS {
            let before = cuts.values().map(|cut| cut.times).sum::<u64>();
            for cleaner in self.chosen(scope, traits) {
                text = run(cleaner, text, traits, cuts);
            }
            if cuts.values().map(|cut| cut.times).sum::<u64>() == before {
                break;
            }
        }
        text
    }

    fn chosen(&self, scope: Scope, traits: &Traits) -> impl Iterator<Item = &'static Cleaner> {
        let traits = *traits;
        let runs = move |cleaner: &Cleaner, when: When| {
            when == When::Always || (when == When::Asked && asks(&traits, cleaner))
        };
        self.0
            .iter()
            .filter(move |(cleaner, when)| runs(cleaner, *when) && works(cleaner, scope))
            .map(|(cleaner, _)| *cleaner)
    }

    /// Cleans every text of a document, and its title: one that is not in the text outside the account.
    pub fn clean(
        &self,
        mut document: Document,
        traits: &Traits,
        cuts: &mut BTreeMap<String, Cut>,
    ) -> Document {
        let mut clean = |text: &mut String| *text = self.run(text, Scope::Passage, traits, cuts);
        match &mut document.body {
            Body::Text(text) => clean(text),
            Body::Turns(turns) => turns.iter_mut().for_each(|turn| clean(&mut turn.text)),
        }
        if let Some(title) = &mut document.title {
            let mut aside = BTreeMap::new();
            let cuts = if title.given { cuts } else { &mut aside };
            title.text = self.run(&title.text, Scope::Passage, &traits.aside(), cuts);
        }
        document
    }

    /// What the cleaners that were left out, because it may be the voice, would change in a text that
    /// has been cleaned; nothing is changed.
    pub fn would(&self, text: &str, scope: Scope, traits: &Traits, cuts: &mut BTreeMap<String, Cut>) {
        for (cleaner, when) in &self.0 {
            if *when == When::Asked && !asks(traits, cleaner) && works(cleaner, scope) {
                let edits = (cleaner.find)(text, traits);
                if !edits.is_empty() {
                    edit::merge(cuts, &edit::apply(text, edits).cuts);
                }
            }
        }
    }
}

fn works(cleaner: &Cleaner, scope: Scope) -> bool {
    cleaner.scope == scope || cleaner.scope == Scope::Both
}

fn asks(traits: &Traits, cleaner: &Cleaner) -> bool {
    traits.profile.is_some_and(|profile| profile.enables.contains(&cleaner.name))
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
    check_with(cleaner, Traits { gutenberg: true, ..Traits::default() }, text, expected);
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
            Plan::new(&settings::Clean {
                enable: names(enable),
                disable: names(disable),
                ..Default::default()
            })
        };
        let run =
            |plan: &Plan| plan.run("“so\u{200b}”", Scope::Passage, &Traits::default(), &mut BTreeMap::new());
        assert_eq!(run(&plan(&[], &[])), "“so”");
        assert_eq!(run(&plan(&["quotes"], &[])), "\"so\"");
        assert_eq!(run(&plan(&["quotes"], &["invisible characters"])), "\"so\u{200b}\"");
    }

    #[test]
    fn profiles_ask_for_cleaners_there_are() {
        for name in profile::ALL.iter().flat_map(|profile| profile.enables) {
            assert!(
                ALL.iter().any(|cleaner| cleaner.name == *name && cleaner.effect == Effect::Voice),
                "{name}"
            );
        }
        let plan = Plan::new(&settings::Clean { disable: vec!["links".to_owned()], ..Default::default() });
        let tweets = Traits { profile: profile::named("tweets"), ..Traits::default() };
        let text = "@ann sooo #SoItIs www.x.org";
        assert_eq!(plan.run(text, Scope::Passage, &tweets, &mut BTreeMap::new()), "so So It Is www.x.org");
        assert_eq!(plan.run(text, Scope::Passage, &Traits::default(), &mut BTreeMap::new()), text);
        let mut would = BTreeMap::new();
        plan.would(text, Scope::Passage, &Traits::default(), &mut would);
        let told: Vec<_> = would
            .values()
            .map(|cut| (cut.rule.as_str(), cut.sample.as_str(), cut.becomes.as_str()))
            .collect();
        assert_eq!(
            told,
            [("elongation", "sooo", "so"), ("hashtags", "#SoItIs", "So It Is"), ("mentions", "@ann ", "")]
        );
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
                "â€™", "‚Äô", "Ã©", "\u{301}\u{302}\u{301}\u{302}\u{301}", "exam-\nple ", "example ", "a[1] ", "\n\n[1] Note\n\n",
                "\n-- \n", "--\n", "a@b.c", "\nSent from my iPhone", "On Monday Ann wrote:\n", "> x\n", "\nShare this:\n",
                "Share this", "THE KETTLE\n", "\n12 THE KETTLE\n", "-----Original Message-----\n", "#SoItIs", "#", "@ann ",
                "https://a.b/c ", "www.", "http", "://", "COOOOL ", "&#8203;", "&#35;",
            ]).prop_map(str::to_owned),
        ];
        prop::collection::vec(scrap, 0..30).prop_map(|scraps| scraps.concat())
    }

    proptest! {
        #[test]
        fn the_whole_chain_is_idempotent_and_counts(text in scraps(), tweets: bool, file: bool) {
            let profile = tweets.then(|| profile::named("tweets")).flatten();
            let traits = Traits { profile, ..Traits::of(&text) };
            let plan = Plan::new(&settings::Clean::default());
            let scope = if file { Scope::File } else { Scope::Passage };
            let mut cuts = BTreeMap::new();
            let once = plan.run(&text, scope, &traits, &mut cuts);
            let gone: u64 = cuts.values().map(|c| c.chars).sum();
            let added: u64 = cuts.values().map(|c| c.added).sum();
            let chars = |t: &str| t.chars().count() as u64;
            prop_assert_eq!(chars(&text) + added, chars(&once) + gone);
            prop_assert_eq!(plan.run(&once, scope, &traits, &mut BTreeMap::new()), once);
        }

        #[test]
        fn every_cleaner_is_idempotent_and_counts(text in scraps(), gutenberg: bool, entities_decoded: bool) {
            let traits = Traits { gutenberg, entities_decoded, ..Traits::of(&text) };
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
