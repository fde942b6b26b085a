//! Who said what, and which of it is to be learned.
//!
//! A [`Message`] is one turn. An [`Example`] is a conversation with its
//! provenance: the unit that is split, rendered, packed and counted. Nothing
//! here knows a tokenizer or a template; see [`crate::render`] for that step.

use serde::{Deserialize, Serialize};

use crate::rights::Rights;

/// The speaker of a turn, as chat templates name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that stand before the conversation.
    System,
    /// The person who asks.
    User,
    /// The voice that answers: the only role that is trained by default.
    Assistant,
}

impl Role {
    /// The name chat templates and files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, exactly as it will be rendered.
    pub content: String,
    /// Whether this turn is part of the loss. `None` means the default of its
    /// role: assistant turns are trained, all others are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
}

impl Message {
    /// A turn with the default loss of its role.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), train: None }
    }

    /// Whether this turn's tokens carry loss.
    pub fn is_trained(&self) -> bool {
        self.train.unwrap_or(self.role == Role::Assistant)
    }
}

/// A conversation worth learning, with where it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Stable name: the hash of the messages and the document they came from.
    pub id: String,
    /// The document this was made from; whole documents are trained or held out, never halves.
    pub document: String,
    /// The turns, in order.
    pub messages: Vec<Message>,
    /// The narrowest rights of all that is in it.
    #[serde(default)]
    pub rights: Rights,
    /// Where its question comes from, if a model wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// Where a question comes from that no person asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The service, or `local`.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The hash of what was asked for.
    pub prompt: String,
    /// The name of the task in the record of questions.
    pub task: String,
}

impl Example {
    /// The words that are trained, turn by turn.
    pub fn learned(&self) -> Vec<&str> {
        self.messages.iter().filter(|m| m.is_trained()).map(|m| m.content.as_str()).collect()
    }

    /// Characters of the turns that are trained, the unit of the ledger of characters.
    pub fn trained_chars(&self) -> usize {
        self.learned().iter().map(|words| words.chars().count()).sum()
    }
}
