//! One request for each passage, several at a time.
//!
//! Who finds that the work is at an end says so to the others: each of them brings the request it has on
//! its way to its end, and takes no more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::books::Standing;
use super::prompt::{Next, Prompt};
use super::row::{Row, Sent, Status};
use super::service::Service;
use super::work::{Request, Work};
use super::{Passage, Stop};
use crate::collect::fetch::Fault;
use crate::collect::fetch::polite::{Polite, Tried};

/// Passages in a row that come to nothing from which it is not they that are at fault.
const BAD_STREAK: u32 = 3;
/// A service that asks to be left alone for a while has not failed: that counts as a part of a try only.
const LIMITED: u32 = 4;

/// What those who ask tell each other.
struct Shared<'w> {
    open: Mutex<VecDeque<&'w Passage>>,
    stop: Mutex<Option<Stop>>,
    is_over: AtomicBool,
    n_done: AtomicUsize,
    /// Passages that came to nothing since something last came.
    streak: AtomicU32,
}

/// Asks about every passage that is open; says why it stopped before its end, if it did.
pub(super) fn run(work: &Work<'_>, service: &Service<'_>, polite: &Polite<'_>) -> Option<Stop> {
    let open = work.open_ones();
    let n_done = work.passages.len() - open.len();
    let shared = Shared {
        open: Mutex::new(open.into()),
        stop: Mutex::new(None),
        is_over: AtomicBool::new(false),
        n_done: AtomicUsize::new(n_done),
        streak: AtomicU32::new(0),
    };
    std::thread::scope(|scope| {
        for _ in 0..work.ask.concurrency {
            scope.spawn(|| shared.work(work, service, polite));
        }
    });
    shared.stop.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Shared<'_> {
    fn work(&self, work: &Work<'_>, service: &Service<'_>, polite: &Polite<'_>) {
        while let Some(passage) = self.take() {
            if let Err(stop) = self.finish(passage, work, service, polite) {
                // The first reason is the one that counts.
                self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&self) -> Option<&Passage> {
        if self.is_over.load(Ordering::Relaxed) {
            return None;
        }
        self.open.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Asks about a passage until it has its questions, or nothing more is to be had.
    fn finish(
        &self,
        passage: &Passage,
        work: &Work<'_>,
        service: &Service<'_>,
        polite: &Polite<'_>,
    ) -> Result<(), Stop> {
        let (mut n_tries, mut trouble) = (0, 0);
        while let Standing::Open(next) = work.standing(passage) {
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            n_tries += 1;
            let Some(fault) = self.once(passage, &next, n_tries, (work, service, polite))? else {
                (n_tries, trouble) = (0, 0);
                self.streak.store(0, Ordering::Relaxed);
                continue;
            };
            let is_gone = matches!(work.standing(passage), Standing::Gone(_));
            trouble += if matches!(fault, Fault::Limited { .. }) { 1 } else { LIMITED };
            if !is_gone && trouble < work.ask.tries.saturating_mul(LIMITED) {
                continue;
            }
            if self.streak.fetch_add(1, Ordering::Relaxed) + 1 >= BAD_STREAK {
                return Err(Stop::Fault(fault));
            }
            return Ok(());
        }
        work.told(self.n_done.fetch_add(1, Ordering::Relaxed) + 1, "asking");
        Ok(())
    }

    /// One request. What came of it is written down before anything else is done with it.
    fn once(
        &self,
        passage: &Passage,
        next: &Next,
        n_tries: u32,
        (work, service, polite): (&Work<'_>, &Service<'_>, &Polite<'_>),
    ) -> Result<Option<Fault>, Stop> {
        let (prompt, reserved_usd) = work.next(passage, next);
        let is_over = || self.is_over.load(Ordering::Relaxed) || work.is_stopped();
        if !work.purse.reserve(reserved_usd, &is_over) {
            return Err(if work.is_stopped() { Stop::Fault(Fault::Interrupted) } else { Stop::Capped });
        }
        let request = Request { task: &passage.task, reserved_usd, batch: None };
        match send(&request, &prompt, n_tries, (work, service, polite)) {
            Ok(came) => came,
            Err(fault) => {
                work.purse.settle(reserved_usd, 0.0);
                Err(Stop::Fault(fault))
            }
        }
    }
}

/// Sends a request and enters what came. The outer error says that nothing was sent, or nothing written.
fn send(
    request: &Request<'_>,
    prompt: &Prompt,
    n_tries: u32,
    (work, service, polite): (&Work<'_>, &Service<'_>, &Polite<'_>),
) -> Result<Result<Option<Fault>, Stop>, Fault> {
    let question = service.request(prompt)?;
    polite.turn(question.address.host())?;
    let Request { task, reserved_usd, .. } = *request;
    work.add(Row::Sent(Sent { at: polite.now(), task: task.to_owned(), reserved_usd }))?;
    let tried = polite.attempt(&question, n_tries);
    let now = polite.now();
    let note = |status, fault: &Fault| work.response(request, now, status, &fault.to_string());
    Ok(match tried {
        Ok(Tried::Good(answer)) => match service.reply(&answer) {
            Ok(reply) => work.enter(request, work.answered(request, now, reply)).map(|()| None),
            Err(found) => {
                let host = question.address.host().to_owned();
                let fault = Fault::Answer { host, found, expected: "a message" };
                work.enter(request, note(Status::Lost, &fault)).map(|()| Some(fault))
            }
        },
        // Who breaks off may have charged for it; who says no has not.
        Ok(Tried::Again(fault, answer)) => {
            let status = if answer.is_some() { Status::Failed } else { Status::Lost };
            work.enter(request, note(status, &fault)).map(|()| Some(fault))
        }
        Ok(Tried::Never(fault, Some(answer))) if matches!(answer.status, 400 | 413 | 422) => {
            work.enter(request, note(Status::Rejected, &fault)).map(|()| Some(fault))
        }
        Ok(Tried::Never(fault, _)) | Err(fault) => {
            work.enter(request, note(Status::Failed, &fault)).and(Err(Stop::Fault(fault)))
        }
    })
}
