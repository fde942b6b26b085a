//! The review as a page: one example a screen, a key for every answer.
//!
//! What is served are three files that are part of the program, a light index, and one example at a time.
//! What is decided goes through the same [`review::Desk`] as on a terminal, and is on disk before it is
//! answered. A tab says what it has seen; where something else has been decided since, nothing is written
//! down and the tab is shown what there is.

mod shown;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use penname_corpus::ask::Questions;
use penname_corpus::collect::Places;
use penname_corpus::issue::Issue;
use penname_corpus::review::raw::Raw;
use penname_corpus::review::select::{Show, Wish};
use penname_corpus::review::{self, Catalogue, FLAGS, Review, Verdict, agree, pace, risk, select};
use penname_corpus::validate::Judge;
use penname_corpus::{Error, Prepared, Settings};
use penname_token::Message;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wish;
use crate::failure::Failure;
use crate::page::{Answer, Method, Request};
use shown::Length;

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const TEXT: &str = include_str!("text.js");

/// Everything the page shows, and the record it adds to.
pub(super) struct Room<'a> {
    catalogue: Catalogue<'a>,
    record: Mutex<review::Desk>,
    raw: Raw<'a>,
    judge: Judge<'a>,
    issues: BTreeMap<&'a str, Vec<&'a Issue>>,
    settings: &'a Settings,
    /// Whose voice it is.
    voice: String,
    /// What is shown first, as a query.
    first: String,
}

/// What a room is made of.
pub(super) struct Furniture<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) settings: &'a Settings,
    pub(super) places: Places<'a>,
    pub(super) voice: String,
    pub(super) first: String,
}

/// What a tab decided.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    n: usize,
    /// The example, so that a tab of another day decides about nothing else.
    id: String,
    /// How often something had been written down about it when the tab looked.
    revision: usize,
    verdict: String,
    #[serde(default)]
    flags: Vec<String>,
    /// The texts of all turns, where they are changed.
    #[serde(default)]
    texts: Vec<String>,
}

/// What a tab wants undone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Undone {
    /// The example it takes for the latest; nothing where it knows of none.
    id: Option<String>,
}

impl<'a> Room<'a> {
    /// Looks at every example once.
    ///
    /// # Errors
    /// When a model that scores is not there.
    pub(super) fn new(furniture: Furniture<'a>, record: review::Desk) -> Result<Self, Failure> {
        let Furniture { prepared, settings, places, voice, first } = furniture;
        let questions = places.asked.map(Questions::read).transpose()?.unwrap_or_default();
        let mut issues: BTreeMap<&str, Vec<&Issue>> = BTreeMap::new();
        for issue in &prepared.issues {
            issues.entry(&issue.path).or_default().push(issue);
        }
        Ok(Self {
            catalogue: Catalogue::new(review::items(&prepared.documents, settings, &questions)),
            record: Mutex::new(record),
            raw: Raw::new(places, settings),
            judge: Judge::new(&settings.validate)?,
            issues,
            settings,
            voice,
            first,
        })
    }

    /// Examples there are.
    pub(super) fn n_items(&self) -> usize {
        self.catalogue.items().len()
    }

    /// Hands the record back.
    pub(super) fn leave(self) -> (review::Desk, Catalogue<'a>) {
        (self.record.into_inner().unwrap_or_else(PoisonError::into_inner), self.catalogue)
    }

    /// Answers one request.
    pub(super) fn answer(&self, path: &str, request: &Request) -> Answer {
        match (request.method, path) {
            (Method::Get, "") => Answer::file("text/html; charset=utf-8", HTML),
            (Method::Get, "page.css") => Answer::file("text/css; charset=utf-8", STYLE),
            (Method::Get, "page.js") => Answer::file("text/javascript; charset=utf-8", SCRIPT),
            (Method::Get, "text.js") => Answer::file("text/javascript; charset=utf-8", TEXT),
            (Method::Get, "start") => Answer::json(&self.start()),
            (Method::Get, "queue") => self.queue(request),
            (Method::Get, "item") => self.item(request),
            (Method::Get, "raw") => self.beside(request),
            (Method::Get, "people") => Answer::json(&agree::agreement(self.record().review())),
            (Method::Post, "decide") => self.decide(&request.body),
            (Method::Post, "undo") => self.undo(&request.body),
            _ => Answer::nowhere(),
        }
    }

    fn record(&self) -> MutexGuard<'_, review::Desk> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What does not change while the page is open.
    fn start(&self) -> Value {
        let flag = |flag: &review::Flag| json!({ "name": flag.name, "asks": flag.asks });
        let sign = |sign: &risk::Sign| (sign.name.to_owned(), Value::from(sign.about));
        json!({
            "voice": self.voice,
            "reviewer": self.record().reviewer(),
            "examples": self.n_items(),
            "flags": FLAGS.iter().map(flag).collect::<Vec<_>>(),
            "signs": risk::ALL.iter().map(sign).collect::<serde_json::Map<_, _>>(),
            "facets": self.catalogue.facets(),
            "first": self.first,
        })
    }

    /// Which examples are wanted, and where every one stands.
    fn queue(&self, request: &Request) -> Answer {
        let wish = match wish::asked(request) {
            Ok(wish) => wish,
            Err(why) => return Answer::refused(400, &why),
        };
        let record = self.record();
        let (review, reviewer) = (record.review(), record.reviewer());
        let sample =
            select::select(&self.catalogue, review, reviewer, &Wish { show: Show::All, ..wish.clone() });
        let stands = |n: &usize| self.catalogue.standing(*n, review, reviewer);
        let items: Vec<usize> =
            sample.iter().copied().filter(|n| select::is_shown(stands(n), wish.show)).collect();
        let states: String = (0..self.n_items()).map(|n| self.letter(n, review, reviewer)).collect();
        Answer::json(&json!({
            "items": items,
            "sample": sample,
            "states": states,
            "latest": latest_id(&record),
            "pace_s": pace::pace(review, reviewer),
        }))
    }

    /// Where an example stands, in a letter.
    fn letter(&self, n: usize, review: &Review, reviewer: Option<&str>) -> char {
        let state = select::state(self.catalogue.standing(n, review, reviewer));
        // Every state begins with another letter.
        state.chars().next().unwrap_or('o')
    }

    fn item(&self, request: &Request) -> Answer {
        let length = if request.field("whole").is_some() { Length::Whole } else { Length::Screen };
        match number(request).and_then(|n| self.shown(n, length)) {
            Some(shown) => Answer::json(&shown),
            None => Answer::nowhere(),
        }
    }

    /// What was written, beside what would be learned.
    fn beside(&self, request: &Request) -> Answer {
        let Some((n, item)) = number(request).and_then(|n| Some((n, self.catalogue.items().get(n)?))) else {
            return Answer::nowhere();
        };
        let messages = {
            let record = self.record();
            let standing = self.catalogue.standing(n, record.review(), record.reviewer());
            standing.messages(&item.example).to_vec()
        };
        let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
        match self.raw.beside(item.document, &texts) {
            Ok(beside) => Answer::json(&beside),
            Err(error) => Answer::refused(503, &error.to_string()),
        }
    }

    /// Writes a decision down, if the tab has seen what there is.
    fn decide(&self, body: &[u8]) -> Answer {
        let said: Said = match serde_json::from_slice(body) {
            Ok(said) => said,
            Err(error) => return Answer::refused(400, &error.to_string()),
        };
        let Some(item) = self.catalogue.items().get(said.n).filter(|item| item.example.id == said.id) else {
            return Answer::refused(404, "there is no such example; open the page again");
        };
        let mut record = self.record();
        if record.review().revision(&said.id) != said.revision {
            drop(record);
            return Answer::json_as(409, &self.shown(said.n, Length::Screen));
        }
        let verdict = match said.verdict.as_str() {
            "keep" => Verdict::Keep,
            "drop" => Verdict::Drop,
            "edit" => match changed(&item.example.messages, said.texts) {
                Some(messages) => Verdict::Edit { messages },
                None => return Answer::refused(422, "a change has a text for every turn"),
            },
            _ => return Answer::refused(422, "a decision is keep, drop or edit"),
        };
        match record.decide(&item.example, item.place, verdict, said.flags) {
            Ok(()) => Answer::json(&self.after(&record, said.n)),
            Err(error @ Error::Review { .. }) => Answer::refused(422, &error.to_string()),
            Err(error) => Answer::refused(503, &in_full(&error)),
        }
    }

    /// Takes the reviewer's latest decision back, if it is the one the tab means.
    fn undo(&self, body: &[u8]) -> Answer {
        let meant: Undone = match serde_json::from_slice(body) {
            Ok(meant) => meant,
            Err(error) => return Answer::refused(400, &error.to_string()),
        };
        let mut record = self.record();
        let latest = latest_id(&record);
        if latest != meant.id.as_deref() {
            let n = latest.and_then(|id| self.catalogue.find(id));
            return Answer::json_as(409, &json!({ "latest": latest, "n": n }));
        }
        match record.undo() {
            // What was decided about examples that are no more can be undone as well.
            Ok(Some(undone)) => match self.catalogue.find(&undone.example) {
                Some(n) => Answer::json(&self.after(&record, n)),
                None => Answer::json(&json!({ "latest": latest_id(&record) })),
            },
            Ok(None) => Answer::json(&json!({ "latest": null })),
            Err(error) => Answer::refused(503, &in_full(&error)),
        }
    }

    /// How things are after something was written down about the example `n`.
    fn after(&self, record: &review::Desk, n: usize) -> Value {
        let (review, reviewer) = (record.review(), record.reviewer());
        let id = self.catalogue.items().get(n).map_or("", |item| item.example.id.as_str());
        json!({
            "n": n,
            "revision": review.revision(id),
            "state": select::state(self.catalogue.standing(n, review, reviewer)),
            "latest": latest_id(record),
            "pace_s": pace::pace(review, reviewer),
        })
    }
}

fn latest_id(record: &review::Desk) -> Option<&str> {
    record.review().latest_of(record.reviewer()).map(|decision| decision.example.as_str())
}

fn number(request: &Request) -> Option<usize> {
    request.field("n")?.parse().ok()
}

/// The turns with other texts. What a browser made of line ends is no change.
fn changed(before: &[Message], texts: Vec<String>) -> Option<Vec<Message>> {
    let same = |one: &str, other: &str| one.replace("\r\n", "\n") == other.replace("\r\n", "\n");
    (texts.len() == before.len()).then(|| {
        let turn = |(message, text): (&Message, String)| match same(&message.content, &text) {
            true => message.clone(),
            false => Message { content: text, ..message.clone() },
        };
        before.iter().zip(texts).map(turn).collect()
    })
}

/// An error with its causes, in one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

#[cfg(test)]
mod tests;
