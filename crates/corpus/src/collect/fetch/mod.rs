//! Sources that are reached over the network, each a folder of answers that are then read as files.
//!
//! Nothing is opened unless the settings name a source. A source says what it needs, what it yields
//! and how politely it asks; its line in [`ALL`] is all there is to know of it elsewhere. Fetching
//! fills folders ([`fetch`]), and [`super::collect()`] reads them beside the folder of writing: what
//! is in an answer is the business of the readers in [`super::files`], which know no network.
//!
//! A fault ends the source it befell. The others go on, what was fetched is used, and the same
//! command takes up where it stopped.

pub(crate) mod address;
mod apify;
mod blog;
mod clock;
mod fault;
pub(crate) mod polite;
mod reddit;
mod secret;
mod shelf;
mod source;
mod twscrape;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use penname_ledger::{Event, Lock, Seed, Witness, write};

pub use self::clock::{Clock, System};
pub use self::fault::Fault;
use self::polite::{Parts, Polite};
pub use self::secret::{SECRETS, Secret, Secrets};
use self::shelf::Shelf;
pub use self::source::{Network, Source};
use crate::rights::Rights;
use crate::{Error, Settings};

/// One kind of source.
#[derive(Debug)]
pub struct Kind {
    /// Its name, in settings.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What must be there or said before it gives anything.
    pub needs: &'static str,
    /// What it gives.
    pub yields: &'static str,
    /// How it asks.
    pub politely: &'static str,
    /// What to do where it refuses.
    pub otherwise: &'static str,
    /// Seconds between two questions to one host, unless the settings say.
    pub every_seconds: f64,
    /// The rights of what it gives, unless the settings say.
    pub rights: Rights,
    /// Whether its options can be used; else what is wrong with them.
    check: fn(&Source) -> Result<(), String>,
    /// Asks it for what it has.
    fetch: fn(&mut Visit<'_, '_>) -> Result<(), Fault>,
}

/// Every kind.
pub const ALL: &[Kind] =
    &[reddit::WITH_KEY, reddit::WITHOUT_KEY, reddit::archive::KIND, apify::KIND, twscrape::KIND, blog::KIND];

/// A source being asked.
struct Visit<'a, 'b> {
    source: &'a Source,
    polite: &'a mut Polite<'b>,
    shelf: &'a mut Shelf,
    order: &'a Order<'b>,
}

impl Visit<'_, '_> {
    /// How many pieces may still be taken.
    fn left(&self) -> usize {
        let limit = self.order.settings.limit.or(self.source.limit).unwrap_or(usize::MAX);
        limit.saturating_sub(self.shelf.n_in_pass())
    }

    /// Tells how far it is.
    fn told(&self, what: &str) {
        let (id, n) = (&self.source.id, self.shelf.n_taken() as u64);
        let unit = penname_ledger::event::Unit::Items;
        self.order.witness.see(&Event::progress(format!("fetching {what} of {id}"), n, None, unit));
    }
}

/// What is to be fetched, and with what.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The settings: `sources`, `network`, `limit`.
    pub settings: &'a Settings,
    /// The folder in which each source has a folder.
    pub folder: &'a Path,
    /// The file in which waits are kept that hosts asked for.
    pub waits: &'a Path,
    /// Keys of services.
    pub secrets: &'a Secrets,
    /// The way out, where there is only one.
    pub proxy: Option<&'a str>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whom to tell.
    pub witness: &'a dyn Witness,
    /// Set when it should stop.
    pub stop: &'a AtomicBool,
    /// Where chance begins; only waits depend on it.
    pub seed: Seed,
    /// Whether sources that were asked already are asked for what is new.
    pub again: bool,
}

/// What came of a source.
#[derive(Debug)]
pub struct Outcome {
    /// The source.
    pub id: String,
    /// Pieces that were taken this time.
    pub n_taken: usize,
    /// Why it stopped before its end, if it did.
    pub fault: Option<Fault>,
}

/// Whether there is a source that has not been asked to its end.
pub fn is_open(settings: &Settings, folder: &Path) -> bool {
    let is_done = |source: &Source| shelf::is_done(&folder.join(&source.id), &source.order());
    !settings.sources.iter().all(is_done)
}

/// Asks every source of the settings that has not been asked to its end.
///
/// # Errors
/// When somebody stops it, or nothing can be written. What befalls a source is in its [`Outcome`].
pub fn fetch(order: &Order<'_>) -> Result<Vec<Outcome>, Error> {
    if order.settings.sources.is_empty() {
        return Ok(Vec::new());
    }
    write::folder(order.folder)?;
    let _lock = Lock::acquire(order.folder)?;
    let mut polite = Polite::new(Parts {
        network: &order.settings.network,
        proxy: order.proxy,
        clock: order.clock,
        witness: order.witness,
        stop: order.stop,
        waits: order.waits,
        jitter: order.seed.stream("collect/jitter"),
    })?;
    let mut outcomes = Vec::new();
    for source in &order.settings.sources {
        outcomes.extend(visit(order, source, &mut polite)?);
    }
    Ok(outcomes)
}

/// The folder of what a source gave, for readers.
pub(super) fn pages(folder: &Path, source: &Source) -> PathBuf {
    folder.join(&source.id).join(shelf::PAGES)
}

/// The name of the file that the answer to a question is kept in.
pub(crate) fn question(question: &str) -> String {
    shelf::hex(question)
}

/// Why a source stopped before its end, if it did.
pub(super) fn unfinished(folder: &Path, source: &Source) -> Option<String> {
    shelf::unfinished(&folder.join(&source.id))
}

/// Asks one source.
fn visit<'b>(order: &Order<'b>, source: &Source, polite: &mut Polite<'b>) -> Result<Option<Outcome>, Error> {
    let kind = source.kind()?;
    let mut shelf = Shelf::open(&order.folder.join(&source.id), &source.order(), order.again)?;
    let stage = format!("fetching {}", source.id);
    if shelf.is_done() {
        let reason = "asked to its end before; `--fetch` asks for what is new".to_owned();
        order.witness.see(&Event::Skipped { stage, reason });
        return Ok(None);
    }
    order.witness.see(&Event::note(format!("{}: {}", source.id, kind.politely)));
    polite.every(Duration::from_secs_f64(
        source.every_seconds.unwrap_or(kind.every_seconds).clamp(0.0, 86_400.0),
    ));
    let came = (kind.fetch)(&mut Visit { source, polite, shelf: &mut shelf, order });
    let came = came.and_then(|()| shelf.finish());
    let (id, n_taken) = (source.id.clone(), shelf.n_taken());
    let fault = match came {
        Ok(()) => None,
        Err(fault) if fault.ends_all() => return Err(fault.into()),
        Err(fault) => Some(fault),
    };
    if let Some(fault) = &fault {
        shelf.stopped(&fault.to_string())?;
        let hint = if fault.hint().is_empty() { kind.otherwise } else { fault.hint() };
        order.witness.see(&Event::warning(format!("source `{id}`: {fault}"), hint));
    }
    Ok(Some(Outcome { id, n_taken, fault }))
}
