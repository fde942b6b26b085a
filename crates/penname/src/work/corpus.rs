//! The prepared corpus of a project, and what has to be fetched for it.

use std::path::{Path, PathBuf};

use penname_corpus::collect::Places;
use penname_corpus::collect::fetch::{self, Order, System};
use penname_corpus::forget::{Forgotten, scrub};
use penname_corpus::review::Review;
use penname_corpus::{Error, Prepared, Settings as Corpus, store};
use penname_ledger::{Event, Seed, write};

use super::asking;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::number;
use crate::settings::Settings;

/// Where the writing of a project lies.
#[derive(Debug)]
pub(crate) struct Folders {
    writing: PathBuf,
    fetched: PathBuf,
    forgotten: Forgotten,
    asked: PathBuf,
}

impl Folders {
    /// Those of a project.
    ///
    /// # Errors
    /// When what is to be forgotten is there and cannot be read: then nothing is used.
    pub(crate) fn of(project: &Project) -> Result<Self, Failure> {
        Ok(Self {
            writing: project.writing(),
            fetched: project.fetched(),
            forgotten: forgotten(project)?,
            asked: project.asked(),
        })
    }

    /// The same for the library.
    pub(crate) fn places(&self) -> Places<'_> {
        self.with(&self.fetched)
    }

    /// The same, with what was fetched elsewhere.
    pub(crate) fn with<'a>(&'a self, fetched: &'a Path) -> Places<'a> {
        Places {
            writing: &self.writing,
            fetched: Some(fetched),
            forgotten: Some(&self.forgotten),
            asked: Some(&self.asked),
        }
    }
}

/// Whether network sources that were asked before are asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Only those that were not asked to their end.
    No,
    /// All, for what is new.
    Yes,
}

/// Prepares the writing of a project, or finds it prepared.
///
/// # Errors
/// When there is nothing to prepare, or too much of it is bad.
pub(crate) fn prepared(desk: &Desk, project: &Project, settings: &Settings) -> Result<Prepared, Failure> {
    prepared_anew(desk, project, settings, Again::No)
}

/// As [`prepared`], asking network sources again where that is wanted.
///
/// # Errors
/// As [`prepared`].
pub(crate) fn prepared_anew(
    desk: &Desk,
    project: &Project,
    settings: &Settings,
    again: Again,
) -> Result<Prepared, Failure> {
    let (folders, data) = (Folders::of(project)?, project.corpus());
    let (folder, corpus, seed) = (folders.fetched.as_path(), &settings.corpus, settings.seed);
    fetched(desk, project, &Wanted { folder, corpus, seed, again })?;
    let review = decisions(desk, project)?;
    let prepared = store::prepare_into(folders.places(), &data, corpus, seed, &review, desk.witness());
    if let Err(Error::Unasked { missing, .. }) = &prepared {
        asking::list(project, missing)?;
    }
    Ok(prepared?)
}

/// What is to be fetched.
pub(crate) struct Wanted<'a> {
    /// The folder that is filled.
    pub(crate) folder: &'a Path,
    /// The settings of the corpus.
    pub(crate) corpus: &'a Corpus,
    /// Where chance begins.
    pub(crate) seed: Seed,
    /// Whether sources are asked again.
    pub(crate) again: Again,
}

/// Asks the network sources of the settings, where there are any that were not asked to their end.
/// What befalls one of them is told, and the work goes on with what there is.
///
/// # Errors
/// When somebody stops it, or nothing can be written.
pub(crate) fn fetched(desk: &Desk, project: &Project, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let (corpus, folder) = (wanted.corpus, wanted.folder);
    let again = wanted.again == Again::Yes;
    if corpus.sources.is_empty() || !(again || fetch::is_open(corpus, folder)) {
        return Ok(());
    }
    corpus.check()?;
    if desk.is_offline() {
        let what = "sources are not asked, because the network may not be used";
        desk.witness().see(&Event::warning(what, "without `--offline` the same command asks them"));
        return Ok(());
    }
    write::folder(&project.fetched())?;
    fetch::fetch(&Order {
        settings: corpus,
        folder,
        waits: &project.fetched().join("waits.json"),
        secrets: &desk.environment.secrets,
        proxy: desk.environment.proxy.value.as_deref(),
        clock: &System,
        witness: desk.witness(),
        stop: desk.stop(),
        seed: wanted.seed,
        again,
    })?;
    // What is forgotten may have come again with what others answered.
    scrub::scrub(folder, corpus, &forgotten(project)?)?;
    Ok(())
}

/// Who and what is to be forgotten.
///
/// # Errors
/// When the record is there and a line of it cannot be read: whoever asked to be forgotten is not to
/// come back because of a torn line.
pub(crate) fn forgotten(project: &Project) -> Result<Forgotten, Failure> {
    let forgotten = Forgotten::read(&project.forgotten())?;
    if forgotten.n_unreadable == 0 {
        return Ok(forgotten);
    }
    let lines = number::of(forgotten.n_unreadable as u64, "line", "lines");
    let message = format!("{lines} of `{}` cannot be read", project.forgotten().display());
    Err(Failure::new(Kind::Input, message)
        .hint("each line keeps somebody out of the corpus; put it right, or remove it and say `penname forget` again"))
}

/// What was decided about the examples of a project.
///
/// # Errors
/// When the record is there and cannot be read.
pub(crate) fn decisions(desk: &Desk, project: &Project) -> Result<Review, Failure> {
    let review = Review::read(&project.review())?;
    if review.n_unreadable > 0 {
        let lines = number::of(review.n_unreadable as u64, "line", "lines");
        let what = format!("{lines} of `review/decisions.jsonl` cannot be read and count for nothing");
        desk.witness().see(&Event::warning(what, "`penname review --status` says what counts"));
    }
    Ok(review)
}
