//! Whether a document is worth learning from: rules, one file each and one line in [`ALL`].
//!
//! Every rule is asked about every document, so that the counts show how rules overlap: `rejected
//! 23 of 400: 15 timing, 8 length`. A rule says no with its particulars; it never changes a text.
//! Personal data is the exception that may be masked, by edits that are counted like any other.
//!
//! Judged is what the voice says, because that is what would be learned; personal data is looked
//! for in all of it.

mod bar;
mod damage;
mod engagement;
mod language;
mod length;
pub mod linear;
pub mod personal;
mod repetition;
mod score;
mod spam;
mod toxicity;

use std::collections::BTreeMap;

pub use bar::{BadBar, Bar, Side};
use penname_ledger::{Choice, Hash};
pub use score::Score;

use self::linear::Linear;
use crate::Error;
use crate::account::Tally;
use crate::document::{Document, Fate};
use crate::edit::Cut;
use crate::settings;

/// What a rule is shown.
#[derive(Debug)]
pub struct Looked<'a> {
    /// The document.
    pub document: &'a Document,
    /// What the voice says in it.
    pub voice: &'a str,
    /// The settings.
    pub settings: &'a settings::Validate,
    /// The model that scores toxicity, if one was asked for.
    pub toxicity: Option<&'a Linear>,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, in the account and in counts.
    pub name: &'static str,
    /// What it rejects, in one line.
    pub about: &'static str,
    /// The settings it goes by.
    pub settings: &'static str,
    /// What is wrong, in words, if it says no.
    pub judge: fn(&Looked<'_>) -> Option<String>,
}

/// Every rule, in the order in which their verdicts are told.
pub const ALL: &[Rule] = &[
    damage::RULE,
    length::RULE,
    language::RULE,
    toxicity::RULE,
    spam::RULE,
    repetition::RULE,
    personal::RULE,
    engagement::SCORE,
    engagement::FOLLOWERS,
    engagement::TIMING,
];

/// The rules of a corpus, ready to judge.
#[derive(Debug)]
pub struct Judge<'a> {
    settings: &'a settings::Validate,
    toxicity: Option<Linear>,
}

/// What was judged, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Documents judged.
    pub judged: usize,
    /// Documents that some rule rejected.
    pub rejected: usize,
    /// Documents each rule rejected; one document may be in several.
    pub reasons: BTreeMap<&'static str, usize>,
    /// The first rejected document of each rule: its path and the particulars.
    pub first: BTreeMap<&'static str, (String, String)>,
    /// Personal data found, by kind.
    pub personal: BTreeMap<&'static str, usize>,
    /// Documents that hold some.
    pub with_personal: usize,
}

/// The name of a rule or of a kind of personal data, as the lists have it.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    ALL.iter().map(|rule| rule.name).chain(personal::kinds()).find(|known| *known == name)
}

/// Refuses scorers and languages that are not there, before any file is read.
///
/// # Errors
/// [`Error::UnknownName`] names the setting.
pub fn check(settings: &settings::Validate) -> Result<(), Error> {
    language::check(settings)?;
    settings.toxicity.as_ref().map_or(Ok(()), toxicity::check)
}

impl<'a> Judge<'a> {
    /// Gets ready: a model that was asked for is loaded here.
    ///
    /// # Errors
    /// [`Error::NoScorer`] when the model is not there or is something else. Nothing stands in for it.
    pub fn new(settings: &'a settings::Validate) -> Result<Self, Error> {
        let toxicity = settings.toxicity.as_ref().map(toxicity::load).transpose()?;
        Ok(Self { settings, toxicity })
    }

    /// The digest of the model that scores toxicity, which decides the result as the settings do.
    pub fn model(&self) -> Option<Hash> {
        self.toxicity.as_ref().map(Linear::digest)
    }

    /// Judges a document, masks what is to be masked, and counts.
    pub fn judge(
        &self,
        document: &mut Document,
        verdicts: &mut Verdicts,
        tally: &mut Tally,
        cuts: &mut BTreeMap<String, Cut>,
    ) {
        if matches!(document.fate, Fate::Dropped(_)) {
            return;
        }
        verdicts.judged += 1;
        let found = personal::found(document, self.settings);
        if !found.is_empty() {
            verdicts.with_personal += 1;
            found.iter().for_each(|(kind, n)| *verdicts.personal.entry(kind).or_default() += n);
        }
        let reasons = self.reasons(document);
        if !reasons.is_empty() {
            verdicts.rejected += 1;
            for (rule, detail) in &reasons {
                *verdicts.reasons.entry(rule).or_default() += 1;
                verdicts.first.entry(rule).or_insert_with(|| (document.path.clone(), detail.clone()));
            }
            let names: Vec<&str> = reasons.iter().map(|(rule, _)| *rule).collect();
            document.fate = Fate::rejected(&names);
        }
        personal::treat(document, &found, self.settings, tally, cuts);
    }

    /// Which rules say no, and why: all of them are asked.
    fn reasons(&self, document: &Document) -> Vec<(&'static str, String)> {
        let voice = document.voice();
        let looked =
            Looked { document, voice: &voice, settings: self.settings, toxicity: self.toxicity.as_ref() };
        ALL.iter().filter_map(|rule| Some((rule.name, (rule.judge)(&looked)?))).collect()
    }
}

impl Verdicts {
    /// Takes over the counts of documents judged later.
    pub fn merge(&mut self, later: Self) {
        self.judged += later.judged;
        self.rejected += later.rejected;
        self.with_personal += later.with_personal;
        later.reasons.into_iter().for_each(|(rule, n)| *self.reasons.entry(rule).or_default() += n);
        later.personal.into_iter().for_each(|(kind, n)| *self.personal.entry(kind).or_default() += n);
        later.first.into_iter().for_each(|(rule, first)| {
            self.first.entry(rule).or_insert(first);
        });
    }

    /// What was decided, in words, where there is something to tell.
    pub fn choices(&self, settings: &settings::Validate) -> Vec<Choice> {
        let mut choices = Vec::new();
        if self.rejected > 0 {
            let value = format!("{} of {}: {}", self.rejected, self.judged, counts(&self.reasons));
            let first = self.first.iter().map(|(rule, (path, detail))| format!("{rule}: {detail} in {path}"));
            let reason = format!("first of each: {}", first.collect::<Vec<_>>().join("; "));
            choices.push(Choice::new("rejected", value, reason));
        }
        if self.with_personal > 0 {
            let (value, n) = (counts(&self.personal), self.with_personal);
            let documents = if n == 1 { "1 document".to_owned() } else { format!("{n} documents") };
            let reason = format!("in {documents}; {}", settings.personal.told());
            choices.push(Choice::new("personal data", value, reason));
        }
        choices
    }
}

/// `15 timing, 8 length`: the largest first.
fn counts(of: &BTreeMap<&'static str, usize>) -> String {
    let mut counts: Vec<_> = of.iter().collect();
    counts.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), **name));
    counts.iter().map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ")
}

/// Judges a text of the voice by one rule, for its tests.
#[cfg(test)]
fn judged(rule: &Rule, text: &str, settings: &settings::Validate, expected: Option<&str>) {
    use crate::document::{Body, Kind};
    let document = Document::new("p", 0, Kind::Text, None, Body::Text(text.to_owned()));
    let looked = Looked { document: &document, voice: text, settings, toxicity: None };
    assert_eq!((rule.judge)(&looked).as_deref(), expected, "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind};
    use expect_test::expect;

    #[test]
    fn all_rules_are_asked_and_counted() {
        let settings = settings::Validate { min_chars: 8, min_score: 5, ..Default::default() };
        let judge = Judge::new(&settings).unwrap();
        let (mut verdicts, mut tally, mut cuts) = (Verdicts::default(), Tally::default(), BTreeMap::new());
        let mut fates = Vec::new();
        for (text, score) in [("A kettle sings.", 9), ("Yes.", 9), ("Yes.", 1), ("A kettle sings.", 1)] {
            let mut document = Document::new("p", 0, Kind::Text, None, Body::Text(text.into()));
            document.reception =
                Some(crate::document::Reception { score: Some(score), ..Default::default() });
            judge.judge(&mut document, &mut verdicts, &mut tally, &mut cuts);
            fates.push(format!("{:?}", document.fate));
        }
        expect![[r#"
            Train
            Dropped("rejected: length")
            Dropped("rejected: length, engagement")
            Dropped("rejected: engagement")"#]]
        .assert_eq(&fates.join("\n"));
        let choice = &verdicts.choices(&settings)[0];
        assert_eq!(choice.value, "3 of 4: 2 engagement, 2 length");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
