//! A folder as Hugging Face publishes models: which files hold the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::json;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const MODEL: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// The files of a folder that hold its weights.
#[derive(Debug)]
pub(crate) struct Weights {
    /// Their paths.
    pub(crate) shards: Vec<PathBuf>,
    /// The index and where it lies, when there is more than one file.
    index: Option<(PathBuf, Index)>,
}

/// The part of an index that matters.
#[derive(Debug, Deserialize)]
struct Index {
    /// Tensor to file name.
    weight_map: BTreeMap<String, String>,
}

/// Finds the weights of a folder.
pub(crate) fn find_weights(dir: &Path) -> Result<Weights> {
    let single = dir.join(MODEL);
    if single.is_file() {
        return Ok(Weights { shards: vec![single], index: None });
    }
    let path = dir.join(INDEX);
    if path.is_file() {
        let index: Index = json::read(&path)?;
        let shards = index.shards(dir).map_err(|error| error.in_file(&path))?;
        return Ok(Weights { shards, index: Some((path, index)) });
    }
    match find_pickle(dir)? {
        Some(path) => Err(Error::Pickle { path }),
        None => Err(Error::NotACheckpoint { path: dir.to_owned() }),
    }
}

/// The pickled weights of a folder, so that the refusal can name them.
fn find_pickle(dir: &Path) -> Result<Option<PathBuf>> {
    let unreadable = |source| Error::Unreadable { path: dir.to_owned(), source };
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("bin" | "pt" | "pth" | "ckpt" | "pkl")) {
            found.insert(path);
        }
    }
    Ok(found.into_iter().next())
}

impl Index {
    /// The paths of all shards, each known to be a file of this folder.
    fn shards(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let mut shards = BTreeSet::new();
        for (tensor, shard) in &self.weight_map {
            let mut parts = Path::new(shard).components();
            if !matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == shard.as_str())
            {
                return Err(Error::ShardName { shard: shard.clone(), tensor: tensor.clone() });
            }
            let path = dir.join(shard);
            if !shards.contains(&path) && !path.is_file() {
                return Err(Error::ShardMissing { shard: shard.clone(), tensor: tensor.clone() });
            }
            shards.insert(path);
        }
        Ok(shards.into_iter().collect())
    }
}

impl Weights {
    /// Checks that index and shards list the same tensors in the same places.
    pub(crate) fn check<'t>(
        &self,
        shard_of: impl Fn(&str) -> Option<&'t str>,
        names: impl IntoIterator<Item = &'t str>,
    ) -> Result<()> {
        let Some((path, Index { weight_map })) = &self.index else { return Ok(()) };
        let disagrees = |tensor: &str, found: Option<&str>, expected: Option<&str>| {
            let or_none =
                |shard: Option<&str>| shard.map_or("no shard".to_owned(), |shard| format!("`{shard}`"));
            Error::ShardDisagrees {
                tensor: tensor.to_owned(),
                found: or_none(found),
                expected: or_none(expected),
            }
            .in_file(path)
        };
        for (tensor, shard) in weight_map {
            let found = shard_of(tensor);
            if found != Some(shard) {
                return Err(disagrees(tensor, found, Some(shard)));
            }
        }
        match names.into_iter().find(|name| !weight_map.contains_key(*name)) {
            Some(tensor) => Err(disagrees(tensor, shard_of(tensor), None)),
            None => Ok(()),
        }
    }
}
