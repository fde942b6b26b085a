//! Questions for passages, written by a model; the answers are always the author's own words.
//!
//! A passage of running text has nothing before it that asks for it. Here a model writes what somebody
//! might have asked: a service that is paid, a server on the same machine, or the project's own base.
//! What it writes is only ever the question. It is asked with a verb of its own ([`ask`]); preparing reads
//! what was answered ([`Questions`]), and opens no connection.
//!
//! Every answer is paid for once. The record ([`row`]) has one line for each, with its cost; what the
//! lines come to (`books`) decides what is still open, so the same command goes on where it was stopped.
//! Money is set aside before it is spent (`purse`).
//!
//! Connections are opened by the polite client of [`crate::collect::fetch`] and nowhere here.

mod batch;
mod books;
mod each;
mod estimate;
mod judge;
mod price;
mod prompt;
mod purse;
mod questions;
pub mod row;
mod service;
pub mod settings;
mod together;
mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use penname_ledger::{Lock, Seed, Witness, write};

pub use self::estimate::Estimate;
pub use self::judge::Flaw;
pub use self::prompt::Prompt;
pub(crate) use self::questions::Found;
pub use self::questions::{Missing, Questions};
use self::service::Service;
pub use self::service::{End, Reply};
pub use self::settings::Ask;
pub use self::settings::{Mode, Provider};
pub use self::together::Respondent;
use self::work::Work;
use crate::collect::fetch::polite::{Parts, Polite};
use crate::collect::fetch::{Clock, Fault, Network, Secrets};
use crate::compose;
use crate::document::{Document, Fate};
use crate::{Error, Settings};

/// A passage that questions are wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The name of what is asked about it.
    pub task: String,
    /// Its document.
    pub document: String,
    /// Which of the document's passages it is, from 1.
    pub passage: usize,
    /// The author's words.
    pub text: String,
}

/// What is to be asked, and with what.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The settings: `ask`, `network`.
    pub settings: &'a Settings,
    /// The folder of the record.
    pub folder: &'a Path,
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
    /// Whether what was given up is asked again.
    pub again: bool,
}

/// Why asking stopped before its end.
#[derive(Debug)]
pub enum Stop {
    /// The money is spent, or the rest of it is less than one request may cost.
    Capped,
    /// Something went wrong, or somebody stopped it.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What asking would cost, or has cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Passages that questions are wanted for.
    pub n_passages: usize,
    /// Those that are to be asked about.
    pub n_open: usize,
    /// Words in them.
    pub n_words: usize,
    /// What they are likely to cost.
    pub estimate: Estimate,
    /// What was charged before, and the part of it that may not have been.
    pub spent_usd: (f64, f64),
    /// Who says what it costs.
    pub priced_by: String,
    /// Whether the words leave this machine and the house it stands in.
    pub is_away: bool,
    /// Who reads them.
    pub host: String,
}

/// The passages of documents that questions are wanted for.
pub fn passages(documents: &[Document], settings: &Settings) -> Vec<Passage> {
    let used = documents.iter().filter(|document| !matches!(document.fate, Fate::Dropped(_)));
    let mut found = Vec::new();
    for document in used.filter(|document| settings.ask.takes(document)) {
        let mut passage = 0;
        compose::asked::visit(document, settings, &mut compose::Made::default(), |text, _| {
            passage += 1;
            let task = settings.ask.task(text);
            found.push(Passage { task, document: document.uid.clone(), passage, text: text.to_owned() });
        });
    }
    found
}

/// The passages without questions, each with the reason.
pub fn missing(documents: &[Document], settings: &Settings, questions: &Questions) -> Vec<Missing> {
    let used = documents.iter().filter(|document| !matches!(document.fate, Fate::Dropped(_)));
    let of = |document: &Document| compose::compose(document, settings, questions).missing;
    used.filter(|document| settings.ask.takes(document)).flat_map(of).collect()
}

/// Says what asking would send and cost. Nothing is sent.
///
/// # Errors
/// When nobody is to be asked, the model has no price, or the record cannot be read.
pub fn plan(settings: &Settings, passages: &[Passage], folder: &Path) -> Result<Plan, Error> {
    settings.check()?;
    let ask = &settings.ask;
    let (price, priced_by) = price::find(ask)?;
    let books = books::Books::read(folder)?;
    let mut different: BTreeMap<&str, &Passage> = BTreeMap::new();
    passages.iter().for_each(|passage| {
        different.entry(&passage.task).or_insert(passage);
    });
    let (mut estimate, mut n_open, mut n_words) = (Estimate::default(), 0, 0);
    for passage in different.values() {
        if let books::Standing::Open(next) = books.standing(ask, &passage.text, &passage.task) {
            estimate.add(ask, &prompt::prompt(ask, &passage.text, &next), &price);
            n_open += 1;
            n_words += passage.text.split_whitespace().count();
        }
    }
    let address = crate::collect::fetch::address::Address::parse(ask.address());
    let host = address.map_or_else(String::new, |address| address.host().to_owned());
    let is_away = ask.provider != Some(Provider::Local) && !price::is_near(&host);
    let (n_passages, spent_usd) = (different.len(), books.spent_usd());
    Ok(Plan { n_passages, n_open, n_words, estimate, spent_usd, priced_by, is_away, host })
}

/// Asks for questions for every passage that has none, and says why it stopped before its end, if it did. A
/// model of our own is `respondent`; services are
/// asked without one.
///
/// # Errors
/// When asking cannot begin. What stops it later is handed out: it is resumed by asking again.
pub fn ask(
    order: &Order<'_>,
    passages: &[Passage],
    respondent: Option<&mut dyn Respondent>,
) -> Result<Option<Stop>, Error> {
    let settings = order.settings;
    settings.check()?;
    let nobody = || Error::Ask { why: "`corpus.ask.provider` names nobody".to_owned() };
    let (ask, provider) = (&settings.ask, settings.ask.provider.ok_or_else(nobody)?);
    let (price, _) = price::find(ask)?;
    write::folder(order.folder)?;
    let _lock = Lock::acquire(order.folder)?;
    let work = Work::open(order.folder, (ask, provider, price), passages, (order.witness, order.stop))?;
    if order.again {
        work.ask_again()?;
    }
    if let Provider::Local = provider {
        let respondent =
            respondent.ok_or_else(|| Error::Ask { why: "there is no model here to be asked".to_owned() })?;
        return Ok(together::run(&work, respondent));
    }
    let service = Service::new(ask, order.secrets)?;
    let network = Network { tries: ask.tries, ..settings.network.clone() };
    let waits = order.folder.join("waits.json");
    let polite = Polite::new(Parts {
        network: &network,
        proxy: order.proxy.filter(|_| !price::is_near(&service.host())),
        clock: order.clock,
        witness: order.witness,
        stop: order.stop,
        waits: &waits,
        jitter: order.seed.stream("ask/jitter"),
    })?;
    if provider == Provider::Anthropic
        && let Err(stop) = batch::bring_home(&work, &service, &polite)
    {
        return Ok(Some(stop));
    }
    Ok(match ask.mode {
        Mode::Batch => batch::run(&work, &service, &polite),
        Mode::Each => each::run(&work, &service, &polite),
    })
}
