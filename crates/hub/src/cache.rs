//! Base models that were fetched before: `<cache>/bases/<name>/<revision>/`, or `<package>-<version>/`.
//!
//! Each folder has a manifest, written last; its digests were taken when the content was checked
//! against what was published. From then on sizes are looked at, and contents on demand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penname_ledger::event::{Event, Witness};
use penname_ledger::manifest::{Depth, Order};
use penname_ledger::{Manifest, write};
use serde::{Deserialize, Serialize};

use crate::catalogue::Package;
use crate::reference::{Repo, is_gguf};
use crate::{Base, Error, Kind, Options, Result};

/// What the manifest of a cached base says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Where it came from, in words.
    pub(crate) origin: String,
    /// The commit or package version.
    pub(crate) revision: String,
    /// SHA-256 of each file.
    pub(crate) sha256s: BTreeMap<String, String>,
}

/// The folder of all versions of one base.
pub(crate) fn base_dir(options: &Options<'_>, repo: &Repo) -> PathBuf {
    let name = match repo.known() {
        Some(known) => known.alias.to_owned(),
        None => repo.id.replace('/', "--"),
    };
    options.cache_dir.join("bases").join(name)
}

/// The folder of one revision, and of one file of it where one was named.
pub(crate) fn revision_dir(base_dir: &Path, repo: &Repo) -> PathBuf {
    let mut name = repo.revision_or_main().replace('/', "--");
    if let Some(file) = &repo.file {
        name = format!("{name}--{}", file.replace('/', "--"));
    }
    base_dir.join(name)
}

/// The base in `dir`, if a whole one is there. A broken one is told and left to be fetched again.
pub(crate) fn load(dir: &Path, check: Depth, witness: &dyn Witness) -> Option<Base> {
    let manifest = Manifest::read(dir).ok()?;
    if let Err(reason) = manifest.verify(dir, check) {
        let what = format!("the base model in `{}` is damaged: {reason}; fetching it again", dir.display());
        witness.see(&Event::warning(what, ""));
        return None;
    }
    let provenance: Provenance = serde_json::from_value(manifest.order.settings).ok()?;
    Some(base(dir, provenance))
}

/// The folder of the package that may stand in for the hub.
pub(crate) fn package_dir(base_dir: &Path, package: &Package) -> PathBuf {
    base_dir.join(format!("{}-{}", package.name, package.version))
}

/// Puts down what was fetched into `dir`; from here on it counts as there.
pub(crate) fn finish(dir: &Path, provenance: Provenance, seconds: f64) -> Result<Base> {
    let path = dir.join("manifest.json");
    let settings =
        serde_json::to_value(&provenance).map_err(|source| penname_ledger::Error::Encode { path, source })?;
    let mut manifest = Manifest::new(Order { settings, ..Order::new("base", env!("CARGO_PKG_VERSION")) });
    manifest.seconds = seconds;
    let names: Vec<&str> = provenance.sha256s.keys().map(String::as_str).collect();
    manifest.finish(dir, &names)?;
    Ok(base(dir, provenance))
}

/// Takes away the manifest, so that what follows is seen as unfinished until it is finished.
pub(crate) fn reopen(dir: &Path) -> Result<()> {
    write::folder(dir)?;
    let manifest = dir.join("manifest.json");
    if manifest.exists() { write::remove_file(&manifest).map_err(Error::from) } else { Ok(()) }
}

fn base(dir: &Path, provenance: Provenance) -> Base {
    let Provenance { origin, revision, sha256s } = provenance;
    let (path, kind) = match sha256s.keys().next() {
        Some(only) if sha256s.len() == 1 && is_gguf(only) => (dir.join(only), Kind::Gguf),
        _ => (dir.to_path_buf(), Kind::Folder),
    };
    Base { path, kind, origin, revision, sha256s }
}
