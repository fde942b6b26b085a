//! Parcels: many requests in one, answered within a day, in any order, at a lower price.
//!
//! A parcel is written down before it is sent and again when it has arrived. Between the two nobody
//! knows; the service is then asked for its parcels, and ours is the one with our names in it. Answers
//! are entered one by one, each once, however often the list of them is read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use penname_ledger::event::Unit;
use penname_ledger::{Event, Hash};
use serde_json::{Value, json};

use super::books::Standing;
use super::row::{Parcel, Response, Row, State, Status};
use super::service::{Service, anthropic};
use super::work::{Request, Work};
use super::{Passage, Stop};
use crate::collect::fetch::Fault;
use crate::collect::fetch::polite::{Answer, Polite};
use crate::when;

/// Most requests of a parcel; the service takes more, but what is lost with one is lost together.
const MAX_REQUESTS: usize = 5000;
/// How often a parcel is looked after: sooner while it is young.
const LOOK: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Parcels that one passage may be in beyond its tries: a correction takes one, and so does more room.
const MORE_TRIES: u32 = 2;
/// Clocks differ by less, in seconds.
const SKEW_S: i64 = 300;
const PATH: &str = "/v1/messages/batches";

/// Sends what is open, until nothing is; says why it stopped before its end, if it did.
pub(super) fn run(work: &Work<'_>, service: &Service<'_>, polite: &Polite<'_>) -> Option<Stop> {
    Post { work, service, polite }.run().err()
}

/// Brings home what is on its way from an earlier start.
pub(super) fn bring_home(work: &Work<'_>, service: &Service<'_>, polite: &Polite<'_>) -> Result<(), Stop> {
    let post = Post { work, service, polite };
    let on_the_way = work.books(|books| books.on_the_way());
    on_the_way.iter().for_each(|parcel| work.purse.hold(parcel.reserved_usd));
    on_the_way.into_iter().try_for_each(|parcel| post.bring_home(parcel))
}

struct Post<'w, 'a> {
    work: &'w Work<'a>,
    service: &'w Service<'a>,
    polite: &'w Polite<'a>,
}

impl Post<'_, '_> {
    fn run(&self) -> Result<(), Stop> {
        let mut n_sent: BTreeMap<String, u32> = BTreeMap::new();
        let most = self.work.ask.tries.saturating_add(MORE_TRIES);
        loop {
            let is_left = |passage: &&Passage| n_sent.get(&passage.task).is_none_or(|n| *n < most);
            let open = self.work.open_ones();
            self.work.told(self.work.passages.len() - open.len(), "asking in parcels");
            let open: Vec<&Passage> = open.into_iter().filter(is_left).collect();
            if open.is_empty() {
                return Ok(());
            }
            let parcel = self.send(&open)?;
            parcel.tasks.iter().for_each(|task| *n_sent.entry(task.clone()).or_default() += 1);
            self.bring_home(parcel)?;
        }
    }

    /// Sends as many as there is money for.
    fn send(&self, open: &[&Passage]) -> Result<Parcel, Stop> {
        let (mut requests, mut tasks, mut reserved_usd) = (Vec::new(), Vec::new(), 0.0);
        for passage in open.iter().take(MAX_REQUESTS) {
            let Standing::Open(next) = self.work.standing(passage) else { continue };
            let (prompt, most_usd) = self.work.next(passage, &next);
            if reserved_usd + most_usd > self.work.purse.left_usd() {
                break;
            }
            reserved_usd += most_usd;
            requests.push(
                json!({"custom_id": passage.task, "params": anthropic::params(self.work.ask, &prompt)}),
            );
            tasks.push(passage.task.clone());
        }
        if tasks.is_empty() {
            return Err(Stop::Capped);
        }
        let at = self.polite.now();
        let mark = Hash::of(format!("{at} {tasks:?}").as_bytes()).key12();
        let mut parcel = Parcel { at, mark, state: State::Sending, id: None, tasks, reserved_usd, usd: 0.0 };
        let question =
            self.service.post(PATH, &json!({ "requests": requests })).map(|question| question.deed())?;
        self.polite.turn(question.address.host())?;
        self.work.purse.hold(reserved_usd);
        self.work.add(Row::Batch(parcel.clone()))?;
        match self.polite.send(&question).and_then(|answer| id_of(&answer)) {
            Ok(id) => {
                (parcel.state, parcel.id) = (State::Sent, Some(id));
                self.note(&parcel, State::Sent, 0.0)?;
                Ok(parcel)
            }
            // Whether it arrived is not known: the next start looks.
            Err(
                fault @ (Fault::Cut { .. }
                | Fault::Server { .. }
                | Fault::Unreachable { .. }
                | Fault::Answer { .. }),
            ) => Err(Stop::Fault(fault)),
            Err(fault) => {
                self.note(&parcel, State::Lost, 0.0)?;
                Err(Stop::Fault(fault))
            }
        }
    }

    /// Writes down how far a parcel is.
    fn note(&self, parcel: &Parcel, state: State, usd: f64) -> Result<(), Fault> {
        let at = self.polite.now();
        self.work.add(Row::Batch(Parcel { at, state, tasks: Vec::new(), usd, ..parcel.clone() }))?;
        if matches!(state, State::Ended | State::Lost) {
            self.work.purse.settle(parcel.reserved_usd, usd);
        }
        Ok(())
    }

    /// Waits for a parcel and enters its answers.
    fn bring_home(&self, mut parcel: Parcel) -> Result<(), Stop> {
        let id = match &parcel.id {
            Some(id) => id.clone(),
            None => {
                let Some(id) = self.look_for(&parcel)? else {
                    return Ok(self.note(&parcel, State::Lost, 0.0)?);
                };
                parcel.id = Some(id.clone());
                self.note(&parcel, State::Sent, 0.0)?;
                id
            }
        };
        let results = self
            .wait(&id, parcel.tasks.len())
            .and_then(|()| self.polite.send(&self.service.get(&format!("{PATH}/{id}/results"))?));
        match results {
            Ok(answer) => self.enter(&parcel, &id, &answer),
            // Answers are kept for a month, and then there are none; they were charged.
            Err(fault @ Fault::Missing { .. }) => {
                let hint = "what it held is asked again by the next start, and charged again";
                self.work.witness.see(&Event::warning(format!("parcel `{id}` is gone: {fault}"), hint));
                Ok(self.note(&parcel, State::Lost, parcel.reserved_usd)?)
            }
            Err(fault) => Err(Stop::Fault(fault)),
        }
    }

    /// Lets time pass until a parcel is done.
    fn wait(&self, id: &str, n_requests: usize) -> Result<(), Fault> {
        let question = self.service.get(&format!("{PATH}/{id}"))?;
        let mut pause = LOOK.0;
        loop {
            let parcel = value(&self.polite.send(&question)?)?;
            if parcel["processing_status"] == "ended" {
                return Ok(());
            }
            let left = parcel["request_counts"]["processing"].as_u64().unwrap_or_default();
            let (what, total) = (format!("waiting for parcel {id}"), n_requests as u64);
            self.work.witness.see(&Event::progress(what, total.saturating_sub(left), total, Unit::Items));
            self.polite.rest(pause)?;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    /// The service's name for a parcel of which it is not known whether it arrived.
    fn look_for(&self, parcel: &Parcel) -> Result<Option<String>, Fault> {
        let list = value(&self.polite.send(&self.service.get(&format!("{PATH}?limit=100"))?)?)?;
        let wanted: BTreeSet<&str> = parcel.tasks.iter().map(String::as_str).collect();
        let from = parcel.at.ms() / 1000 - SKEW_S;
        for found in list["data"].as_array().into_iter().flatten() {
            let Some(id) = found["id"].as_str() else { continue };
            let made = found["created_at"].as_str().and_then(when::parse).unwrap_or(i64::MAX);
            let counts = found["request_counts"].as_object().into_iter().flat_map(|counts| counts.values());
            let n: u64 = counts.filter_map(Value::as_u64).sum();
            let is_known = self.work.books(|books| books.knows_parcel(id));
            if made < from || n != parcel.tasks.len() as u64 || is_known {
                continue;
            }
            self.wait(id, parcel.tasks.len())?;
            let answer = self.polite.send(&self.service.get(&format!("{PATH}/{id}/results"))?)?;
            let is_ours = |line: &Value| line["custom_id"].as_str().is_some_and(|name| wanted.contains(name));
            if lines(&answer).iter().any(is_ours) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    /// Enters the answers of a parcel that are not in the record.
    fn enter(&self, parcel: &Parcel, id: &str, answer: &Answer) -> Result<(), Stop> {
        let each_usd = parcel.reserved_usd / parcel.tasks.len().max(1) as f64;
        let has = |task: &str| self.work.books(|books| books.has_answer(task, id));
        for line in lines(answer) {
            let Some(task) = line["custom_id"].as_str() else { continue };
            if !parcel.tasks.iter().any(|own| own == task) || has(task) {
                continue;
            }
            let request = Request { task, reserved_usd: each_usd, batch: Some(id) };
            let response = self.read(&request, &line["result"]);
            self.came(response)?;
        }
        for task in parcel.tasks.iter().filter(|task| !has(task)) {
            let request = Request { task, reserved_usd: each_usd, batch: Some(id) };
            let said = "its parcel has no answer to it";
            self.came(self.work.response(&request, self.polite.now(), Status::Lost, said))?;
        }
        Ok(self.note(parcel, State::Ended, 0.0)?)
    }

    /// One answer: written down, and charged.
    fn came(&self, response: Response) -> Result<(), Stop> {
        let usd = response.usd;
        self.work.add(Row::Answer(response))?;
        self.work.purse.charge(usd);
        Ok(())
    }

    fn read(&self, request: &Request<'_>, result: &Value) -> Response {
        let now = self.polite.now();
        let note = |status, said: &str| self.work.response(request, now, status, said);
        match result["type"].as_str() {
            Some("succeeded") => match anthropic::reply(&result["message"]) {
                Some(reply) => self.work.answered(request, now, reply),
                None => note(Status::Lost, "its answer is no message"),
            },
            Some("errored") => {
                let error = &result["error"]["error"];
                let said = error["message"].as_str().unwrap_or("an error without words");
                let is_final = error["type"] == "invalid_request_error";
                note(if is_final { Status::Rejected } else { Status::Failed }, said)
            }
            Some("canceled") => note(Status::Canceled, "its parcel was called back"),
            Some("expired") => note(Status::Expired, "its parcel was not done within a day"),
            _ => note(Status::Lost, "its answer is of no known kind"),
        }
    }
}

fn id_of(answer: &Answer) -> Result<String, Fault> {
    let id = value(answer)?["id"].as_str().map(str::to_owned);
    // A name that could not stand in an address is none.
    id.filter(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)))
        .ok_or_else(|| strange(answer, "no name for the parcel"))
}

fn value(answer: &Answer) -> Result<Value, Fault> {
    serde_json::from_slice(&answer.body).map_err(|error| strange(answer, &format!("no JSON ({error})")))
}

fn strange(answer: &Answer, found: &str) -> Fault {
    Fault::Answer { host: answer.address.host().to_owned(), found: found.to_owned(), expected: "a parcel" }
}

/// The lines that are JSON.
fn lines(answer: &Answer) -> Vec<Value> {
    let each = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    each.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
