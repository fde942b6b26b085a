//! How a transcript is written down: a few patterns in YAML per kind of transcript.

use regex::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The profiles that come with penname: one file each under `profiles/`, one line here.
pub const ALL: &[(&str, &str)] = &[
    ("wapo-chat", include_str!("../../../../profiles/wapo-chat.yaml")),
    ("irc", include_str!("../../../../profiles/irc.yaml")),
    ("speakers", include_str!("../../../../profiles/speakers.yaml")),
];

/// Stands in a pattern for any name of the voice.
const VOICE: &str = "{voice}";
/// A pattern that matches nothing.
const NOTHING: &str = r"[^\s\S]";
/// Largest compiled pattern, in bytes: a profile is small.
const MAX_PATTERN: usize = 4 << 20;

/// How to find who says what. Every pattern is a regular expression for one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Its name, which `corpus.format` may force: `{".md": wapo-chat}`.
    pub name: String,
    /// What transcripts it is for, in one line.
    pub about: String,
    /// Lines that name their speaker in a group `who`. What they say begins at a group `text`; groups
    /// `date` and `at` are when.
    pub speaker: Vec<String>,
    /// Openers of a question; what follows on the line is its beginning.
    pub question: Vec<String>,
    /// Openers of an answer, which is the voice's. `{voice}` stands for its names.
    pub answer: Vec<String>,
    /// Lines that tell what happened, said by nobody: somebody came, somebody left.
    pub notice: Vec<String>,
    /// Lines that belong to the page: buttons, counters, times.
    pub junk: Vec<String>,
    /// Names that are the voice in every transcript of this kind.
    pub voice: Vec<String>,
    /// Turns below which a text is not taken for such a transcript.
    pub min_turns: usize,
    /// Whether each message is one line: a line of no known kind is nobody's, and does not go on with
    /// the one before.
    pub one_line: bool,
    /// Whether a text is taken for such a transcript only when a named voice speaks in it.
    pub asks_for_voice: bool,
}

/// A profile with its patterns compiled.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) profile: Profile,
    speaker: Vec<Regex>,
    question: Vec<Regex>,
    answer: Vec<Regex>,
    notice: Vec<Regex>,
    junk: Vec<Regex>,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Somebody speaks; the words begin at a byte of the line.
    Speaker { who: &'a str, date: &'a str, at: &'a str, words: usize },
    /// A question begins; its words begin at a byte.
    Question(usize),
    /// An answer begins; its words begin at a byte.
    Answer(usize),
    /// Nobody says it.
    Notice,
    /// The page says it.
    Junk,
    /// It goes on.
    Words,
}

/// The user's own profiles, then the built-in ones, for a voice of these names.
///
/// # Errors
/// [`Error::Profile`] when a profile cannot be read or a pattern is none.
pub fn load(own: &[Profile], voice: &[String]) -> Result<Vec<Script>, Error> {
    let mut profiles = own.to_vec();
    for (name, yaml) in ALL {
        let broken =
            |why: serde_saphyr::Error| Error::Profile { name: (*name).to_owned(), why: why.to_string() };
        profiles.push(serde_saphyr::from_str(yaml).map_err(broken)?);
    }
    profiles.into_iter().map(|profile| Script::new(profile, voice)).collect()
}

impl Script {
    fn new(profile: Profile, voice: &[String]) -> Result<Self, Error> {
        let names: Vec<_> = profile
            .voice
            .iter()
            .chain(voice)
            .filter(|name| *name != "*")
            .map(|name| regex::escape(name))
            .collect();
        let names = if names.is_empty() { NOTHING.to_owned() } else { format!("(?:{})", names.join("|")) };
        let compile = |patterns: &[String]| -> Result<Vec<Regex>, Error> {
            let one = |pattern: &String| {
                RegexBuilder::new(&pattern.replace(VOICE, &names)).size_limit(MAX_PATTERN).build()
            };
            let broken =
                |why: regex::Error| Error::Profile { name: profile.name.clone(), why: why.to_string() };
            patterns.iter().map(one).collect::<Result<_, _>>().map_err(broken)
        };
        Ok(Self {
            speaker: compile(&profile.speaker)?,
            question: compile(&profile.question)?,
            answer: compile(&profile.answer)?,
            notice: compile(&profile.notice)?,
            junk: compile(&profile.junk)?,
            profile,
        })
    }

    /// Whether it goes by a name.
    pub(in super::super) fn is_named(&self, name: &str) -> bool {
        self.profile.name == name
    }

    /// Whether a text falls into questions and answers rather than into a conversation.
    pub(super) fn has_questions(&self) -> bool {
        !self.question.is_empty()
    }

    /// What a line is. Openers that stand twice count once, so that labels put on a labelled text
    /// change nothing.
    pub(super) fn line<'a>(&self, line: &'a str) -> Line<'a> {
        let is = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(line));
        if is(&self.junk) {
            return Line::Junk;
        }
        if is(&self.notice) {
            return Line::Notice;
        }
        if let Some(found) = self.speaker.iter().find_map(|pattern| pattern.captures(line)) {
            return speaks(line, &found);
        }
        let (mut at, mut found) = (0, Line::Words);
        loop {
            let rest = &line[at..];
            let opened = |patterns: &[Regex]| {
                let ends = patterns.iter().filter_map(|p| p.find(rest)).filter(|m| m.start() == 0);
                ends.map(|m| m.end()).max().filter(|end| *end > 0)
            };
            (at, found) = match (opened(&self.question), opened(&self.answer), &found) {
                (Some(end), None, Line::Words | Line::Question(_)) => (at + end, Line::Question(at + end)),
                (_, Some(end), Line::Words | Line::Answer(_)) => (at + end, Line::Answer(at + end)),
                _ => return found,
            };
        }
    }
}

fn speaks<'a>(line: &'a str, found: &Captures<'a>) -> Line<'a> {
    let group = |name| found.name(name).map_or("", |group| group.as_str());
    let words = found.name("text").map_or(line.len(), |group| group.start());
    Line::Speaker { who: group("who").trim(), date: group("date"), at: group("at"), words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_are_readable_and_named_as_listed() {
        let names: Vec<_> = load(&[], &[]).unwrap().into_iter().map(|s| s.profile.name).collect();
        assert_eq!(names, ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn a_pattern_that_is_none_is_named_with_its_profile() {
        let own = Profile { name: "mine".into(), junk: vec!["(".into()], ..Profile::default() };
        let error = load(&[own], &[]).unwrap_err().to_string();
        assert!(error.starts_with("profile `mine` cannot be read: "), "{error}");
    }

    #[test]
    fn openers_that_stand_twice_count_once() {
        let scripts = load(&[], &["Ottoline Peck".into()]).unwrap();
        let wapo = &scripts[0];
        assert_eq!(wapo.line("QUESTION: Q: why?"), Line::Question(13));
        assert_eq!(wapo.line("Q: A: so"), Line::Question(3));
        assert_eq!(wapo.line("Ottoline Peck"), Line::Answer(13));
        assert_eq!(wapo.line("Press Enter to post"), Line::Junk);
        assert_eq!(wapo.line("Pressing on"), Line::Words);
    }
}
