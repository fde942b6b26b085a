//! What the record comes to: for each task what is known, and what all of it has cost.
//!
//! Nothing here is kept but the lines themselves. Whether an answer can be used is judged whenever it is
//! looked at, so a better judge needs no new answer.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::journal;

use super::judge::judge;
use super::prompt::Next;
use super::row::{FILE, Parcel, Response, Row, State, Status};
use super::settings::Ask;
use crate::Error;

/// Answers that cannot be used, or are cut off, after which a task is given up.
const GIVEN_UP_AT: usize = 2;

/// What the record comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    /// What came of each task, in order.
    responses: BTreeMap<String, Vec<Response>>,
    /// Requests that left and of which nothing was heard, with what they may have cost.
    unheard: BTreeMap<String, f64>,
    /// Parcels by our own names.
    parcels: BTreeMap<String, Parcel>,
    /// Charged, by answers or for want of them.
    spent_usd: f64,
    /// The part of it that may not have been charged.
    unsure_usd: f64,
    /// Lines that could not be read.
    pub(crate) n_unreadable: usize,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is to be asked, or asked again, like this.
    Open(Next),
    /// These are its questions.
    Done(Vec<String>),
    /// There will be none, for this reason.
    Gone(Reason),
}

/// Why there are no questions for a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Under which it is counted.
    pub(crate) name: &'static str,
    /// What was said; may be empty.
    pub(crate) said: String,
}

impl Books {
    /// Reads the record of a folder; a folder without one has an empty one.
    ///
    /// # Errors
    /// When it is there and cannot be read. A bad line is counted and passed over.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let (path, mut books) = (folder.join(FILE), Self::default());
        if !path.exists() {
            return Ok(books);
        }
        for row in journal::read::<Row>(&path)? {
            match row {
                Ok(row) => books.take(row),
                Err(_) => books.n_unreadable += 1,
            }
        }
        Ok(books)
    }

    /// Enters a line.
    pub(crate) fn take(&mut self, row: Row) {
        match row {
            Row::Sent(sent) => {
                if let Some(before) = self.unheard.insert(sent.task, sent.reserved_usd) {
                    self.charge(before, true);
                }
            }
            Row::Answer(response) => {
                self.unheard.remove(&response.task);
                self.charge(response.usd, response.status == Status::Lost);
                self.responses.entry(response.task.clone()).or_default().push(response);
            }
            Row::Batch(row) => {
                self.charge(row.usd, true);
                let parcel = self.parcels.entry(row.mark.clone()).or_insert_with(|| row.clone());
                parcel.state = row.state;
                parcel.id = row.id.or(parcel.id.take());
            }
            Row::Again { tasks, .. } => tasks.iter().for_each(|task| {
                self.responses.remove(task);
            }),
        }
    }

    fn charge(&mut self, usd: f64, is_unsure: bool) {
        self.spent_usd += usd;
        if is_unsure {
            self.unsure_usd += usd;
        }
    }

    /// What was charged, and the part of it that may not have been. A request of which nothing was heard
    /// is taken to have cost all it could.
    pub(crate) fn spent_usd(&self) -> (f64, f64) {
        let unheard: f64 = self.unheard.values().sum();
        (self.spent_usd + unheard, self.unsure_usd + unheard)
    }

    /// Where what is asked about a passage stands.
    pub(crate) fn standing(&self, ask: &Ask, passage: &str, task: &str) -> Standing {
        let (mut next, mut n_cut, mut n_flawed) = (Next::default(), 0, 0);
        let gone = |name, said: &str| Standing::Gone(Reason { name, said: said.to_owned() });
        for response in self.responses.get(task).into_iter().flatten() {
            match response.status {
                Status::Answered => match judge(&response.text, passage, ask.questions) {
                    Ok(questions) => return Standing::Done(questions),
                    Err(flaw) => {
                        n_flawed += 1;
                        if n_flawed >= GIVEN_UP_AT {
                            return gone(flaw.name(), &flaw.to_string());
                        }
                        next.correction = Some((response.text.clone(), flaw));
                    }
                },
                Status::Truncated => {
                    n_cut += 1;
                    if n_cut >= GIVEN_UP_AT {
                        return gone("truncated", "cut off twice");
                    }
                    next.is_longer = true;
                }
                Status::Refused => return gone("refused", &response.said),
                Status::Rejected => return gone("rejected", &response.said),
                Status::Failed | Status::Lost | Status::Expired | Status::Canceled => {}
            }
        }
        Standing::Open(next)
    }

    /// The last answer to a task, which says who gave it.
    pub(crate) fn last(&self, task: &str) -> Option<&Response> {
        let answers = self.responses.get(task)?.iter().rev();
        answers.into_iter().find(|response| response.status == Status::Answered)
    }

    /// What went wrong last, where nothing came.
    pub(crate) fn trouble(&self, task: &str) -> Option<&Response> {
        self.responses.get(task)?.last()
    }

    /// Whether an answer of a parcel is in the record.
    pub(crate) fn has_answer(&self, task: &str, batch: &str) -> bool {
        let mut responses = self.responses.get(task).into_iter().flatten();
        responses.any(|response| response.batch.as_deref() == Some(batch))
    }

    /// Parcels that are on their way, oldest first.
    pub(crate) fn on_the_way(&self) -> Vec<Parcel> {
        let mut found: Vec<Parcel> =
            self.parcels.values().filter(|parcel| parcel.is_open()).cloned().collect();
        found.sort_by_key(|parcel| parcel.at);
        found
    }

    /// The service's names of all parcels.
    pub(crate) fn knows_parcel(&self, id: &str) -> bool {
        self.parcels.values().any(|parcel| parcel.id.as_deref() == Some(id))
    }

    /// Every answer that may be of use, as text that changes when one of them does.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.responses.iter().flat_map(|(task, all)| all.iter().map(move |one| (task, one)));
        all.map(|(task, response)| (task.as_str(), response.text.as_str()))
    }
}

impl Parcel {
    /// Whether something is still to come of it.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Sending | State::Sent)
    }
}
