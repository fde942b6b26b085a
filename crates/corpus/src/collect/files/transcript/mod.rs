//! Transcripts: chats saved from a page, logs of rooms, interviews, read by a [`profile`].
//!
//! Two ways to be cut: where a profile knows openers of questions, each question with its answers
//! is a document; otherwise the turns of named speakers become conversations, by `talk`.
//! Labels are never written into the text, so reading a text that carries them gives the same.

pub mod profile;
mod stretch;

use self::profile::{Line, Script};
use self::stretch::{Stretch, stretches};
use super::talk::{Said, Voices, tell};
use super::{Claim, Format, Reading, Source, claim};
use crate::clean::lines;
use crate::document::{Body, Document, Kind, Speaker, Turn};
use crate::when;

/// Lines of the page from which a marked text is taken for a saved chat.
const MIN_JUNK: usize = 2;
/// Lines looked at to tell what a text is.
const MAX_LINES: usize = 3000;
/// Seconds of a day.
const DAY: i64 = 86_400;

pub(super) const FORMAT: Format = Format {
    name: "transcript",
    about: "saved chats, logs of rooms and interviews, by a profile: `wapo-chat`, `irc`, `speakers` or your own",
    needs: "`corpus.voice`, unless the profile knows answers",
    yields: "turns of known speakers",
    plain: false,
    decodes_entities: false,
    claims,
    read,
};

/// How far a profile fits a text.
#[derive(Debug, Default)]
struct Fit {
    n_turns: usize,
    n_questions: usize,
    n_junk: usize,
    n_lines: usize,
    has_voice: bool,
}

impl Fit {
    fn of(script: &Script, source: &Source<'_>) -> Self {
        let voices = voices(script, source);
        let mut fit = Self::default();
        let filled = lines(source.text).filter(|(_, line)| !line.trim().is_empty());
        for (_, line) in filled.take(MAX_LINES) {
            fit.n_lines += 1;
            match script.line(line) {
                Line::Speaker { who, .. } => {
                    fit.n_turns += 1;
                    fit.has_voice |= voices.has(who, &[]);
                }
                Line::Question(_) => fit.n_questions += 1,
                Line::Answer(_) => fit.n_turns += 1,
                Line::Junk => fit.n_junk += 1,
                Line::Notice | Line::Words => {}
            }
        }
        fit
    }

    /// Whether a text is taken for such a transcript without being told.
    fn holds(&self, script: &Script) -> bool {
        let profile = &script.profile;
        let turns = self.n_turns + self.n_questions;
        let is_marked = match script.has_questions() {
            true => self.n_questions.min(self.n_turns) * 2 >= profile.min_turns && self.n_junk >= MIN_JUNK,
            // Turns run over many lines in an interview; in a log each line is one.
            false => self.n_turns * if profile.asks_for_voice { 20 } else { 2 } >= self.n_lines,
        };
        is_marked && turns >= profile.min_turns.max(1) && (self.has_voice || !profile.asks_for_voice)
    }
}

fn claims(source: &Source<'_>) -> Option<Claim> {
    let script = source.scripts.iter().find(|script| Fit::of(script, source).holds(script))?;
    let strength = if script.has_questions() { 72 } else { 68 };
    claim(strength, format!("its lines are those of `{}`", script.profile.name))
}

/// The profile that is forced, or the first that fits, or the one that finds most turns.
fn choose<'a>(source: &Source<'a>) -> Option<&'a Script> {
    let named = source.forced().and_then(|name| source.scripts.iter().find(|s| s.profile.name == name));
    let fits = || source.scripts.iter().find(|script| Fit::of(script, source).holds(script));
    let turns = |script: &&Script| {
        let fit = Fit::of(script, source);
        fit.n_turns + fit.n_questions
    };
    named.or_else(fits).or_else(|| source.scripts.iter().rev().max_by_key(turns))
}

fn voices(script: &Script, source: &Source<'_>) -> Voices {
    let names: Vec<_> = script.profile.voice.iter().chain(&source.settings.voice).cloned().collect();
    Voices::named(&names)
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let Some(script) = choose(source) else { return reading.nothing(source) };
    let stretches = stretches(script, source.text, &mut reading);
    match script.has_questions() {
        true => pairs(source, stretches, &mut reading),
        false => talk(source, script, stretches, &mut reading),
    }
    reading
}

/// One document per question, with every answer up to the next one.
fn pairs(source: &Source<'_>, stretches: Vec<Stretch>, reading: &mut Reading) {
    let mut turns: Vec<Turn> = Vec::new();
    for stretch in stretches {
        if stretch.speaker == Some(Speaker::Other) {
            push(source, &mut turns, reading);
        }
        turns.push(Turn { speaker: stretch.speaker.unwrap_or(Speaker::Other), text: stretch.text });
    }
    push(source, &mut turns, reading);
}

fn push(source: &Source<'_>, turns: &mut Vec<Turn>, reading: &mut Reading) {
    if !turns.is_empty() {
        let (position, body) = (reading.documents.len(), Body::Turns(std::mem::take(turns)));
        reading.documents.push(Document::new(source.path, position, Kind::Dialogue, None, body));
    }
}

fn talk(source: &Source<'_>, script: &Script, stretches: Vec<Stretch>, reading: &mut Reading) {
    let voices = voices(script, source);
    let (mut day, mut last) = (0, 0);
    let said = |stretch: Stretch| {
        let date = when::parse(&stretch.date);
        let at = when::clock_seconds(&stretch.at).map(|clock| {
            // A log without dates begins again at midnight.
            day += if date.is_none() && clock + DAY / 2 < last { DAY } else { 0 };
            last = clock;
            date.unwrap_or(day) + clock
        });
        let is_own = voices.has(&stretch.who, &[]);
        Said { who: stretch.who, is_own, at, text: stretch.text, ..Said::default() }
    };
    let said = stretches.into_iter().map(said).collect();
    tell(source, said, reading);
}

#[cfg(test)]
mod tests;
