//! Services that answer prompts: how each wants to be asked, and how its answers read.
//!
//! They build requests and read answers, and open nothing themselves: every request goes through the
//! polite client of [`crate::collect::fetch`].

pub(super) mod anthropic;
mod openai;

use serde_json::{Value, json};

use super::prompt::Prompt;
use super::row::Usage;
use super::settings::{Ask, Provider};
use crate::collect::fetch::address::Address;
use crate::collect::fetch::polite::{self, Answer};
use crate::collect::fetch::{Fault, Secrets};

/// What a model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its words.
    pub text: String,
    /// Why it ended.
    pub end: End,
    /// Tokens.
    pub usage: Usage,
    /// The service's own name for the request.
    pub request_id: Option<String>,
}

/// Why a model stopped writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had said all.
    Done,
    /// It was allowed no more.
    Limit,
    /// It would not.
    Refusal,
}

/// A service and what opens it.
pub(crate) struct Service<'a> {
    ask: &'a Ask,
    key: Option<String>,
}

impl<'a> Service<'a> {
    /// The service of the settings.
    ///
    /// # Errors
    /// When it needs a key and there is none.
    pub(crate) fn new(ask: &'a Ask, secrets: &Secrets) -> Result<Self, Fault> {
        let key = match ask.provider {
            Some(Provider::Anthropic) => Some(secrets.need("ANTHROPIC_API_KEY")?.open().to_owned()),
            // Services that run here rarely have one; those that need one will say so.
            Some(Provider::Openai) => secrets.get("OPENAI_API_KEY").map(|key| key.open().to_owned()),
            Some(Provider::Local) | None => None,
        };
        Ok(Self { ask, key })
    }

    /// Its host.
    pub(crate) fn host(&self) -> String {
        Address::parse(self.ask.address()).map_or_else(String::new, |address| address.host().to_owned())
    }

    /// The request that asks for an answer to a prompt.
    pub(crate) fn request(&self, prompt: &Prompt) -> Result<polite::Ask, Fault> {
        match self.ask.provider {
            Some(Provider::Anthropic) => self.post("/v1/messages", &anthropic::params(self.ask, prompt)),
            _ => self.post(&openai::path(self.ask.address()), &openai::body(self.ask, prompt)),
        }
    }

    /// A request with a body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<polite::Ask, Fault> {
        let address = self.address(path);
        Ok(self.opened(polite::Ask::post(&address, "application/json", body.to_string())?))
    }

    /// A request without one.
    pub(crate) fn get(&self, path: &str) -> Result<polite::Ask, Fault> {
        Ok(self.opened(polite::Ask::get(&self.address(path))?))
    }

    fn address(&self, path: &str) -> String {
        let base = self.ask.address();
        // Addresses are given with and without the version, and sometimes whole.
        let base = base.strip_suffix("/v1").filter(|_| path.starts_with("/v1")).unwrap_or(base);
        format!("{base}{path}")
    }

    fn opened(&self, request: polite::Ask) -> polite::Ask {
        match (self.ask.provider, &self.key) {
            (Some(Provider::Anthropic), Some(key)) => {
                request.with("anthropic-version", anthropic::VERSION).opened_with("x-api-key", key.clone())
            }
            (_, Some(key)) => request.opened_with("authorization", format!("Bearer {key}")),
            (_, None) => request,
        }
    }

    /// What was answered, or what is wrong with it.
    pub(crate) fn reply(&self, answer: &Answer) -> Result<Reply, String> {
        let value: Value =
            serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
        let (read, id): (fn(&Value) -> Option<Reply>, _) = match self.ask.provider {
            Some(Provider::Anthropic) => (anthropic::reply, "request-id"),
            _ => (openai::reply, "x-request-id"),
        };
        let reply = read(&value).ok_or("JSON that is no message")?;
        let id = answer.header(id).map(str::to_owned);
        Ok(Reply { request_id: id.or(reply.request_id), ..reply })
    }
}

/// The form of an answer.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"questions": {"type": "array", "items": {"type": "string"}}},
        "required": ["questions"],
        "additionalProperties": false,
    })
}

/// A number of tokens.
fn count(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}
