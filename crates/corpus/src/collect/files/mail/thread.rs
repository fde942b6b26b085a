//! Mail put together: who answers what.

use std::collections::BTreeMap;

use super::super::talk::{Said, tell_all};
use super::super::{Reading, Source, chars};
use super::Mail;
use super::body::{Part, QUOTED};
use crate::document::{Body, Document, Kind, Title};
use crate::when;

/// Reason for what is in the mailbox twice, as labels make it.
const TWICE: &str = "mail that stands there twice";
/// Reason for answers whose question is in no mail and in no quotation.
const UNASKED: &str = "replies to mail that is not there";
/// Answers to answers beyond which a thread is taken for a circle.
const MAX_DEPTH: usize = 1000;

/// Makes documents of all mails.
pub(super) fn tell(source: &Source<'_>, mails: Vec<Mail>, reading: &mut Reading) {
    let mails = once(mails, reading);
    let known: BTreeMap<String, usize> = mails
        .iter()
        .enumerate()
        .map(|(idx, mail)| (mail.id.clone(), idx))
        .filter(|(id, _)| !id.is_empty())
        .collect();
    let parents: Vec<Option<usize>> = mails
        .iter()
        .enumerate()
        .map(|(idx, mail)| mail.answers.iter().find_map(|id| known.get(id).copied()).filter(|p| *p != idx))
        .collect();
    let mut threads: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for idx in 0..mails.len() {
        threads.entry(root(idx, &parents)).or_default().push(idx);
    }
    let mut talks = Vec::new();
    for mut thread in threads.into_values() {
        thread.sort_by_key(|idx| mails[*idx].at);
        let mut said = Vec::new();
        for idx in thread {
            let mail = &mails[idx];
            match () {
                () if !mail.is_own => said.push(one(mail, joined(mail, reading))),
                () if parents[idx].is_some() || quotes(mail) => {
                    answer(mail, parents[idx].is_some(), &mut said, reading)
                }
                () if is_reply(mail) => {
                    let text = joined(mail, reading);
                    reading.tally.drop(UNASKED, chars(&text));
                }
                () => post(source, mail, reading),
            }
        }
        talks.push(said);
    }
    talks.retain(|said| !said.is_empty());
    if mails.iter().any(|mail| mail.is_own) {
        talks.retain(|said| {
            let has_voice = said.iter().any(|said| said.is_own);
            said.iter().filter(|_| !has_voice).for_each(|said| {
                reading.tally.drop("conversations without the voice", chars(&said.text));
            });
            has_voice
        });
    }
    if !talks.is_empty() {
        tell_all(source, talks, reading);
    }
}

/// Leaves out what is there twice.
fn once(mails: Vec<Mail>, reading: &mut Reading) -> Vec<Mail> {
    let mut seen = std::collections::BTreeSet::new();
    let mut kept = Vec::new();
    for mail in mails {
        if mail.id.is_empty() || seen.insert(mail.id.clone()) {
            kept.push(mail);
        } else {
            mail.parts.iter().for_each(|part| reading.tally.drop(TWICE, chars(text(part))));
        }
    }
    kept
}

fn root(idx: usize, parents: &[Option<usize>]) -> usize {
    let up = std::iter::successors(Some(idx), |at| parents[*at]).take(MAX_DEPTH);
    // The end of the way up; in a circle, the same member from everywhere.
    let ways: Vec<usize> = up.collect();
    match ways.len() < MAX_DEPTH {
        true => ways.last().copied().unwrap_or(idx),
        false => ways.into_iter().min().unwrap_or(idx),
    }
}

fn text(part: &Part) -> &str {
    match part {
        Part::Own(text) | Part::Quoted(text) | Part::Left(text, _) => text,
    }
}

fn quotes(mail: &Mail) -> bool {
    mail.parts.iter().any(|part| matches!(part, Part::Quoted(text) if !text.is_empty()))
}

fn is_reply(mail: &Mail) -> bool {
    let subject = mail.subject.to_lowercase();
    !mail.answers.is_empty()
        || ["re:", "aw:", "sv:", "antw:", "rv:"].iter().any(|mark| subject.starts_with(mark))
}

fn one(mail: &Mail, text: String) -> Said {
    Said { who: mail.who.clone(), also: mail.also.clone(), is_own: mail.is_own, at: None, text }
}

/// The writer's own words; everything else is dropped for what it is.
fn joined(mail: &Mail, reading: &mut Reading) -> String {
    let mut own: Vec<&str> = Vec::new();
    for part in &mail.parts {
        match part {
            Part::Own(text) if !text.is_empty() => own.push(text),
            Part::Own(_) => {}
            Part::Quoted(text) => reading.tally.drop(QUOTED, chars(text)),
            Part::Left(text, reason) => reading.tally.drop(reason, chars(text)),
        }
    }
    reading.tally.added += 2 * own.len().saturating_sub(1) as u64;
    own.join("\n\n")
}

/// An answer: after the mail it answers, or between the lines it quotes.
fn answer(mail: &Mail, has_parent: bool, said: &mut Vec<Said>, reading: &mut Reading) {
    let n_own = mail.parts.iter().filter(|part| matches!(part, Part::Own(text) if !text.is_empty())).count();
    if has_parent && n_own < 2 {
        said.push(one(mail, joined(mail, reading)));
        return;
    }
    let is_own = |part: &&Part| matches!(part, Part::Own(text) if !text.is_empty());
    let is_quoted = |part: &&Part| matches!(part, Part::Quoted(text) if !text.is_empty());
    for part in &mail.parts {
        if let Part::Left(text, reason) = part {
            reading.tally.drop(reason, chars(text));
        }
    }
    let said_by = |part: &Part| match part {
        Part::Quoted(text) => Said { who: "quoted".to_owned(), text: text.clone(), ..Said::default() },
        part => one(mail, text(part).to_owned()),
    };
    // A quotation below the answer is still what was asked.
    let first_own = mail.parts.iter().position(|part| is_own(&part));
    let first_quoted = mail.parts.iter().position(|part| is_quoted(&part));
    if !has_parent && first_own < first_quoted && n_own == 1 {
        said.extend(mail.parts.iter().filter(is_quoted).map(said_by));
        said.extend(mail.parts.iter().filter(is_own).map(said_by));
    } else {
        said.extend(mail.parts.iter().filter(|part| is_own(part) || is_quoted(part)).map(said_by));
    }
}

/// A first letter is a post; its subject asks for it.
fn post(source: &Source<'_>, mail: &Mail, reading: &mut Reading) {
    let text = joined(mail, reading);
    if text.trim().is_empty() {
        return reading.tally.drop("blank space", chars(&text));
    }
    let title = (!mail.subject.is_empty()).then(|| Title { text: mail.subject.clone(), given: true });
    let position = reading.documents.len();
    let mut document = Document::new(source.path, position, Kind::Post, title, Body::Text(text));
    document.date = mail.at.map(when::show);
    reading.documents.push(document);
}
