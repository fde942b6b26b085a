//! How libraries tell what they do: one enum, one trait.
//!
//! A library never prints. It hands an [`Event`] to the [`Witness`] it was given; the binary draws
//! it, a test records it, `--json` writes it as it is.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An automatic decision, with its reason; announced as an event and kept in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What was decided: `batch size`.
    pub what: String,
    /// What was chosen, in words: `8 sequences`.
    pub value: String,
    /// Why: `the largest that fits 7.8 GiB`.
    pub reason: String,
}

impl Choice {
    /// A decision and its reason.
    pub fn new(what: impl Into<String>, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.to_string(), reason: reason.into() }
    }
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A stage began.
    Started {
        /// The stage: `prepare`.
        stage: String,
    },
    /// A stage ended well.
    Finished {
        /// The stage.
        stage: String,
        /// Time taken.
        seconds: f64,
    },
    /// A stage had nothing to do, because its output is there already.
    Skipped {
        /// The stage.
        stage: String,
        /// Why: `made from the same inputs by the same version`.
        reason: String,
    },
    /// An automatic decision.
    Choice(Choice),
    /// How far something is.
    Progress {
        /// What is going on: `downloading model.safetensors`.
        what: String,
        /// How much is done, in `unit`.
        done: u64,
        /// How much there is, where it is known.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
        /// Anything worth showing beside it; may be empty.
        note: String,
    },
    /// One row of measurements, as it goes into the journal of the run.
    Metric {
        /// The row.
        row: Value,
    },
    /// Something is not as it should be, and the work goes on.
    Warning {
        /// What was found.
        what: String,
        /// What the reader can do; may be empty.
        hint: String,
    },
    /// A claim was tested.
    Gate {
        /// The claim's name: `weights moved`.
        name: String,
        /// Whether it holds.
        passed: bool,
        /// The numbers it was decided by.
        evidence: String,
    },
    /// Plain information.
    Note {
        /// The text.
        text: String,
    },
}

/// What a progress event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Bytes, to be shown as KiB, MiB and so on.
    Bytes,
    /// Tokens.
    Tokens,
    /// Optimizer steps.
    Steps,
    /// Anything else that can be counted: documents, prompts, files.
    Items,
}

impl Event {
    /// Plain information.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }

    /// Something is not as it should be; `hint` says what can be done, or is empty.
    pub fn warning(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Warning { what: what.into(), hint: hint.into() }
    }

    /// An automatic decision and its reason.
    pub fn choice(what: impl Into<String>, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Choice(Choice::new(what, value, reason))
    }

    /// How far something is.
    pub fn progress(what: impl Into<String>, done: u64, total: impl Into<Option<u64>>, unit: Unit) -> Self {
        Self::Progress { what: what.into(), done, total: total.into(), unit, note: String::new() }
    }

    /// A claim was tested.
    pub fn gate(name: impl Into<String>, passed: bool, evidence: impl Into<String>) -> Self {
        Self::Gate { name: name.into(), passed, evidence: evidence.into() }
    }
}

/// Whoever is told. Called from any thread, often, and not expected to block.
pub trait Witness: Sync {
    /// Takes note of an event.
    fn see(&self, event: &Event);
}

/// A witness that keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Witness for Silent {
    fn see(&self, _event: &Event) {}
}

/// A witness that keeps everything, for tests and for reports.
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<Vec<Event>>,
}

impl Recorder {
    /// What has been seen so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// The decisions seen so far, for the manifest.
    pub fn choices(&self) -> Vec<Choice> {
        let choice = |event: &Event| match event {
            Event::Choice(choice) => Some(choice.clone()),
            _ => None,
        };
        self.lock().iter().filter_map(choice).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        // A witness that panicked elsewhere has still seen what it has seen.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Recorder {
    fn see(&self, event: &Event) {
        self.lock().push(event.clone());
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_event_is_one_flat_json_object() {
        let events = [
            Event::Started { stage: "prepare".into() },
            Event::Finished { stage: "prepare".into(), seconds: 1.5 },
            Event::choice("batch size", 8, "the largest that fits"),
            Event::progress("download", 5, 10, Unit::Bytes),
            Event::Metric { row: json!({"step": 1, "loss_nats": 2.5}) },
            Event::warning("12 empty posts", ""),
            Event::gate("weights moved", true, "largest change 0.013"),
            Event::note("hello"),
        ];
        let lines: Vec<String> = events.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
        for (line, event) in lines.iter().zip(&events) {
            assert_eq!(&serde_json::from_str::<Event>(line).unwrap(), event);
        }
        expect![[r#"
            {"event":"started","stage":"prepare"}
            {"event":"finished","stage":"prepare","seconds":1.5}
            {"event":"choice","what":"batch size","value":"8","reason":"the largest that fits"}
            {"event":"progress","what":"download","done":5,"total":10,"unit":"bytes","note":""}
            {"event":"metric","row":{"step":1,"loss_nats":2.5}}
            {"event":"warning","what":"12 empty posts","hint":""}
            {"event":"gate","name":"weights moved","passed":true,"evidence":"largest change 0.013"}
            {"event":"note","text":"hello"}"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn the_recorder_keeps_order_and_finds_choices() {
        let recorder = Recorder::default();
        let witness: &dyn Witness = &recorder;
        witness.see(&Event::note("a"));
        witness.see(&Event::choice("x", 1, "because"));
        assert_eq!(recorder.events().len(), 2);
        assert_eq!(recorder.choices(), [Choice::new("x", 1, "because")]);
    }
}
