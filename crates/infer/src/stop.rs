//! When an answer is over.

use std::sync::atomic::{AtomicBool, Ordering};

/// What ends every answer of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stop<'a> {
    /// Ids that end an answer: the end of the text, the end of the turn.
    pub end_ids: &'a [u32],
    /// Set by someone else, such as the handler of Ctrl-C; looked at before every run.
    pub cancelled: Option<&'a AtomicBool>,
}

impl Stop<'_> {
    /// Whether everything is to end now.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// What whoever receives an id says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// That was enough: the text has come to a stop string.
    Stop,
    /// Nobody is listening to this answer any more.
    Cancel,
}

/// Why an answer is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finish {
    /// The model ended it.
    End {
        /// With this id, which is not among the ids of the answer.
        id: u32,
        /// Natural logarithm of its probability.
        log_prob: f32,
    },
    /// The receiver said [`Control::Stop`].
    Stop,
    /// As many ids as were asked for, or as the context holds.
    Length,
    /// The receiver said [`Control::Cancel`], or everything was cancelled.
    Cancelled,
}

impl Finish {
    /// The name in reports: `end`, `stop`, `length` or `cancelled`.
    pub fn name(self) -> &'static str {
        match self {
            Self::End { .. } => "end",
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
        }
    }
}
