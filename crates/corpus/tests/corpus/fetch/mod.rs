//! Network sources against services on the loopback interface that behave as services do on bad days.
//! No test waits: the clock is the test's own.

mod apify;
mod blog;
mod manners;
mod reddit;
pub(crate) mod server;
mod twscrape;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use penname_corpus::collect::fetch::{Clock, Order, Outcome, Secrets, fetch};
use penname_corpus::collect::{Places, collect};
use penname_corpus::{Document, Error, Settings};
use penname_ledger::event::{Recorder, Silent};
use penname_ledger::{Event, Seed, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A clock that moves when somebody sleeps, and then at once.
#[derive(Default)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    /// Seconds that have passed.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000 + self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as i64, Ordering::Relaxed);
    }
}

/// A place to fetch into, and everything around it.
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

    fn without_keys() -> Self {
        Self { secrets: Secrets::default(), ..Self::new() }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("fetched")
    }

    fn ask(&self, settings: &Settings, again: bool) -> Result<Vec<Outcome>, Error> {
        settings.check().unwrap();
        fetch(&Order {
            settings,
            folder: &self.folder(),
            waits: &self.folder().join("waits.json"),
            secrets: &self.secrets,
            proxy: None,
            clock: &self.clock,
            witness: &self.recorder,
            stop: &self.stop,
            seed: Seed(7),
            again,
        })
    }

    /// Fetches one source; what stopped it, in words.
    fn fetch(&self, settings: &Settings) -> String {
        told(&self.ask(settings, false))
    }

    /// As [`Self::fetch`], for what is new.
    fn again(&self, settings: &Settings) -> String {
        told(&self.ask(settings, true))
    }

    fn seconds(&self) -> f64 {
        self.clock.seconds()
    }

    /// Every page of the source `a` by its name.
    fn pages(&self) -> BTreeMap<String, String> {
        let entries = fs::read_dir(self.folder().join("a/pages")).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        };
        entries.map(read).collect()
    }

    /// What readers make of what was fetched.
    fn documents(&self, settings: &Settings) -> Vec<Document> {
        let (writing, fetched) = (self.dir.path().join("writing"), self.folder());
        let settings = Settings { max_bad_share: 1.0, ..settings.clone() };
        let places = Places { writing: &writing, fetched: Some(&fetched), forgotten: None, asked: None };
        let collected = collect(places, &settings, &Silent).unwrap();
        let held: u64 = collected.documents.iter().map(Document::chars).sum();
        assert_eq!(collected.given + collected.tally.added, held + collected.tally.dropped_chars());
        collected.documents
    }

    /// What was told, in words.
    fn notes(&self) -> Vec<String> {
        let text = |event: Event| match event {
            Event::Note { text } => Some(text),
            Event::Warning { what, hint } => Some(format!("{what} | {hint}")),
            Event::Skipped { stage, reason } => Some(format!("{stage}: {reason}")),
            _ => None,
        };
        self.recorder.events().into_iter().filter_map(text).collect()
    }
}

fn told(outcomes: &Result<Vec<Outcome>, Error>) -> String {
    match outcomes {
        Err(error) => error.to_string(),
        Ok(outcomes) => match outcomes.first() {
            None => "nothing to do".to_owned(),
            Some(Outcome { n_taken, fault: None, .. }) => format!("{n_taken} taken"),
            Some(Outcome { n_taken, fault: Some(fault), .. }) => format!("{n_taken} taken, then {fault}"),
        },
    }
}

/// Settings with one source named `a`.
fn source(mut source: Value) -> Settings {
    source["id"] = json!("a");
    let settings = json!({"sources": [source], "voice": ["*"]});
    serde_json::from_value(settings).unwrap()
}
