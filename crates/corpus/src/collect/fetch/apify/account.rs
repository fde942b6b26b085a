//! The calls to Apify, each as its interface has it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::address::encoded;
use super::super::polite::{Answer, Ask, Polite};
use super::super::{Fault, Secret, Secrets};
use super::Run;

/// Items of one page.
const PAGE: u64 = 1000;
/// Seconds for which the service holds an answer back while a run goes on.
const WATCH: u64 = 60;

/// An account, by its key.
pub(super) struct Account {
    base: String,
    key: Secret,
}

/// Items of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Page {
    /// How many the page stands for; empty ones among them are left out of the text.
    pub(super) count: u64,
    /// The items, one a line.
    pub(super) text: String,
}

/// What there is at a place of a list of items.
pub(super) enum Seen {
    /// Items.
    Page(Page),
    /// None, though there are so many in all.
    Nothing { total: u64 },
}

impl Account {
    /// # Errors
    /// When there is no key.
    pub(super) fn of(secrets: &Secrets, address: &str) -> Result<Self, Fault> {
        let key = secrets.need("APIFY_API_TOKEN")?.clone();
        Ok(Self { base: address.trim_end_matches('/').to_owned(), key })
    }

    /// For messages.
    pub(super) fn host(&self) -> String {
        self.base.clone()
    }

    /// Starts an actor.
    pub(super) fn start(
        &self,
        polite: &mut Polite<'_>,
        actor: &str,
        input: &Value,
        max_items: u64,
        most_usd: f64,
    ) -> Result<Run, Fault> {
        let actor = encoded(&actor.replace('/', "~"));
        let address = format!(
            "{}/acts/{actor}/runs?maxItems={max_items}&maxTotalChargeUsd={most_usd:.4}&waitForFinish=0",
            self.base
        );
        let mut ask = Ask::post(&address, "application/json", input.to_string())?;
        // Started twice is paid twice.
        ask.is_deed = true;
        let answer = polite.send(&self.opened(ask))?;
        self.run(&answer, Run::default())
    }

    /// The newest run of an actor that was started at a moment or later.
    pub(super) fn latest(
        &self,
        polite: &mut Polite<'_>,
        actor: &str,
        since: &str,
    ) -> Result<Option<Run>, Fault> {
        let actor = encoded(&actor.replace('/', "~"));
        let ask = Ask::get(&format!("{}/acts/{actor}/runs?desc=1&limit=10", self.base))?;
        let answer = self.json(&polite.send(&self.opened(ask))?)?;
        let runs = answer["data"]["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        // Moments are spelled so that their order is that of their letters.
        let is_later = |run: &&Value| run["startedAt"].as_str().is_some_and(|at| at >= since);
        Ok(runs.iter().find(is_later).map(|run| filled(run, Run::default())))
    }

    /// Looks how a run is doing.
    pub(super) fn watch(&self, polite: &mut Polite<'_>, run: &mut Run) -> Result<(), Fault> {
        let wait = if run.is_over() { 0 } else { WATCH };
        let ask = Ask::get(&format!("{}/actor-runs/{}?waitForFinish={wait}", self.base, encoded(&run.id)))?;
        let answer = polite.send(&self.opened(ask))?;
        *run = self.run(&answer, run.clone())?;
        Ok(())
    }

    /// Stops a run.
    pub(super) fn abort(&self, polite: &mut Polite<'_>, run: &mut Run) -> Result<(), Fault> {
        let address = format!("{}/actor-runs/{}/abort", self.base, encoded(&run.id));
        let ask = Ask::post(&address, "application/json", "")?;
        let answer = polite.send(&self.opened(ask))?;
        *run = self.run(&answer, run.clone())?;
        Ok(())
    }

    /// The items of a run from one on.
    pub(super) fn items(&self, polite: &mut Polite<'_>, run: &Run, offset: u64) -> Result<Seen, Fault> {
        let ask = Ask::get(&format!(
            "{}/datasets/{}/items?offset={offset}&limit={PAGE}&clean=true&format=jsonl",
            self.base,
            encoded(&run.dataset)
        ))?;
        let answer = polite.send(&self.opened(ask))?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let n_lines = text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
        let number = |name: &str| answer.header(name).and_then(|n| n.trim().parse::<u64>().ok());
        let count = number("x-apify-pagination-count").unwrap_or(n_lines).max(n_lines).min(PAGE);
        match count {
            0 => Ok(Seen::Nothing { total: number("x-apify-pagination-total").unwrap_or(0) }),
            count => Ok(Seen::Page(Page { count, text })),
        }
    }

    fn opened(&self, ask: Ask) -> Ask {
        ask.opened_by(format!("Bearer {}", self.key.open()))
    }

    fn json(&self, answer: &Answer) -> Result<Value, Fault> {
        let bad = |_| Fault::Answer { host: self.host(), found: "no JSON".to_owned(), expected: "JSON" };
        serde_json::from_slice(&answer.body).map_err(bad)
    }

    /// A run as the service describes it, over what is known of it.
    fn run(&self, answer: &Answer, known: Run) -> Result<Run, Fault> {
        let run = filled(&self.json(answer)?["data"], known);
        if run.id.is_empty() || run.dataset.is_empty() {
            let found = "JSON without a run".to_owned();
            return Err(Fault::Answer { host: self.host(), found, expected: "a run" });
        }
        Ok(run)
    }
}

fn filled(data: &Value, known: Run) -> Run {
    let text = |name: &str, known: String| data[name].as_str().map_or(known, str::to_owned);
    Run {
        id: text("id", known.id),
        dataset: text("defaultDatasetId", known.dataset),
        status: text("status", known.status),
        usd: data["usageTotalUsd"]
            .as_f64()
            .filter(|usd| usd.is_finite())
            .map_or(known.usd, |usd| usd.max(known.usd)),
        ..known
    }
}
