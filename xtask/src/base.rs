//! The base model that timings and checks are made on: SmolLM2-135M-Instruct as one GGUF file.
//!
//! The checks compare with numbers made from exactly these weights, so the file in the Python
//! package is used and never what the hub offers under the same name.

use std::path::{Path, PathBuf};

use penname_hub::catalogue::{self, Package};
use penname_hub::pull::{Network, Options};
use penname_hub::{Pip, Reference};
use penname_ledger::event::Silent;

use crate::{Result, root};

/// Finds the file: the one named, else one fetched before, else from the package index.
///
/// # Errors
/// When it is nowhere, and may not or cannot be fetched.
pub(crate) fn find(named: Option<&Path>, offline: bool) -> Result<PathBuf> {
    if let Some(path) = named {
        let missing = || format!("there is no base model at `{}`", path.display());
        return if path.exists() { Ok(path.to_path_buf()) } else { Err(missing().into()) };
    }
    let package = catalogue::DEFAULT.package.as_ref().ok_or("the default base has no package")?;
    let of_program = cached_by_program(package);
    match of_program.filter(|path| path.metadata().is_ok_and(|file| file.len() == package.n_bytes)) {
        Some(path) => Ok(path),
        None => fetch(offline),
    }
}

/// Where `penname` itself keeps the package's file.
fn cached_by_program(package: &Package) -> Option<PathBuf> {
    let file = package.member.rsplit('/').next()?;
    let version = format!("{}-{}", package.name, package.version);
    Some(program_cache()?.join("bases").join(catalogue::DEFAULT.alias).join(version).join(file))
}

#[expect(clippy::disallowed_methods, reason = "the cache is looked for where the program would look")]
fn program_cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_system = || variable("XDG_CACHE_HOME").map(|dir| dir.join("penname"));
    let of_home = || std::env::home_dir().map(|home| home.join(".cache/penname"));
    variable("PENNAME_HOME").or_else(of_system).or_else(of_home)
}

/// The package's file through the library that fetches it for everybody, kept in `target/`.
fn fetch(offline: bool) -> Result<PathBuf> {
    let cache_dir = root().join("target/bases");
    let pip = Pip::default();
    let options = Options {
        // Nothing listens there, so the hub counts as out of reach and its package is taken.
        endpoint: "http://127.0.0.1:9",
        network: if offline { Network::Forbidden } else { Network::Allowed },
        pip: Some(&pip),
        ..Options::new(&cache_dir)
    };
    Ok(penname_hub::pull(&Reference::default_base(), &options, &Silent)?.path)
}
