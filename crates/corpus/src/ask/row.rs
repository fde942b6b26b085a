//! The lines of the record: what was sent, what came, what it cost.
//!
//! ```text
//! asked/answers.jsonl      only ever added to
//!
//! {"row": "sent", "at": …, "task": "3f9a…", "reserved_usd": 0.004}
//! {"row": "answer", "at": …, "task": "3f9a…", "status": "answered", "in": 671, "out": 58, "usd": 0.00096, "text": "…"}
//! {"row": "batch", "at": …, "mark": "…", "state": "sent", "id": "msgbatch_…", "tasks": ["3f9a…", …]}
//! {"row": "again", "at": …, "tasks": ["3f9a…"]}
//! ```
//!
//! An answer is one line with its cost in it, and that line is written before anybody looks at the
//! answer: it cannot be lost, and be paid, at the same time. What the lines come to is told in
//! `books`.

use penname_ledger::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{Mode, Provider};

/// The name of the record in the folder of questions.
pub const FILE: &str = "answers.jsonl";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub(crate) enum Row {
    /// A request leaves now. If nothing follows, its answer was never heard and may have been charged.
    Sent(Sent),
    /// What came of a request.
    Answer(Response),
    /// What became of a parcel of requests.
    Batch(Parcel),
    /// What was given up is to be asked for again.
    Again {
        /// When.
        at: Timestamp,
        /// What.
        tasks: Vec<String>,
    },
}

/// A request that leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) task: String,
    pub(crate) reserved_usd: f64,
}

/// What came of a request, good or bad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// When it came.
    pub at: Timestamp,
    /// What was asked.
    pub task: String,
    /// Who was asked.
    pub provider: Provider,
    /// Which model.
    pub model: String,
    /// How.
    pub mode: Mode,
    /// The hash of what was asked for.
    pub prompt: String,
    /// What it could have cost at most.
    pub reserved_usd: f64,
    /// Tokens, as the service counts them.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it cost; at most, where that is not known.
    pub usd: f64,
    /// What came of it.
    pub status: Status,
    /// The service's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The parcel it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// What the model wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    #[serde(rename = "in")]
    pub input: u64,
    /// Written.
    #[serde(rename = "out")]
    pub output: u64,
    /// Read, and read before.
    #[serde(default)]
    pub cache_read: u64,
    /// Read, and kept.
    #[serde(default)]
    pub cache_write: u64,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The model wrote what it had to say. Whether that can be used is another matter.
    Answered,
    /// It had more to say than it was allowed.
    Truncated,
    /// It would not.
    Refused,
    /// The service takes no such request.
    Rejected,
    /// Nothing came, and nothing was charged.
    Failed,
    /// The answer did not arrive, and may have been charged.
    Lost,
    /// It waited in its parcel until it was too late.
    Expired,
    /// Its parcel was called back.
    Canceled,
}

/// A parcel of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) at: Timestamp,
    /// Our own name for it.
    pub(crate) mark: String,
    pub(crate) state: State,
    /// The service's name for it, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<String>,
    #[serde(default)]
    pub(crate) reserved_usd: f64,
    /// What it cost where no answer says so.
    #[serde(default)]
    pub(crate) usd: f64,
}

/// How far a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It leaves now; whether it arrived is not known.
    Sending,
    /// It arrived.
    Sent,
    /// All of its answers are in the record.
    Ended,
    /// It never arrived, or there is nothing to be had of it any more.
    Lost,
}
