//! What a person may decide about generated questions, with the defaults.

use penname_ledger::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::price::Price;
use super::prompt;
use crate::Error;
use crate::collect::fetch::address::Address;
use crate::document::{Body, Document, Kind};
use crate::rights::Grant;

/// Who writes the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Anthropic's own service.
    Anthropic,
    /// Any service that speaks as OpenAI's does, on this machine or elsewhere.
    Openai,
    /// The project's own base model, on this machine, without any connection.
    Local,
}

impl Provider {
    /// Its name, in settings and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::Local => "local",
        }
    }

    /// Where it is, unless the settings say.
    fn address(self) -> &'static str {
        match self {
            Self::Anthropic => "https://api.anthropic.com",
            Self::Openai => "https://api.openai.com",
            Self::Local => "",
        }
    }
}

/// How a service is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One request for each passage, answered at once.
    #[default]
    Each,
    /// Many in one parcel, answered within a day, at half the price. Anthropic only.
    Batch,
}

impl Mode {
    /// Its name, in settings and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Batch => "batch",
        }
    }
}

/// How an answer is held to its form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// By a JSON schema, which the service enforces.
    #[default]
    Schema,
    /// By the promise of some JSON.
    Object,
    /// By words alone, for services that know neither.
    Text,
}

/// What becomes of a passage for which there is no question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Without {
    /// It is left out, and the account says so.
    #[default]
    Drop,
    /// It stands alone: the model learns to write it from its first word.
    Complete,
}

/// How questions for passages are come by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Who writes them. Default: nobody, and then passages are asked for by what is in the writing.
    pub provider: Option<Provider>,
    /// The model, as its service calls it. Default: none, which a service refuses; our own model is
    /// named by the program.
    pub model: Option<String>,
    /// Where the service is. Default: its own address.
    pub address: Option<String>,
    /// How it is asked. Default: each.
    pub mode: Mode,
    /// Questions for each passage, 1 to 20. Default: 2.
    pub questions: usize,
    /// Whether posts get questions too, instead of being asked for by their titles. Default: no.
    pub posts: bool,
    /// What is asked for, in other words than our own; `{n}` is the number. Default: our own.
    pub prompt: Option<String>,
    /// How answers are held to their form. Default: schema.
    pub form: Form,
    /// How freely words are chosen, 0 to 2. Default: as the service does.
    pub temperature: Option<f64>,
    /// Tokens of an answer at most; one that is cut off is asked for again with twice as many, once.
    /// Default: 1024.
    pub max_tokens: u64,
    /// Requests at a time, 1 to 64. Default: 4.
    pub concurrency: usize,
    /// How often a request is made in a row without an answer. Default: 3.
    pub tries: u32,
    /// What all of it may cost, in US dollars, from the first request on. Default: 5.
    pub budget_usd: f64,
    /// Whether a model may be asked whose price is not known. Default: no.
    pub allow_unpriced: bool,
    /// Prices that go before those of the list. Default: none.
    pub prices: Vec<Price>,
    /// Share of the passages that may be without questions, 0 to 1. Default: 0.
    pub accept_missing: f64,
    /// What becomes of those. Default: drop.
    pub without: Without,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            provider: None,
            model: None,
            address: None,
            mode: Mode::Each,
            questions: 2,
            posts: false,
            prompt: None,
            form: Form::Schema,
            temperature: None,
            max_tokens: 1024,
            concurrency: 4,
            tries: 3,
            budget_usd: 5.0,
            allow_unpriced: false,
            prices: Vec::new(),
            accept_missing: 0.0,
            without: Without::Drop,
        }
    }
}

impl Ask {
    /// Whether passages of this document get questions. What may not be learned from is shown to nobody.
    pub(crate) fn takes(&self, document: &Document) -> bool {
        let is_wanted = match document.kind {
            Kind::Text => true,
            Kind::Post => self.posts,
            Kind::Dialogue => false,
        };
        let is_allowed = document.rights.train != Grant::No;
        self.provider.is_some() && is_wanted && is_allowed && matches!(document.body, Body::Text(_))
    }

    /// The model, or an empty name.
    pub(crate) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Where the service is; empty where there is none.
    pub(crate) fn address(&self) -> &str {
        let own = || self.provider.map_or("", Provider::address);
        self.address.as_deref().unwrap_or_else(own).trim().trim_end_matches('/')
    }

    /// The name of what is asked about a passage: whoever asks the same is given what was answered
    /// before. Through which service is not part of it.
    pub(crate) fn task(&self, passage: &str) -> String {
        let (prompt, n) = (self.prompt_hash(), self.questions.to_string());
        let parts = ["ask", passage, &prompt, self.model(), &n];
        let mut task = Hash::of_parts(parts.map(str::as_bytes)).to_string();
        task.truncate(40);
        task
    }

    /// The hash of what is asked for.
    pub(crate) fn prompt_hash(&self) -> String {
        let text = prompt::wanted(self);
        Hash::of_parts([b"prompt".as_slice(), text.as_bytes(), prompt::FRAME.as_bytes()]).key12()
    }

    /// What of it decides the examples, for the key of a corpus; nothing where nobody asks.
    pub(crate) fn order(&self) -> Option<Value> {
        self.provider?;
        Some(serde_json::json!({
            "model": self.model(),
            "questions": self.questions,
            "posts": self.posts,
            "prompt": self.prompt_hash(),
            "accept_missing": self.accept_missing,
            "without": self.without,
        }))
    }

    /// Refuses values that make no sense.
    ///
    /// # Errors
    /// [`Error::Ask`] says what is wrong.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: &str| Err(Error::Ask { why: why.to_owned() });
        // Written so that NaN is refused too.
        let is_within = |x: f64, most: f64| x >= 0.0 && x <= most;
        let Some(provider) = self.provider else { return Ok(()) };
        match provider {
            Provider::Local => {}
            _ if self.model().trim().is_empty() => return wrong("`corpus.ask.model` names no model"),
            _ if Address::parse(self.address()).is_none() => {
                return wrong("`corpus.ask.address` is no web address");
            }
            _ => {}
        }
        if self.mode == Mode::Batch && provider != Provider::Anthropic {
            return wrong("`corpus.ask.mode: batch` needs `corpus.ask.provider: anthropic`");
        }
        if !(1..=20).contains(&self.questions) || !(1..=64).contains(&self.concurrency) || self.tries == 0 {
            return wrong("`questions` is not 1 to 20, `concurrency` not 1 to 64, or `tries` is 0");
        }
        if !(16..=1_000_000).contains(&self.max_tokens) {
            return wrong("`corpus.ask.max_tokens` is not 16 to 1000000");
        }
        if !is_within(self.budget_usd, 1e6) || !is_within(self.accept_missing, 1.0) {
            return wrong("`budget_usd` is not 0 to 1000000, or `accept_missing` not 0 to 1");
        }
        if !is_within(self.temperature.unwrap_or(0.0), 2.0) {
            return wrong("`corpus.ask.temperature` is not 0 to 2");
        }
        if let Some(price) = self.prices.iter().find(|price| !price.is_sound()) {
            return wrong(&format!("the price of `{}` is not made of numbers from 0", price.model));
        }
        Ok(())
    }
}
