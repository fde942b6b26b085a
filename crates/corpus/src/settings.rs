//! What a person may decide about the preparation of their writing, with the defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ask::Ask;
use crate::collect::fetch::{Network, Source};
use crate::collect::files::post::tweet::preset::Preset;
use crate::collect::files::profile::Profile;
use crate::collect::files::transcript::profile::{self as script, Profile as Transcript};
use crate::dedupe::keep::{ORDER, Reason};
use crate::rights::Claim as Rights;
use crate::validate::personal::Action;
use crate::validate::{Bar, Side};

/// Everything that decides what a folder of writing becomes, besides the files and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Formats forced by the end of a file's path: `{".txt": "plain", "letters/1.md": "qa"}`.
    /// The longest match wins; files that match nothing are detected. Default: none.
    pub format: BTreeMap<String, String>,
    /// Names by which the voice goes in conversations: a name, an account, an address; `*` is
    /// everybody. Default: none, and then only exports that know their owner give anything.
    pub voice: Vec<String>,
    /// Profiles of transcripts to try before the built-in ones. Default: none.
    pub transcripts: Vec<Transcript>,
    /// Which tweets and replies are used. Default: all.
    pub tweets: Preset,
    /// How talk is cut into dialogues.
    pub conversation: Conversation,
    /// Sources that are reached over the network. Default: none, and then nothing is.
    pub sources: Vec<Source>,
    /// How hosts are met.
    pub network: Network,
    /// What may be done with parts of the writing. Default: learn from all of it on this machine.
    pub rights: Vec<Rights>,
    /// Profiles of numbered books to try before the built-in ones. Default: none.
    pub profiles: Vec<Profile>,
    /// Largest file read. Default: 64 MiB.
    pub max_file_bytes: u64,
    /// Documents taken of each kind of source. Default: all.
    pub limit: Option<usize>,
    /// Share of files that may be lost before the work stops, 0 to 1. Default: 0.2.
    pub max_bad_share: f64,
    /// Whether posts marked as drafts are used. Default: no.
    pub drafts: bool,
    /// Whether quotations set apart in posts are used; they are other people's words. Default: no.
    pub quotations: bool,
    /// A system turn put before every example that has none. Default: none.
    pub persona: Option<String>,
    /// Which cleaners run.
    pub clean: Clean,
    /// What is worth learning from.
    pub validate: Validate,
    /// What counts as a duplicate.
    pub dedupe: Dedupe,
    /// What is held out.
    pub split: Split,
    /// How examples are made.
    pub compose: Compose,
    /// How questions for passages are come by. Default: not at all.
    pub ask: Ask,
}

/// Which cleaners run, beyond their own defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// Cleaners switched on by name. Default: none.
    pub enable: Vec<String>,
    /// Cleaners switched off by name. Default: none.
    pub disable: Vec<String>,
    /// Profiles of cleaners by the end of a file's path, as with `format`: `{"tweets.js": "tweets"}`;
    /// the empty end is every file. Default: none.
    pub profile: BTreeMap<String, String>,
}

/// How talk is cut into dialogues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conversation {
    /// Minutes of silence that end a conversation. Default: 360.
    pub gap_minutes: u64,
    /// Words from which a conversation is divided after a turn of the voice. Default: 400.
    pub words: usize,
    /// Messages of others kept before a turn of the voice, at least 1. Default: 12.
    pub before: usize,
}

/// What is worth learning from. By default nearly everything is: only what says the same thing over
/// and over is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Validate {
    /// Characters, as a reader counts them, that the voice must say. Default: 0.
    pub min_chars: usize,
    /// Characters that it may say at most. Default: no bound.
    pub max_chars: Option<usize>,
    /// Languages that are wanted: `[en, fr]`. Default: none, and then all are.
    pub languages: Vec<String>,
    /// Who tells the language, and how sure of it. Default: `whatlang >= 0.8`.
    pub language: Bar,
    /// Letters below which a text is too short to tell its language, and is left to stand. Default: 20.
    pub min_letters: usize,
    /// A file of weights with the score below which a text passes: `toxic.json < 0.3`. Default: none.
    pub toxicity: Option<Bar>,
    /// Whether messages made mostly of hashtags, links and accounts are left out. Default: no.
    pub spam: bool,
    /// Share of a text that may be lines or runs of words it has had before. Default: 0.6.
    pub repetition: Option<f64>,
    /// What happens to personal data. Default: flag.
    pub personal: Action,
    /// Likes or votes that a post must have, where its source says. Default: 0.
    pub min_score: i64,
    /// Followers its author must have, where its source says. Default: 0.
    pub min_followers: u64,
    /// Followers its author may have at most. Default: no bound.
    pub max_followers: Option<u64>,
    /// Seconds after which a reply may come at the earliest. Default: 0.
    pub min_delay_s: u64,
    /// Seconds after which it may come at the latest. Default: no bound.
    pub max_delay_s: Option<u64>,
}

/// What counts as a duplicate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dedupe {
    /// Drop documents whose words are the same. Default: yes.
    pub exact: bool,
    /// Drop documents that are nearly the same. Default: yes.
    pub near: bool,
    /// Share of common shingles from which two documents are nearly the same, above 0 and up to 1.
    /// Default: 0.8.
    pub jaccard: f64,
    /// What speaks for one of several, most important first. Default: engagement, credibility, timing,
    /// length.
    pub keep: Vec<Reason>,
}

/// What a held-out unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Whole files where there are enough of them, else conversations, else single documents.
    Auto,
    /// Whole files.
    File,
    /// Conversations, where the source tells several apart; else single documents.
    Thread,
    /// Chapters: the documents of a file that have one title.
    Chapter,
    /// As conversations, the newest first. What has no date is never held out.
    Time,
    /// Single documents: a pair, a dialogue, a section.
    Document,
}

/// What is held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// Share of the characters held out, 0 (nothing) to 0.5. Default: 0.1.
    pub share: f64,
    /// Examples to hold out at least, where a quarter of the corpus allows it. Default: 8.
    pub min_examples: usize,
    /// What stays together. Default: auto.
    pub unit: Unit,
}

/// What stands before a post or a passage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A title, an opening or the sentence before asks for it.
    #[default]
    Ask,
    /// Nothing: the model learns to write it from its first word, as with template `text`.
    Complete,
}

/// How examples are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compose {
    /// Words a passage of running text aims at, at least 20. Default: 350.
    pub passage_words: usize,
    /// Words of the passage before with which each begins again, in whole sentences. Default: 0.
    pub overlap_words: usize,
    /// Whether posts and running text are asked for, or stand alone. Default: ask.
    pub form: Form,
    /// Posts up to this many words stay whole; longer ones become passages. Default: 700.
    pub post_words: usize,
    /// What asks for a post; `{title}` is its title or first line. Default: `{title}`.
    pub post_prompt: String,
    /// What asks for the opening of a titled text. Default: `Write about: {title}`.
    pub title_prompt: String,
    /// What asks for more; `{text}` is the sentence before. Default: `Continue this text:\n\n{text}`.
    pub continue_prompt: String,
    /// What asks for a text too short to take a prompt from. Default: `Write something.`
    pub bare_prompt: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: BTreeMap::new(),
            voice: Vec::new(),
            transcripts: Vec::new(),
            tweets: Preset::All,
            conversation: Conversation::default(),
            sources: Vec::new(),
            network: Network::default(),
            rights: Vec::new(),
            profiles: Vec::new(),
            max_file_bytes: 64 << 20,
            limit: None,
            max_bad_share: 0.2,
            drafts: false,
            quotations: false,
            persona: None,
            clean: Clean::default(),
            validate: Validate::default(),
            dedupe: Dedupe::default(),
            split: Split::default(),
            compose: Compose::default(),
            ask: Ask::default(),
        }
    }
}

impl Default for Conversation {
    fn default() -> Self {
        Self { gap_minutes: 360, words: 400, before: 12 }
    }
}

impl Default for Validate {
    fn default() -> Self {
        Self {
            min_chars: 0,
            max_chars: None,
            languages: Vec::new(),
            language: Bar { scorer: "whatlang".to_owned(), side: Side::AtLeast, at: 0.8 },
            min_letters: 20,
            toxicity: None,
            spam: false,
            repetition: Some(0.6),
            personal: Action::Flag,
            min_score: 0,
            min_followers: 0,
            max_followers: None,
            min_delay_s: 0,
            max_delay_s: None,
        }
    }
}

impl Default for Dedupe {
    fn default() -> Self {
        Self { exact: true, near: true, jaccard: 0.8, keep: ORDER.to_vec() }
    }
}

impl Default for Split {
    fn default() -> Self {
        Self { share: 0.1, min_examples: 8, unit: Unit::Auto }
    }
}

impl Default for Compose {
    fn default() -> Self {
        Self {
            passage_words: 350,
            overlap_words: 0,
            form: Form::Ask,
            post_words: 700,
            post_prompt: "{title}".to_owned(),
            title_prompt: "Write about: {title}".to_owned(),
            continue_prompt: "Continue this text:\n\n{text}".to_owned(),
            bare_prompt: "Write something.".to_owned(),
        }
    }
}

impl Settings {
    /// Refuses values that make no sense, before any file is read.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::UnknownName`] name the setting.
    pub fn check(&self) -> Result<(), Error> {
        within("max_bad_share", self.max_bad_share, 0.0, 1.0, "0 to 1")?;
        within("dedupe.jaccard", self.dedupe.jaccard, 0.05, 1.0, "0.05 to 1")?;
        within("split.share", self.split.share, 0.0, 0.5, "0 to 0.5")?;
        within("compose.passage_words", self.compose.passage_words as f64, 20.0, 1e6, "20 to 1000000")?;
        within("validate.repetition", self.validate.repetition.unwrap_or(0.5), 0.01, 1.0, "0.01 to 1")?;
        crate::validate::check(&self.validate)?;
        self.ask.check()?;
        let half = self.compose.passage_words as f64 / 2.0;
        let expected = "0 to half of compose.passage_words";
        within("compose.overlap_words", self.compose.overlap_words as f64, 0.0, half, expected)?;
        for format in self.format.values() {
            if !self.transcripts.iter().any(|own| own.name == *format) {
                let formats = crate::collect::files::ALL.iter().map(|f| f.name);
                known("format", format, formats.chain(script::ALL.iter().map(|(name, _)| *name)))?;
            }
        }
        for (idx, source) in self.sources.iter().enumerate() {
            source.check()?;
            if self.sources[..idx].iter().any(|other| other.id == source.id) {
                let (id, why) = (source.id.clone(), "another source has the same id".to_owned());
                return Err(Error::Source { id, why });
            }
        }
        for (setting, names) in [("clean.enable", &self.clean.enable), ("clean.disable", &self.clean.disable)]
        {
            for name in names {
                known(setting, name, crate::clean::ALL.iter().map(|c| c.name))?;
            }
        }
        for profile in self.clean.profile.values() {
            known("clean.profile", profile, crate::clean::profile::ALL.iter().map(|p| p.name))?;
        }
        Ok(())
    }
}

/// The entry for a path: the longest that matches its end, or a folder it lies in.
pub(crate) fn for_path<'a>(
    places: &'a BTreeMap<String, String>,
    path: &str,
) -> Option<(&'a String, &'a String)> {
    let within = |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
    let matches = |place: &str| if place.ends_with('/') { within(place) } else { path.ends_with(place) };
    places.iter().filter(|(place, _)| matches(place)).max_by_key(|(place, _)| place.len())
}

fn within(
    setting: &'static str,
    found: f64,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), Error> {
    // Written so that NaN is refused too.
    if found >= low && found <= high { Ok(()) } else { Err(Error::OutOfRange { setting, found, expected }) }
}

fn known(
    setting: &'static str,
    found: &str,
    mut names: impl Iterator<Item = &'static str> + Clone,
) -> Result<(), Error> {
    if names.clone().any(|name| name == found) {
        return Ok(());
    }
    let first = names.next().unwrap_or_default().to_owned();
    let expected = names.fold(first, |list, name| list + ", " + name);
    Err(Error::UnknownName { setting, found: found.to_owned(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_accepted_and_unknown_keys_refused() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, Settings::default());
        settings.check().unwrap();
        assert!(serde_json::from_str::<Settings>(r#"{"splitt": {}}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"split": {"shares": 1}}"#).is_err());
    }

    #[test]
    fn senseless_values_are_named() {
        let mut settings = Settings::default();
        settings.split.share = f64::NAN;
        assert!(settings.check().unwrap_err().to_string().starts_with("setting `split.share`"));
        let mut settings = Settings::default();
        settings.format.insert(".txt".into(), "novel".into());
        assert!(settings.check().unwrap_err().to_string().contains("novel"));
    }
}
