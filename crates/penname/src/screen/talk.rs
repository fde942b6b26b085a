//! Events in words, on stderr.

use std::sync::{Mutex, PoisonError};

use penname_ledger::event::Event;

use super::bars::{Bars, Step};
use super::number;
use super::paint::{Ink, Paint};
use super::sparse::Sparse;
use super::stream;
use super::wrap::{harmless, wrap};
use crate::failure::Report;

/// Talks to a person.
#[derive(Debug)]
pub(super) struct Talk {
    paint: Paint,
    columns: usize,
    bars: Option<Bars>,
    sparse: Mutex<Sparse>,
}

impl Talk {
    /// Talk in this colour and width, with progress bars or without.
    pub(super) fn new(paint: Paint, columns: usize, has_bars: bool) -> Self {
        Self { paint, columns, bars: has_bars.then(Bars::default), sparse: Mutex::default() }
    }

    /// Everything.
    pub(super) fn tell(&self, event: &Event) {
        // A stage that ends takes with it what was under way, whether or not that was counted out.
        if matches!(event, Event::Started { .. } | Event::Finished { .. } | Event::Skipped { .. }) {
            self.clear();
        }
        match event {
            Event::Started { stage } => self.line(&self.paint.with(Ink::Bold, &harmless(stage))),
            Event::Finished { stage, seconds } => {
                self.say(&format!("{stage}: done in {}", number::duration(*seconds)));
            }
            Event::Skipped { stage, reason } => self.say(&format!("{stage}: already done, {reason}")),
            Event::Choice(choice) => {
                self.say(&format!("{}: {} ({})", choice.what, choice.value, choice.reason));
            }
            Event::Progress { what, done, total, unit, note } => {
                self.progress(Step { what, done: *done, total: *total, unit: *unit, note });
            }
            Event::Gate { name, passed: true, evidence } => {
                self.labelled(Ink::Green, "holds", &format!("{name} ({evidence})"), 0);
            }
            Event::Note { text } => self.say(text),
            // Rows of measurements are in the journal of the run; what a person needs of them comes
            // as the note of a progress.
            Event::Metric { .. } => {}
            _ => self.insist(event),
        }
    }

    /// What is said even when quiet.
    pub(super) fn insist(&self, event: &Event) {
        match event {
            Event::Warning { what, hint } => {
                self.labelled(Ink::Yellow, "warning", what, 0);
                if !hint.is_empty() {
                    self.labelled(Ink::Dim, "hint", hint, 2);
                }
            }
            Event::Gate { name, passed: false, evidence } => {
                self.labelled(Ink::Red, "does not hold", &format!("{name} ({evidence})"), 0);
            }
            _ => {}
        }
    }

    /// Why the work ended.
    pub(super) fn error(&self, report: &Report) {
        self.labelled(Ink::Red, "error", &report.message, 0);
        for cause in &report.causes {
            self.labelled(Ink::Dim, "because", cause, 2);
        }
        for hint in &report.hints {
            self.labelled(Ink::Bold, "hint", hint, 0);
        }
    }

    /// Takes every bar away.
    pub(super) fn clear(&self) {
        self.bars.iter().for_each(Bars::clear);
    }

    /// Does something while no bar is in the way.
    pub(super) fn aside(&self, draw: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.aside(draw),
            None => draw(),
        }
    }

    fn say(&self, text: &str) {
        self.line(&wrap(&harmless(text), self.columns, 2));
    }

    /// `label: text`, wrapped under itself, the label in its ink.
    fn labelled(&self, ink: Ink, label: &str, text: &str, indent: usize) {
        let blank = " ".repeat(indent);
        let text = wrap(&format!("{blank}{label}: {}", harmless(text)), self.columns, indent + 2);
        self.line(&text.replacen(label, &self.paint.with(ink, label), 1));
    }

    fn line(&self, text: &str) {
        self.aside(|| stream::talk(&format!("{text}\n")));
    }

    fn progress(&self, step: Step<'_>) {
        match &self.bars {
            Some(bars) => bars.step(step),
            None => {
                let line = self.sparse.lock().unwrap_or_else(PoisonError::into_inner).step(step);
                line.iter().for_each(|line| self.say(line));
            }
        }
    }
}
