//! One worker and its shard.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use penname_ledger::event::Unit as Counted;
use penname_ledger::write::{self, Resumable};
use penname_ledger::{Event, Hash, Lock, Stopwatch, Witness};
use serde::{Deserialize, Serialize};

use super::row::{Row, rows};
use super::{Done, Files, Plan, wrong};
use crate::Error;
use crate::collect::Places;
use crate::collect::piece::{Opened, Unit};
use crate::dedupe::Index;
use crate::validate::Judge;

/// Documents after which, or seconds after which, a checkpoint is written.
const EVERY_DOCUMENTS: usize = 10_000;
const EVERY_SECONDS: f64 = 30.0;
/// Units that each thread reads before they are written.
const EACH: usize = 8;

/// What a worker is to do.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where the writing lies.
    pub places: Places<'a>,
    /// The folder of all shards.
    pub folder: &'a Path,
    /// Which of them.
    pub shard: usize,
    /// Threads.
    pub jobs: usize,
    /// Whether a worker of another machine that has the shard is known to be dead.
    pub seize: bool,
    /// Set when it should stop.
    pub stop: &'a AtomicBool,
    /// Whom to tell.
    pub witness: &'a dyn Witness,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// The shard is finished.
    Done(Done),
    /// It was finished before.
    Found(Done),
    /// It was stopped; the same call goes on after so many units of so many.
    Partial(usize, usize),
    /// Another worker has it.
    Taken(String),
}

/// How far a worker is.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Checkpoint {
    plan: Option<Hash>,
    /// Units that are written.
    units: usize,
    /// Bytes of their rows.
    bytes: u64,
    documents: usize,
    rejected: usize,
    given: u64,
}

/// Makes a shard, or goes on with it.
///
/// # Errors
/// When there is no such shard, a file cannot be written, or a model that was asked for is not there.
pub fn work(order: &Order<'_>) -> Result<Made, Error> {
    let Order { plan, folder, shard, .. } = *order;
    if shard >= plan.shards {
        return wrong(format!("there is no shard {shard}, expected 0 to {}", plan.shards - 1));
    }
    let files = Files::of(folder, shard);
    if let Some(done) = files.found(plan) {
        // What a killed worker left open, unless somebody is looking at it.
        if files.open.is_dir() && Lock::acquire(&files.open).is_ok() {
            write::remove_folder(&files.open)?;
        }
        return Ok(Made::Found(done));
    }
    write::folder(&files.open)?;
    let lock = if order.seize { Lock::seize(&files.open) } else { Lock::acquire(&files.open) };
    let _lock = match lock {
        Ok(lock) => lock,
        Err(held @ (penname_ledger::Error::Held { .. } | penname_ledger::Error::HeldElsewhere { .. })) => {
            return Ok(Made::Taken(held.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    // The one who had it may have finished meanwhile.
    if let Some(done) = files.found(plan) {
        return Ok(Made::Found(done));
    }
    write::sweep(&files.open)?;
    let opened = Opened::open(order.places, &plan.settings)?;
    let units: Vec<Unit> =
        opened.units().into_iter().filter(|unit| plan.shard_of(&unit.name) == shard).collect();
    let mut worker = Worker::begin(order, files)?;
    while worker.at.units < units.len() {
        if order.stop.load(Ordering::Relaxed) {
            worker.checkpoint()?;
            return Ok(Made::Partial(worker.at.units, units.len()));
        }
        worker.read(&opened, &units)?;
        let (n, all) = (worker.at.units as u64, units.len() as u64);
        order.witness.see(&Event::progress(format!("shard {shard}"), n, all, Counted::Items));
    }
    worker.finish(opened.digest(&units)).map(Made::Done)
}

struct Worker<'a> {
    order: &'a Order<'a>,
    files: Files,
    rows: Resumable,
    judge: Judge<'a>,
    index: Index,
    at: Checkpoint,
    /// Documents at the last checkpoint, and the time since.
    kept: usize,
    since: Stopwatch,
}

impl<'a> Worker<'a> {
    /// Goes on from the checkpoint, if there is one of this plan; what was written after it is cut off.
    fn begin(order: &'a Order<'a>, files: Files) -> Result<Self, Error> {
        let at: Checkpoint = fs::read(files.open.join("checkpoint.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let mut rows = Resumable::open(&files.open.join("rows"))?;
        let is_ours = at.plan == Some(order.plan.digest) && at.bytes <= rows.n_bytes();
        let at =
            if is_ours { at } else { Checkpoint { plan: Some(order.plan.digest), ..Checkpoint::default() } };
        rows.cut(at.bytes)?;
        let judge = Judge::new(&order.plan.settings.validate)?;
        let index = Index::new(&order.plan.settings.dedupe);
        let (kept, since) = (at.documents, Stopwatch::start());
        Ok(Self { order, files, rows, judge, index, at, kept, since })
    }

    /// Reads the next units with all threads and writes their rows in order.
    fn read(&mut self, opened: &Opened<'_>, units: &[Unit]) -> Result<(), Error> {
        let jobs = self.order.jobs.max(1);
        let next = &units[self.at.units..units.len().min(self.at.units + EACH * jobs)];
        let (judge, index) = (&self.judge, &self.index);
        let one = |unit: &Unit| -> Vec<Row> {
            opened.read(unit).into_iter().flat_map(|piece| rows(piece, judge, index)).collect()
        };
        let each = next.len().div_ceil(jobs).max(1);
        let made: Vec<Vec<Vec<Row>>> = thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> = next
                .chunks(each)
                .map(|units| scope.spawn(move || units.iter().map(one).collect::<Vec<_>>()))
                .collect();
            let joined = |thread: thread::ScopedJoinHandle<'_, Vec<Vec<Row>>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(joined).collect()
        });
        for unit in made.into_iter().flatten() {
            self.write(unit)?;
            let n_new = self.at.documents - self.kept;
            if n_new >= EVERY_DOCUMENTS || (n_new > 0 && self.since.seconds() >= EVERY_SECONDS) {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    fn write(&mut self, unit: Vec<Row>) -> Result<(), Error> {
        let mut lines = Vec::new();
        for row in unit {
            match &row {
                Row::Piece(beside) => self.at.given += beside.given(),
                Row::Document(judged) => {
                    self.at.documents += 1;
                    self.at.rejected += usize::from(judged.is_rejected());
                }
                Row::Issue(_) => {}
            }
            // Rows are made of texts and numbers: there is nothing in them that JSON refuses.
            lines.extend(serde_json::to_vec(&row).unwrap_or_default());
            lines.push(b'\n');
        }
        self.rows.write_all(&lines).map_err(|source| self.rows.told(source))?;
        self.at.units += 1;
        self.at.bytes += lines.len() as u64;
        Ok(())
    }

    /// Writes down how far it is, once the rows are safe.
    fn checkpoint(&mut self) -> Result<(), Error> {
        self.rows.sync()?;
        write::json(&self.files.open.join("checkpoint.json"), &self.at)?;
        (self.kept, self.since) = (self.at.documents, Stopwatch::start());
        Ok(())
    }

    /// Puts the rows in place, then the record, and removes what was open.
    fn finish(self, in_digest: Hash) -> Result<Done, Error> {
        let Self { order, files, rows, at, .. } = self;
        rows.commit()?;
        let whole = files.open.join("rows");
        let done = Done {
            plan: order.plan.digest,
            shard: order.shard,
            in_digest,
            out_digest: Hash::of_file(&whole)?,
            bytes: at.bytes,
            units: at.units,
            documents: at.documents,
            rejected: at.rejected,
            given: at.given,
        };
        // Whole in the locked folder before it is seen in the one that machines share.
        let record = files.open.join("done");
        write::json(&record, &done)?;
        write::rename(&whole, &files.rows)?;
        write::rename(&record, &files.done)?;
        // The record is there: what stays of the folder is removed another time.
        let _unheard = write::remove_folder(&files.open);
        Ok(done)
    }
}
