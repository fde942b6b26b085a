//! What a person sees, and what a program reads.
//!
//! Data goes to stdout, talk to stderr. With `--json` stdout holds one JSON object a line, each with
//! its `event`: those of the libraries as they are, then `result` and `error`; stderr is left to
//! errors. Progress bars only on a terminal; elsewhere a line now and then.

mod bars;
pub(crate) mod number;
pub(crate) mod paint;
pub(crate) mod paper;
mod spark;
mod sparse;
mod stream;
pub(crate) mod table;
mod talk;
mod width;
pub(crate) mod wrap;

use std::io::{self, IsTerminal};

use penname_ledger::event::{Event, Witness};
use serde::Serialize;
use serde_json::json;

pub(crate) use paint::{Ink, Paint};
pub(crate) use spark::spark;
pub(crate) use table::{Align, Table};
use talk::Talk;
pub(crate) use wrap::harmless;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Everything, in words.
    Words,
    /// Warnings, gates that do not hold, and errors.
    Quiet,
    /// JSON on stdout.
    Json,
}

/// The one witness that draws.
#[derive(Debug)]
pub(crate) struct Screen {
    voice: Voice,
    data: Paint,
    columns: usize,
    talk: Talk,
    stdout: stream::Data,
}

impl Screen {
    /// A screen on this process's streams.
    pub(crate) fn new(voice: Voice, no_color: bool) -> Self {
        let has_bars = io::stderr().is_terminal() && voice == Voice::Words;
        Self {
            voice,
            data: Paint::of(&io::stdout(), no_color),
            columns: width::of(&io::stdout()),
            talk: Talk::new(Paint::of(&io::stderr(), no_color), width::of(&io::stderr()), has_bars),
            stdout: stream::Data::default(),
        }
    }

    /// Colour of data.
    pub(crate) fn paint(&self) -> Paint {
        self.data
    }

    /// Columns a line of data may have; as many as it likes where it goes to no terminal.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Whether stdout is read by a program that expects JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.voice == Voice::Json
    }

    /// Writes data: with `--json` the value as one line, otherwise the text, as it is.
    pub(crate) fn result(&self, of: &str, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.is_json() {
            return self.object(&json!({ "event": "result", "of": of, "value": value }));
        }
        let mut text = text();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.piece(&text);
    }

    /// Writes a piece of data as it arrives, such as the next words of a reply; nothing with `--json`,
    /// where the whole follows as a result.
    pub(crate) fn piece(&self, text: &str) {
        if !self.is_json() {
            self.talk.aside(|| self.stdout.write(text));
        }
    }

    /// Says something in passing; nothing when quiet.
    pub(crate) fn note(&self, text: &str) {
        self.see(&Event::note(text));
    }

    /// Says why the work ended. Never silenced.
    pub(crate) fn error(&self, report: &crate::failure::Report) {
        self.talk.clear();
        if self.is_json() {
            self.object(&json!(report));
        }
        self.talk.error(report);
    }

    /// The last word: bars are gone, and what could not be written to stdout is an error.
    ///
    /// # Errors
    /// The first refusal of stdout.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.talk.clear();
        self.stdout.finish()
    }

    fn object(&self, value: &serde_json::Value) {
        self.stdout.write(&format!("{value}\n"));
    }
}

impl Witness for Screen {
    fn see(&self, event: &Event) {
        match self.voice {
            Voice::Json => self.object(&json!(event)),
            Voice::Quiet => self.talk.insist(event),
            Voice::Words => self.talk.tell(event),
        }
    }
}

/// Says something from where no screen can be reached: a signal, a panic.
pub(crate) fn aside(text: &str) {
    stream::talk(&format!("{}\n", harmless(text)));
}
