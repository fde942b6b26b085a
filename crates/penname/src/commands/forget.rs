//! `penname forget`: somebody, or a piece, is taken out of everything that can be made again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use penname_corpus::collect::{Collected, collect};
use penname_corpus::forget::scrub::{self, Scrubbed};
use penname_corpus::forget::{Forgotten, Tombstone, What};
use penname_corpus::{Error, Settings as Corpus, review, store};
use penname_ledger::event::Silent;
use penname_ledger::{Lock, write};
use serde::Serialize;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::{Align, Table, harmless, number};
use crate::work::corpus::{Folders, forgotten};
use crate::work::learned::Held;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A line is added to `forgotten.jsonl`: a hash, not a name. From then on every document in which it stands is
left out, those included in which it is only what was answered. What was fetched or made before is changed or
removed at once; the folder `writing` is yours and is only read. Runs and exports that have learned it are
named: nothing can be taken out of a model.

Examples:
  penname forget --author 'Bob Ray'
  penname forget --id t1_kx3f9a
  penname forget --url https://example.org/2019/tea
  penname forget --text-of letter-from-bob.txt
  penname forget --author 'Bob Ray' --undo
  penname forget --list")]
pub(crate) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// Take it back: it may be used again, where it still is
    #[arg(long, requires = "Whom")]
    undo: bool,
    /// List what is forgotten
    #[arg(long, conflicts_with = "Whom")]
    list: bool,
}

/// Who or what is meant.
#[derive(Debug, clap::Args)]
#[group(id = "Whom", multiple = false)]
struct Whom {
    /// Somebody, by name, account or address
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// A post, message or document by its id, or an account by its number
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// A piece by its address
    #[arg(long, value_name = "ADDRESS")]
    url: Option<String>,
    /// The words of this file, wherever they stand
    #[arg(long, value_name = "FILE")]
    text_of: Option<PathBuf>,
}

/// Forgets, takes back, or lists.
///
/// # Errors
/// When nothing was named, or something cannot be read, written or removed.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let project = desk.project()?;
    let mut known = forgotten(&project)?;
    if args.list {
        desk.screen.result("forgotten", &rows(&known), || listed(&known));
        return Ok(());
    }
    let stone = stone(&args.whom)?;
    let settings = desk.settings_of(&project)?;
    if args.undo {
        return undo(desk, &project, &mut known, &stone);
    }
    let done = forget(&project, &settings.corpus, known, stone)?;
    desk.screen.result("forget", &done, || done.told());
    Ok(())
}

fn stone(whom: &Whom) -> Result<Tombstone, Failure> {
    let stone = match whom {
        Whom { author: Some(name), .. } => Tombstone::new(What::Author, name),
        Whom { id: Some(id), .. } => Tombstone::new(What::Id, id),
        Whom { url: Some(url), .. } => Tombstone::new(What::Url, url),
        Whom { text_of: Some(path), .. } => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::of(Kind::Usage, &error).while_doing(format!("`{}` cannot be read", path.display()))
            })?;
            Tombstone::new(What::Text, &text)
        }
        _ => {
            let message = "who is to be forgotten?";
            let hint = "`--author`, `--id`, `--url` or `--text-of`; `--list` shows who is";
            return Err(Failure::new(Kind::Usage, message).hint(hint));
        }
    };
    let is_blank =
        [&whom.author, &whom.id, &whom.url].into_iter().flatten().any(|text| text.trim().is_empty());
    if is_blank || stone.is_empty() {
        return Err(Failure::new(Kind::Usage, "what is to be forgotten is empty"));
    }
    Ok(stone)
}

fn undo(desk: &Desk, project: &Project, known: &mut Forgotten, stone: &Tombstone) -> Result<(), Failure> {
    if !known.stones().any(|other| (other.what, other.key) == (stone.what, stone.key)) {
        let message = "that is not among what is forgotten";
        return Err(Failure::new(Kind::Usage, message).hint("`penname forget --list` shows what is"));
    }
    known.add(&project.forgotten(), stone.taken_back())?;
    let text = "it may be used again; `penname prepare` takes it in where it still is. What was taken out of \
                fetched files does not come back by itself";
    desk.screen.result("undone", &row(stone), || text.to_owned());
    Ok(())
}

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Done {
    what: String,
    key: String,
    /// Files of the writing in which it stands, with how many documents.
    writing: Vec<(String, usize)>,
    /// Documents of the corpus made before in which it stood.
    documents: usize,
    /// Fetched files that were changed.
    changed: Vec<String>,
    /// Fetched files and made folders that were removed.
    removed: Vec<String>,
    /// Decisions of a review whose words were taken out.
    decisions: usize,
    /// Where it cannot be taken out.
    held: Held,
}

/// Writes the tombstone down first: whatever happens afterwards, it counts, and the same command goes on.
fn forget(
    project: &Project,
    corpus: &Corpus,
    mut known: Forgotten,
    stone: Tombstone,
) -> Result<Done, Failure> {
    let fetched = project.fetched();
    let _lock = fetched.is_dir().then(|| Lock::acquire(&fetched)).transpose()?;
    let mut done = Done { what: word(stone.what).to_owned(), key: stone.key.key12(), ..Done::default() };
    let path = project.forgotten();
    known.add(&path, stone.clone())?;
    let alone = Forgotten::of([stone.clone()]);
    let mut documents = made_before(project, &alone);
    done.documents = documents.len();
    let folders = Folders::of(project)?;
    let generous = Corpus { max_bad_share: 1.0, limit: None, ..corpus.clone() };
    let found = match collect(folders.places(), &generous, &Silent) {
        // A writing folder that is not there holds nothing.
        Err(Error::Missing { .. }) => Collected::default(),
        found => found?,
    };
    documents.extend(found.forgotten.values().flatten().cloned());
    let own = found.forgotten.iter().filter(|(path, _)| !path.starts_with('@'));
    done.writing = own.map(|(path, uids)| (path.clone(), uids.len())).collect();
    if !documents.is_empty() {
        let named = documents.iter().cloned().collect();
        known.add(&path, Tombstone { documents: named, ..stone })?;
    }
    let Scrubbed { changed, removed } = scrub::scrub(&fetched, corpus, &known)?;
    done.changed = changed.into_keys().map(|file| format!("fetched/{file}")).collect();
    done.removed = removed.into_iter().map(|file| format!("fetched/{file}")).collect();
    done.decisions = review::forget(&project.review(), &documents, &known)?;
    if !documents.is_empty() {
        done.removed.extend(remove_made(project)?);
    }
    done.held = Held::of(project, &known)?;
    Ok(done)
}

/// Documents of the corpus as it was made before, in which it stands.
fn made_before(project: &Project, alone: &Forgotten) -> BTreeSet<String> {
    let Ok(prepared) = store::load(&project.corpus()) else { return BTreeSet::new() };
    let fits = prepared.documents.iter().filter(|document| alone.fits(document).is_some());
    fits.map(|document| document.uid.clone()).collect()
}

/// Removes what was made of the writing. The new model of `data/base` stays, because runs begin from it: it
/// holds no text, and is made again when its writing has changed.
fn remove_made(project: &Project) -> Result<Vec<String>, Failure> {
    let folders = [project.corpus(), project.tokens(), project.data().join("trial")];
    let mut removed = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        write::remove_folder(folder)?;
        let name = folder.strip_prefix(project.dir()).unwrap_or(folder);
        removed.push(name.display().to_string());
    }
    Ok(removed)
}

impl Done {
    fn told(&self) -> String {
        let mut lines = vec![format!("{} {} is forgotten", self.what, self.key)];
        let count = |n: usize, one: &str, many: &str| number::of(n as u64, one, many);
        if self.documents > 0 {
            lines.push(format!("{} of the corpus had it", count(self.documents, "document", "documents")));
        }
        lines.extend(self.changed.iter().map(|file| format!("taken out of {}", harmless(file))));
        lines.extend(self.removed.iter().map(|file| format!("removed {}", harmless(file))));
        if self.decisions > 0 {
            let n = count(self.decisions, "changed example", "changed examples");
            lines.push(format!("taken out of the review: {n}"));
        }
        for (file, n) in &self.writing {
            let n = count(*n, "document", "documents");
            lines.push(format!(
                "left in writing/{}, which is yours: {n} of it will not be used",
                harmless(file)
            ));
        }
        if self.documents == 0
            && self.writing.is_empty()
            && self.changed.is_empty()
            && self.removed.is_empty()
        {
            lines.push("it stands nowhere now; what comes later will be left out".to_owned());
        }
        let held = self.held.lines();
        if !held.is_empty() {
            lines.push("nothing can be taken out of a model; remove or train again:".to_owned());
            lines.extend(held.into_iter().map(|line| format!("  {line}")));
        }
        lines.push("`penname prepare` makes the corpus without it".to_owned());
        lines.join("\n")
    }
}

fn word(what: What) -> &'static str {
    match what {
        What::Author => "author",
        What::Id => "id",
        What::Url => "address",
        What::Text => "text",
    }
}

fn row(stone: &Tombstone) -> Value {
    json!({ "what": stone.what, "key": stone.key, "at": stone.at, "documents": stone.documents.len() })
}

fn rows(known: &Forgotten) -> Vec<Value> {
    known.stones().map(row).collect()
}

fn listed(known: &Forgotten) -> String {
    if known.is_empty() {
        return "nothing is forgotten".to_owned();
    }
    let heads =
        [("", Align::Left), ("hash", Align::Left), ("documents", Align::Right), ("since", Align::Left)];
    let mut table = Table::new(&heads);
    for stone in known.stones() {
        let n = number::count(stone.documents.len() as u64);
        table.row([word(stone.what).to_owned(), stone.key.key12(), n, stone.at.to_string()]);
    }
    table.to_string()
}
