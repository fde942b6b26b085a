//! Questions asked of services on the loopback interface that behave as services do on bad days. No test
//! waits: the clock is the test's own.

mod anthropic;
mod compose;
mod openai;
mod parcel;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use penname_corpus::ask::row::FILE;
use penname_corpus::ask::{self, Missing, Order, Questions, Stop};
use penname_corpus::collect::fetch::Secrets;
use penname_corpus::document::{Body, Kind};
use penname_corpus::{Document, Error, Settings};
use penname_ledger::event::Recorder;
use penname_ledger::{Event, Seed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fetch::Hand;

/// A place in which questions are kept, and everything around it.
struct Place {
    dir: TempDir,
    clock: Hand,
    recorder: Recorder,
    stop: Arc<AtomicBool>,
    secrets: Secrets,
}

impl Place {
    fn new() -> Self {
        let secrets = Secrets::find(|name| Some(format!("the {name}")));
        let (clock, recorder) = (Hand::default(), Recorder::default());
        Self { dir: tempfile::tempdir().unwrap(), clock, recorder, stop: Arc::default(), secrets }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("asked")
    }

    fn order<'a>(&'a self, settings: &'a Settings, folder: &'a PathBuf, again: bool) -> Order<'a> {
        Order {
            settings,
            folder,
            secrets: &self.secrets,
            proxy: None,
            clock: &self.clock,
            witness: &self.recorder,
            stop: &self.stop,
            seed: Seed(7),
            again,
        }
    }

    fn ask(&self, settings: &Settings, documents: &[Document]) -> Result<Option<Stop>, Error> {
        let (folder, passages) = (self.folder(), ask::passages(documents, settings));
        ask::ask(&self.order(settings, &folder, false), &passages, None)
    }

    /// As [`Self::ask`], also for what was given up.
    fn again(&self, settings: &Settings, documents: &[Document]) -> Result<Option<Stop>, Error> {
        let (folder, passages) = (self.folder(), ask::passages(documents, settings));
        ask::ask(&self.order(settings, &folder, true), &passages, None)
    }

    fn questions(&self) -> Questions {
        Questions::read(&self.folder()).unwrap()
    }

    fn missing(&self, settings: &Settings, documents: &[Document]) -> Vec<Missing> {
        ask::missing(documents, settings, &self.questions())
    }

    /// The lines of the record of one kind.
    fn rows(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.folder().join(FILE)).unwrap_or_default();
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["row"] == kind).collect()
    }

    fn notes(&self) -> Vec<String> {
        let text = |event: Event| match event {
            Event::Note { text } => Some(text),
            Event::Warning { what, .. } => Some(what),
            _ => None,
        };
        self.recorder.events().into_iter().filter_map(text).collect()
    }
}

/// What stopped it, in words.
fn told(stop: &Result<Option<Stop>, Error>) -> String {
    match stop {
        Ok(None) => "done".to_owned(),
        Ok(Some(Stop::Capped)) => "capped".to_owned(),
        Ok(Some(Stop::Fault(fault))) => fault.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Texts of one passage each.
fn documents(n: usize) -> Vec<Document> {
    let text = |n: usize| {
        format!(
            "Kettle {n} sang on the hob from noon on, and nobody in house {n} heard it sing before evening \
             came with its {n} visitors, who wanted tea."
        )
    };
    (0..n).map(|n| document(n, &text(n))).collect()
}

fn document(n: usize, text: &str) -> Document {
    Document::new(&format!("t{n}.txt"), 0, Kind::Text, None, Body::Text(text.to_owned()))
}

fn settings(ask: Value) -> Settings {
    let settings: Settings = serde_json::from_value(json!({ "ask": ask })).unwrap();
    settings.check().unwrap();
    settings
}

/// The number of the kettle that a request is about.
fn kettle(text: &str) -> usize {
    let rest = text.split("Kettle ").nth(1).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Two questions about a kettle.
fn questions(n: usize) -> String {
    json!({"questions": [format!("What became of kettle {n}?"), format!("Who drank tea in house {n}?")]})
        .to_string()
}
