//! One sitting of asking: what is to be asked, by whom, with what money, and the record of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use penname_ledger::event::Unit;
use penname_ledger::journal::Journal;
use penname_ledger::{Event, Timestamp, Witness, clock};

use super::books::{Books, Standing};
use super::estimate::most_usd;
use super::price::Price;
use super::prompt::{Next, Prompt, prompt};
use super::purse::Purse;
use super::row::{FILE, Response, Row, Status, Usage};
use super::service::{End, Reply};
use super::settings::{Ask, Mode, Provider};
use super::{Passage, Stop};
use crate::Error;
use crate::collect::fetch::Fault;

/// What all who ask share.
pub(crate) struct Work<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) provider: Provider,
    pub(crate) price: Price,
    pub(crate) purse: Purse,
    pub(crate) witness: &'a dyn Witness,
    pub(crate) stop: &'a AtomicBool,
    /// The passages, each different one once.
    pub(crate) passages: Vec<&'a Passage>,
    record: Mutex<Record>,
}

/// The record, and what it comes to.
struct Record {
    journal: Journal,
    books: Books,
}

/// A request that money is set aside for.
pub(crate) struct Request<'a> {
    pub(crate) task: &'a str,
    pub(crate) reserved_usd: f64,
    pub(crate) batch: Option<&'a str>,
}

impl<'a> Work<'a> {
    /// Opens the record of a folder.
    pub(crate) fn open(
        folder: &Path,
        (ask, provider, price): (&'a Ask, Provider, Price),
        passages: &'a [Passage],
        (witness, stop): (&'a dyn Witness, &'a AtomicBool),
    ) -> Result<Self, Error> {
        let journal = Journal::open(&folder.join(FILE))?;
        let books = Books::read(folder)?;
        let purse = Purse::new(ask.budget_usd, books.spent_usd().0);
        let mut seen = BTreeSet::new();
        let passages = passages.iter().filter(|passage| seen.insert(&passage.task)).collect();
        let record = Mutex::new(Record { journal, books });
        Ok(Self { ask, provider, price, purse, witness, stop, passages, record })
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what the record comes to.
    pub(crate) fn books<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.record().books)
    }

    /// Adds a line. What was paid for is on the disk when this returns.
    pub(crate) fn add(&self, row: Row) -> Result<(), Fault> {
        let mut record = self.record();
        record.journal.append(&row)?;
        if !matches!(row, Row::Sent(_)) {
            record.journal.sync()?;
        }
        record.books.take(row);
        Ok(())
    }

    /// Where a passage stands.
    pub(crate) fn standing(&self, passage: &Passage) -> Standing {
        self.books(|books| books.standing(self.ask, &passage.text, &passage.task))
    }

    /// The passages that are to be asked about.
    pub(crate) fn open_ones(&self) -> Vec<&'a Passage> {
        let is_open = |passage: &&Passage| matches!(self.standing(passage), Standing::Open(_));
        self.passages.iter().copied().filter(|passage| is_open(passage)).collect()
    }

    /// Forgets why passages were given up.
    pub(crate) fn ask_again(&self) -> Result<(), Fault> {
        let is_gone = |passage: &&&Passage| matches!(self.standing(passage), Standing::Gone(_));
        let tasks: Vec<String> = self.passages.iter().filter(is_gone).map(|one| one.task.clone()).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        self.add(Row::Again { at: clock::now(), tasks })
    }

    /// What is asked next about a passage, and what that costs at most.
    pub(crate) fn next(&self, passage: &Passage, next: &Next) -> (Prompt, f64) {
        let prompt = prompt(self.ask, &passage.text, next);
        let most = most_usd(&prompt, &self.price, self.ask.mode);
        (prompt, most)
    }

    /// Whether somebody wants it to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A line about a request of which nothing is known but how it ended.
    pub(crate) fn response(
        &self,
        request: &Request<'_>,
        at: Timestamp,
        status: Status,
        said: &str,
    ) -> Response {
        let usd = if status == Status::Lost { request.reserved_usd } else { 0.0 };
        Response {
            at,
            task: request.task.to_owned(),
            provider: self.provider,
            model: self.ask.model().to_owned(),
            mode: if request.batch.is_some() { Mode::Batch } else { Mode::Each },
            prompt: self.ask.prompt_hash(),
            reserved_usd: request.reserved_usd,
            usage: Usage::default(),
            usd,
            status,
            request_id: None,
            batch: request.batch.map(str::to_owned),
            text: String::new(),
            said: said.to_owned(),
        }
    }

    /// The line about an answer.
    pub(crate) fn answered(&self, request: &Request<'_>, at: Timestamp, reply: Reply) -> Response {
        let (status, said) = match reply.end {
            End::Done => (Status::Answered, String::new()),
            End::Limit => (Status::Truncated, String::new()),
            End::Refusal => (Status::Refused, reply.text.chars().take(200).collect()),
        };
        let mut response = self.response(request, at, status, &said);
        response.usd = self.price.of(&reply.usage, response.mode);
        response.usage = reply.usage;
        response.request_id = reply.request_id;
        response.text = reply.text;
        response
    }

    /// Writes a line down, then gives back what was set aside for it.
    pub(crate) fn enter(&self, request: &Request<'_>, response: Response) -> Result<(), Stop> {
        let usd = response.usd;
        let written = self.add(Row::Answer(response));
        self.purse.settle(request.reserved_usd, usd);
        Ok(written?)
    }

    /// Tells how far it is.
    pub(crate) fn told(&self, n_done: usize, what: &str) {
        let spent = self.purse.spent_usd();
        self.witness.see(&Event::Progress {
            what: what.to_owned(),
            done: n_done as u64,
            total: Some(self.passages.len() as u64),
            unit: Unit::Items,
            note: format!("{spent:.4} of {:.2} USD", self.ask.budget_usd),
        });
    }
}
