//! Ways to make examples of a document: one file each and one line in [`ALL`].
//!
//! A way decides what asks and what answers. It accounts for every character it is given:
//! `chars + added + repeated == voice + prompt + dropped`.

pub(crate) mod asked;
mod completion;
mod dialogue;
mod passage;
mod post;

use penname_ledger::Hash;
use penname_token::{Example, Message, Role};

use crate::Settings;
use crate::account::Tally;
use crate::ask::{Missing, Questions};
use crate::document::{Body, Document};
use crate::issue::{Code, Issue, Severity};
use crate::rights::{Grant, UNALLOWED};

/// One way to make examples.
#[derive(Debug)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// What it asks and what answers, in one line.
    pub about: &'static str,
    /// Whether it is for this document.
    pub takes: fn(&Document, &Settings) -> bool,
    /// About how many examples it makes.
    pub expected: fn(&Document, &Settings) -> usize,
    /// Makes them.
    pub make: fn(&Document, &Settings, &mut Made),
}

/// Every way; the first that takes a document makes its examples.
pub const ALL: &[Way] = &[dialogue::WAY, completion::WAY, post::WAY, passage::WAY];

/// What was made of one document.
#[derive(Debug, Default)]
pub struct Made {
    /// The examples.
    pub examples: Vec<Example>,
    /// Characters of the voice in them.
    pub voice: u64,
    /// Characters of the document that only ask.
    pub prompt: u64,
    /// Characters that are in two examples, because passages overlap.
    pub repeated: u64,
    /// Characters that are in no example.
    pub tally: Tally,
    /// Why, where it is worth a row.
    pub issues: Vec<Issue>,
    /// Passages for which questions were wanted.
    pub n_passages: usize,
    /// Those for which there are none.
    pub missing: Vec<Missing>,
}

/// Makes the examples of a document. Where questions were generated for its passages, those ask.
pub fn compose(document: &Document, settings: &Settings, questions: &Questions) -> Made {
    let mut made = Made::default();
    match way(document, settings) {
        _ if settings.ask.takes(document) => asked::make(document, settings, questions, &mut made),
        Some(way) => (way.make)(document, settings, &mut made),
        None => made.tally.drop("documents no way takes", document.chars()),
    }
    made
}

/// About how many examples a document makes, without making them.
pub fn expected(document: &Document, settings: &Settings) -> usize {
    if settings.ask.takes(document) {
        return asked::expected(document, settings);
    }
    way(document, settings).map_or(0, |way| (way.expected)(document, settings))
}

fn way(document: &Document, settings: &Settings) -> Option<&'static Way> {
    ALL.iter().find(|way| (way.takes)(document, settings))
}

impl Made {
    /// Adds an example of a question and an answer, with the persona before it if there is one.
    fn ask(&mut self, document: &Document, settings: &Settings, question: String, answer: &str) {
        let turns = vec![Message::new(Role::User, question), Message::new(Role::Assistant, answer)];
        self.push(document, settings, turns);
    }

    /// Adds an example, with the persona before it if there is one and no system turn yet.
    fn push(&mut self, document: &Document, settings: &Settings, mut messages: Vec<Message>) {
        let has_system = messages.first().is_some_and(|message| message.role == Role::System);
        if let Some(persona) = settings.persona.as_ref().filter(|p| !has_system && !p.trim().is_empty()) {
            messages.insert(0, Message::new(Role::System, persona.clone()));
        }
        let id = id(document, &messages);
        let (uid, rights) = (document.uid.clone(), document.rights);
        self.examples.push(Example { id, document: uid, messages, rights, asked: None });
    }

    /// Leaves out examples of which a part may not be learned from.
    pub(crate) fn leave_unallowed(&mut self) {
        let n_before = self.examples.len();
        let (mut lost, allowed) = (0, |example: &Example| example.rights.train != Grant::No);
        self.examples.retain(|example| {
            lost += if allowed(example) { 0 } else { example.trained_chars() as u64 };
            allowed(example)
        });
        self.voice = self.voice.saturating_sub(lost);
        self.tally.drop(UNALLOWED, lost);
        if n_before > 0 && self.examples.is_empty() {
            self.tally.drop(UNALLOWED, std::mem::take(&mut self.prompt));
        }
    }

    /// Notes a document, or a part of one, that cannot be used.
    fn reject(&mut self, document: &Document, code: Code, reason: &str, chars: u64) {
        self.tally.drop(reason, chars);
        let detail = format!("document {}: {reason}", document.position + 1);
        self.issues.push(Issue::new(&document.path, code, Severity::Part, detail));
    }
}

/// The hash of the document's name and of every turn.
fn id(document: &Document, messages: &[Message]) -> String {
    let role = |role| match role {
        Role::System => b"s",
        Role::User => b"u",
        Role::Assistant => b"a",
    };
    let turns = messages.iter().flat_map(|m| [role(m.role).as_slice(), m.content.as_bytes()]);
    let mut id = Hash::of_parts(std::iter::once(document.uid.as_bytes()).chain(turns)).to_string();
    id.truncate(32);
    id
}

/// A prompt with its blank filled. Only the first place is filled, so that a title that holds
/// `{title}` itself does no harm.
fn fill(prompt: &str, blank: &str, with: &str) -> String {
    prompt.replacen(blank, with, 1)
}

/// The running text of a document, empty for a dialogue.
fn text(document: &Document) -> &str {
    match &document.body {
        Body::Text(text) => text,
        Body::Turns(_) => "",
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn chars(text: &str) -> u64 {
    text.chars().count() as u64
}

/// Examples as text, and the account, for the tests of the ways.
#[cfg(test)]
fn show(document: &Document, settings: &Settings) -> String {
    let made = compose(document, settings, &Questions::default());
    let held = made.voice + made.prompt + made.tally.dropped_chars();
    assert_eq!(document.chars() + made.tally.added + made.repeated, held, "{made:?}");
    use std::fmt::Write;
    let mut out = String::new();
    for example in &made.examples {
        let turns: Vec<_> =
            example.messages.iter().map(|m| format!("{:?} {:?}", m.role, m.content)).collect();
        writeln!(out, "{}", turns.join(" / ")).unwrap();
    }
    writeln!(out, "voice {} prompt {} added {}", made.voice, made.prompt, made.tally.added).unwrap();
    for (reason, chars) in &made.tally.dropped {
        writeln!(out, "{reason}: {chars}").unwrap();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::settings::Without;
    use crate::document::{Kind, Speaker, Title, Turn};
    use crate::settings::Form;
    use proptest::prelude::*;

    fn any_document() -> impl Strategy<Value = Document> {
        let text = "( |\\n|[a-zé]{1,8}[.?!]? ){0,60}";
        let speaker = prop::sample::select(vec![Speaker::Voice, Speaker::Other, Speaker::System]);
        let turns = prop::collection::vec((speaker, text), 0..7).prop_map(|turns| {
            Body::Turns(turns.into_iter().map(|(speaker, text)| Turn { speaker, text }).collect())
        });
        let body = prop_oneof![text.prop_map(Body::Text), turns];
        let title = prop::option::of((text, any::<bool>()).prop_map(|(text, given)| Title { text, given }));
        let kind = prop::sample::select(vec![Kind::Dialogue, Kind::Post, Kind::Text]);
        (kind, title, body).prop_map(|(kind, title, body)| Document::new("p", 0, kind, title, body))
    }

    proptest! {
        #[test]
        fn every_way_accounts_for_every_character(document in any_document(), overlap_words in 0usize..10, complete: bool, asks in 0usize..3) {
            let mut settings = Settings::default();
            // Nobody has answered: what is without a question is left out, or stands alone.
            settings.ask.provider = (asks > 0).then_some(crate::ask::Provider::Local);
            settings.ask.without = if asks == 1 { Without::Drop } else { Without::Complete };
            settings.ask.posts = complete;
            settings.compose.overlap_words = overlap_words;
            settings.compose.form = if complete { Form::Complete } else { Form::Ask };
            settings.compose.passage_words = 20;
            settings.compose.post_words = 25;
            let made = compose(&document, &settings, &Questions::default());
            let held = made.voice + made.prompt + made.tally.dropped_chars();
            prop_assert_eq!(document.chars() + made.tally.added + made.repeated, held);
            let trained: usize = made.examples.iter().map(Example::trained_chars).sum();
            prop_assert_eq!(trained as u64, made.voice);
            for message in made.examples.iter().flat_map(|e| &e.messages) {
                prop_assert!(!message.content.trim().is_empty());
            }
        }
    }
}
