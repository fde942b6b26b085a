//! Base models that another tool fetched before, in the layout all tools of the hub share:
//!
//! ```text
//! models--<owner>--<name>/refs/<branch>          the commit a branch stood at
//! models--<owner>--<name>/snapshots/<commit>/    links into
//! models--<owner>--<name>/blobs/<etag>           named by SHA-256 where they are large
//! ```
//!
//! Nothing is ever written here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::event::{Event, Witness};

use crate::digest::is_sha256;
use crate::download::sha256_of;
use crate::reference::{Repo, is_gguf};
use crate::select::select;
use crate::{Base, Kind, Result};

/// Digests that were taken before, by what distinguishes a file from all it might be changed into.
pub(crate) type Marks = BTreeMap<String, String>;

/// The snapshot of `repo` in the cache at `root`, where a whole one is there.
///
/// Files that `known` has no digest of are read through, and those whose name in the cache is their
/// SHA-256 must have it. Returns the digests with the base, to be known the next time.
pub(crate) fn find(
    root: &Path,
    repo: &Repo,
    known: &Marks,
    witness: &dyn Witness,
) -> Result<Option<(Base, Marks)>> {
    let Some((dir, revision)) = snapshot(root, repo) else { return Ok(None) };
    let names = names_in(&dir);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Ok(files) = select(&repo.id, &names, repo.file.as_deref()) else { return Ok(None) };
    let (mut sha256s, mut marks) = (BTreeMap::new(), Marks::new());
    for name in files {
        let path = dir.join(&name);
        let mark = mark(&revision, &name, &path);
        let sha256 = match known.get(&mark) {
            Some(sha256) => sha256.clone(),
            None => sha256_of(&path)?,
        };
        if let Some(published) = published_sha256(&path).filter(|published| *published != sha256) {
            let what = format!("`{}` has SHA-256 {sha256}, expected {published}", path.display());
            witness.see(&Event::warning(what, "the file is fetched again elsewhere; remove it from there"));
            return Ok(None);
        }
        marks.insert(mark, sha256.clone());
        sha256s.insert(name, sha256);
    }
    let (path, kind) = match sha256s.keys().next() {
        Some(only) if is_gguf(only) => (dir.join(only), Kind::Gguf),
        _ => (dir, Kind::Folder),
    };
    let origin = format!("{} in the cache `{}`", repo.id, root.display());
    Ok(Some((Base { path, kind, origin, revision, sha256s }, marks)))
}

/// What distinguishes a file that was read through before from one that was not.
fn mark(revision: &str, name: &str, path: &Path) -> String {
    let meta = fs::metadata(path).ok();
    let n_bytes = meta.as_ref().map_or(0, fs::Metadata::len);
    let since_1970 = |meta: &fs::Metadata| meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok();
    let modified = meta.as_ref().and_then(since_1970).unwrap_or_default();
    format!("{revision}/{name} {n_bytes} {}", modified.as_nanos())
}

/// The folder of the revision that is meant, and its commit.
fn snapshot(root: &Path, repo: &Repo) -> Option<(PathBuf, String)> {
    let home = root.join(format!("models--{}", repo.id.replace('/', "--")));
    let revision = repo.revision_or_main();
    let commit = match fs::read_to_string(home.join("refs").join(revision)) {
        Ok(commit) => commit.trim().to_owned(),
        Err(_) => revision.to_owned(),
    };
    let is_commit = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let dir = home.join("snapshots").join(&commit);
    (is_commit && dir.is_dir()).then_some((dir, commit))
}

/// The names of files of a snapshot and of its folders, one level deep, that can be opened.
fn names_in(dir: &Path) -> Vec<String> {
    let list = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut names = Vec::new();
    for name in list(dir) {
        let path = dir.join(&name);
        if path.is_dir() {
            names.extend(list(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            names.push(name);
        }
    }
    names.retain(|name| dir.join(name).is_file());
    names.sort();
    names
}

/// The digest a file of the cache is named by, where it is.
fn published_sha256(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    let name = target.file_name()?.to_str()?;
    is_sha256(name).then(|| name.to_owned())
}
