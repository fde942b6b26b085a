//! A model of our own, which is given several prompts at a time. It costs nothing but time, and nothing
//! leaves the machine.

use penname_ledger::clock;

use super::books::Standing;
use super::prompt::Prompt;
use super::row::{Row, Status};
use super::service::Reply;
use super::work::{Request, Work};
use super::{Passage, Stop};
use crate::collect::fetch::Fault;

/// One who answers prompts: the program has a model, this crate has none.
pub trait Respondent {
    /// Answers each of the prompts, or says why it cannot.
    ///
    /// # Errors
    /// When it cannot answer at all.
    fn answer(&mut self, prompts: &[Prompt]) -> Result<Vec<Result<Reply, String>>, String>;
}

/// Asks about every passage that is open; says why it stopped before its end, if it did.
pub(super) fn run(work: &Work<'_>, respondent: &mut dyn Respondent) -> Option<Stop> {
    loop {
        let open = work.open_ones();
        let mut n_done = work.passages.len() - open.len();
        work.told(n_done, "asking");
        if open.is_empty() {
            return None;
        }
        for some in open.chunks(work.ask.concurrency) {
            if work.is_stopped() {
                return Some(Stop::Fault(Fault::Interrupted));
            }
            if let Err(stop) = answer(work, some, respondent) {
                return Some(stop);
            }
            let is_open = |passage: &&&Passage| matches!(work.standing(passage), Standing::Open(_));
            n_done += some.len() - some.iter().filter(is_open).count();
            work.told(n_done, "asking");
        }
    }
}

fn answer(work: &Work<'_>, some: &[&Passage], respondent: &mut dyn Respondent) -> Result<(), Stop> {
    let (mut tasks, mut prompts) = (Vec::new(), Vec::new());
    for passage in some {
        if let Standing::Open(next) = work.standing(passage) {
            tasks.push(passage.task.as_str());
            prompts.push(work.next(passage, &next).0);
        }
    }
    let failed = |why| Stop::Fault(Fault::Program { program: work.ask.model().to_owned(), why });
    let replies = respondent.answer(&prompts).map_err(failed)?;
    if replies.len() < tasks.len() {
        return Err(failed(format!("answers {} of {} prompts", replies.len(), tasks.len())));
    }
    // What was broken off is no answer.
    if work.is_stopped() {
        return Err(Stop::Fault(Fault::Interrupted));
    }
    for (task, reply) in tasks.iter().zip(replies) {
        let request = Request { task, reserved_usd: 0.0, batch: None };
        let response = match reply {
            Ok(reply) => work.answered(&request, clock::now(), reply),
            Err(why) => work.response(&request, clock::now(), Status::Rejected, &why),
        };
        work.add(Row::Answer(response))?;
    }
    Ok(())
}
