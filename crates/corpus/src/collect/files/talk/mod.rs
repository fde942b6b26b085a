//! What several people said, one message after another, as dialogues of the voice and the others.
//!
//! Who the voice is, is never guessed: it is named in `corpus.voice`, or the export itself says
//! which side is its owner's. A silence ends a conversation; a long one is divided after a turn of
//! the voice. In a room of many, only what belongs to an answer stands before it.
//!
//! It knows nothing of any file: readers of chats, mail and logs fill a list of [`Said`].

mod context;
mod voice;

pub(super) use voice::Voices;

use std::collections::BTreeMap;

use super::{Reading, Source, chars, words};
use crate::document::{Body, Document, Kind, Speaker, Turn};
use crate::issue::{Code, Issue, Severity};
use crate::provenance::{Author, Piece, Provenance};
use crate::when;

/// Reason for what nobody of the voice answered.
const UNANSWERED: &str = "talk the voice did not answer";
/// Reason for what the voice said to nobody.
const UNASKED: &str = "openings that answer nobody";
/// Reason for everything in a file in which the voice is silent.
const SILENT: &str = "conversations without the voice";
/// Speakers told by name when the voice is not among them.
const MAX_NAMES: usize = 8;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Who said it, as a person reads it.
    pub(super) who: String,
    /// Other names of the same speaker: an address, an account.
    pub(super) also: Vec<String>,
    /// Whether the export says that its owner said it.
    pub(super) is_own: bool,
    /// When, in seconds since 1970.
    pub(super) at: Option<i64>,
    /// What was said.
    pub(super) text: String,
}

/// Makes dialogues of one conversation's messages, which are in order.
pub(super) fn tell(source: &Source<'_>, said: Vec<Said>, reading: &mut Reading) {
    tell_all(source, vec![said], reading);
}

/// Makes dialogues of conversations, and accounts for every character of them.
pub(super) fn tell_all(source: &Source<'_>, mut conversations: Vec<Vec<Said>>, reading: &mut Reading) {
    for said in &mut conversations {
        said.retain(|said| {
            let is_blank = said.text.trim().is_empty();
            reading.tally.drop("blank space", if is_blank { chars(&said.text) } else { 0 });
            !is_blank
        });
    }
    let voices = Voices::of(source.settings);
    let is_voice = |said: &Said| said.is_own || voices.has(&said.who, &said.also);
    if !conversations.iter().flatten().any(is_voice) {
        let all = || conversations.iter().flatten();
        all().for_each(|said| reading.tally.drop(SILENT, chars(&said.text)));
        reading.issues.extend(missing(source.path, all().map(|said| said.who.as_str()), voices.is_empty()));
        return;
    }
    let is_alone = conversations.iter().flatten().all(is_voice);
    let tell = if is_alone { monologue } else { conversation };
    let gap = source.settings.conversation.gap_minutes.saturating_mul(60);
    for said in conversations {
        let is_voice: Vec<bool> = said.iter().map(is_voice).collect();
        let mut start = 0;
        for end in 1..=said.len() {
            if end == said.len() || is_apart(&said[end - 1], &said[end], gap) {
                tell(source, &said[start..end], &is_voice[start..end], reading);
                start = end;
            }
        }
    }
}

/// Where an export holds the voice alone, what it wrote at one time is a text, a line each.
fn monologue(source: &Source<'_>, said: &[Said], _: &[bool], reading: &mut Reading) {
    let lines: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    reading.tally.added += said.len().saturating_sub(1) as u64;
    let (position, body) = (reading.documents.len(), Body::Text(lines.join("\n")));
    let mut document = Document::new(source.path, position, Kind::Text, None, body);
    document.date = said.first().and_then(|said| said.at).map(when::show);
    said.iter().for_each(|said| note(&mut document.provenance, said, true));
    reading.documents.push(document);
}

/// Notes under which names somebody speaks in a document.
fn note(provenance: &mut Provenance, said: &Said, is_voice: bool) {
    if said.who.trim().is_empty() && said.also.is_empty() {
        return;
    }
    if is_voice && provenance.author.is_none() {
        provenance.author = Some(Author { name: said.who.clone(), id: None });
    }
    let is_author = |name: &str| provenance.author.as_ref().is_some_and(|author| author.name == name);
    let names = std::iter::once(&said.who).chain(&said.also);
    let names: Vec<&String> = names.filter(|name| !name.trim().is_empty() && !is_author(name)).collect();
    names.into_iter().for_each(|name| provenance.holds(Piece::by(name)));
}

/// Whether a silence lies between two messages. A clock that runs backwards is none.
fn is_apart(before: &Said, after: &Said, gap: u64) -> bool {
    match (before.at, after.at) {
        (Some(before), Some(after)) => after.saturating_sub(before).max(0) as u64 > gap,
        _ => false,
    }
}

/// One row that says who speaks in a file in which the voice does not.
pub(super) fn missing<'a>(path: &str, names: impl Iterator<Item = &'a str>, unnamed: bool) -> Option<Issue> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
    if counts.is_empty() {
        return None;
    }
    let shown: Vec<_> = counts.iter().take(MAX_NAMES).map(|(name, n)| format!("{name} ({n})")).collect();
    let more = if counts.len() > MAX_NAMES { " and others" } else { "" };
    let speakers = format!("{}{more}", shown.join(", "));
    Some(match unnamed {
        true => {
            let detail = format!("whose voice is it? name one of them in `corpus.voice`: {speakers}");
            Issue::new(path, Code::Voice, Severity::Bad, detail)
        }
        false => {
            let detail = format!("the voice says nothing in it; {speakers} do");
            Issue::new(path, Code::Voice, Severity::Skipped, detail)
        }
    })
}

/// The dialogues of one conversation.
fn conversation(source: &Source<'_>, said: &[Said], is_voice: &[bool], reading: &mut Reading) {
    let mut open = Dialogue::default();
    let mut at = 0;
    while at < said.len() {
        let length = is_voice[at..].iter().take_while(|voice| **voice == is_voice[at]).count();
        let run = &said[at..at + length];
        at += length;
        if is_voice[at - 1] {
            open.answer(run, reading);
            if open.n_words >= source.settings.conversation.words {
                open.close(source, reading);
            }
        } else if at == said.len() {
            run.iter().for_each(|said| reading.tally.drop(UNANSWERED, chars(&said.text)));
        } else {
            let next = is_voice[at..].iter().take_while(|voice| **voice).count();
            let before = source.settings.conversation.before;
            let kept = context::choose(run, &said[at..at + next], before);
            for said in run.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(said, _)| said) {
                reading.tally.drop(UNANSWERED, chars(&said.text));
            }
            let kept: Vec<_> =
                run.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(said, _)| said).collect();
            open.ask(&kept, reading);
        }
    }
    open.close(source, reading);
}

/// A dialogue as it is gathered.
#[derive(Default)]
struct Dialogue {
    turns: Vec<Turn>,
    begun: Option<i64>,
    n_words: usize,
    provenance: Provenance,
}

impl Dialogue {
    fn ask(&mut self, said: &[&Said], reading: &mut Reading) {
        self.begun = self.begun.or_else(|| said.first().and_then(|said| said.at));
        self.turn(Speaker::Other, said, reading);
    }

    fn answer(&mut self, said: &[Said], reading: &mut Reading) {
        if self.turns.is_empty() {
            return said.iter().for_each(|said| reading.tally.drop(UNASKED, chars(&said.text)));
        }
        self.turn(Speaker::Voice, &said.iter().collect::<Vec<_>>(), reading);
    }

    /// Messages in a row are one turn, a line each.
    fn turn(&mut self, speaker: Speaker, said: &[&Said], reading: &mut Reading) {
        let lines: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
        let text = lines.join("\n");
        said.iter().for_each(|said| note(&mut self.provenance, said, speaker == Speaker::Voice));
        self.n_words += words(&text);
        reading.tally.added += said.len().saturating_sub(1) as u64;
        self.turns.push(Turn { speaker, text });
    }

    fn close(&mut self, source: &Source<'_>, reading: &mut Reading) {
        let Dialogue { turns, begun, provenance, .. } = std::mem::take(self);
        if turns.is_empty() {
            return;
        }
        let position = reading.documents.len();
        let mut document = Document::new(source.path, position, Kind::Dialogue, None, Body::Turns(turns));
        document.date = begun.map(when::show);
        document.provenance = provenance;
        reading.documents.push(document);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_accounted, conversations, with_source};
    use super::*;
    use crate::Settings;
    use expect_test::{Expect, expect};
    fn said(lines: &str) -> Vec<Said> {
        let one = |line: &str| {
            let (at, rest) = line.split_once(' ').unwrap();
            let (who, text) = rest.split_once(": ").unwrap();
            Said { who: who.into(), at: when::clock_seconds(at), text: text.into(), ..Said::default() }
        };
        lines.lines().map(one).collect()
    }

    fn check(voice: &[&str], lines: &str, expected: Expect) {
        let mut settings =
            Settings { voice: voice.iter().map(|v| (*v).to_owned()).collect(), ..Settings::default() };
        settings.conversation.words = 12;
        let mut reading = Reading::default();
        let said = said(lines);
        let given: u64 = said.iter().map(|said| chars(&said.text)).sum();
        with_source("p", "", &settings, |source| tell(source, said, &mut reading));
        assert_accounted(&reading, given);
        expected.assert_eq(&conversations(&reading));
    }

    #[test]
    fn a_silence_ends_a_conversation_and_length_divides_it() {
        check(
            &["Ann"],
            "8:00 Bob: up?\n8:01 Ann: no\n8:02 Ann: never\n8:03 Bob: tea then\n8:04 Ann: seven words are enough for this turn\n\
             8:05 Bob: so many\n8:06 Ann: yes\n20:00 Ann: are you there\n20:01 Bob: I am\n20:02 Ann: good\n20:03 Bob: night",
            expect![[r#"
                Other "up?" / Voice "no\nnever" / Other "tea then" / Voice "seven words are enough for this turn"
                Other "so many" / Voice "yes"
                Other "I am" / Voice "good"
                openings that answer nobody: 13
                talk the voice did not answer: 5
            "#]],
        );
    }

    #[test]
    fn in_a_room_of_many_an_answer_keeps_whom_it_answers() {
        check(
            &["@ann"],
            "8:00 Cy: rain again\n8:01 Bob: Ann: is it wet?\n8:02 Cy: like last week\n8:03 Ann: Bob: very",
            expect![[r#"
                Other "Ann: is it wet?" / Voice "Bob: very"
                talk the voice did not answer: 24
            "#]],
        );
    }

    #[test]
    fn the_voice_is_asked_for_by_name() {
        check(
            &[],
            "8:00 Bob: up?\n8:01 Ann: no\n8:02 Ann: go",
            expect![[r#"
                conversations without the voice: 7
                Bad: whose voice is it? name one of them in `corpus.voice`: Ann (2), Bob (1)
            "#]],
        );
        check(
            &["Cy"],
            "8:00 Bob: up?",
            expect![[r#"
                conversations without the voice: 3
                Skipped: the voice says nothing in it; Bob (1) do
            "#]],
        );
    }
}
