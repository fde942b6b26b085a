//! Digests of base models that nobody published: those a person brought along, or made here.
//!
//! What is trained follows from every byte of its base, so a record of it names them by digest. A file
//! of many gigabytes is read through for that once; from then on its size and the time it was changed
//! stand for its content, in `digests.json` of the cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use penname_ledger::{clock, write};
use serde::{Deserialize, Serialize};

use crate::download::sha256_of;
use crate::pull::local_files;
use crate::{Base, Kind, Result};

const FILE: &str = "digests.json";

/// A file changed so shortly ago may change again within the same tick of its clock.
const SETTLED_MS: i64 = 2000;

/// What is known of a file that was read through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    n_bytes: u64,
    /// Nanoseconds since 1970.
    modified: u128,
    sha256: String,
}

/// SHA-256 of each file of a base, by name: as it was published, or taken here and remembered in
/// `cache_dir`.
///
/// # Errors
/// When a file cannot be read.
pub fn digests(base: &Base, cache_dir: &Path) -> Result<BTreeMap<String, String>> {
    if !base.sha256s.is_empty() {
        return Ok(base.sha256s.clone());
    }
    let store = cache_dir.join(FILE);
    let known: BTreeMap<PathBuf, Seen> =
        serde_json::from_slice(&fs::read(&store).unwrap_or_default()).unwrap_or_default();
    let (mut seen, mut digests) = (known.clone(), BTreeMap::new());
    for (name, path) in files(base)? {
        let path = fs::canonicalize(&path).unwrap_or(path);
        digests.insert(name, digest(&path, &mut seen)?);
    }
    if seen != known {
        seen.retain(|path, _| path.exists());
        // Where nothing can be kept, files are read through again the next time, no more.
        let _unheard = write::folder(cache_dir).and_then(|()| write::json(&store, &seen));
    }
    Ok(digests)
}

fn files(base: &Base) -> Result<Vec<(String, PathBuf)>> {
    if base.kind != Kind::Folder {
        let name = base.path.file_name().map(|name| name.to_string_lossy().into_owned());
        return Ok(vec![(name.unwrap_or_default(), base.path.clone())]);
    }
    let names = local_files(&base.path)?;
    Ok(names.into_iter().map(|name| (name.clone(), base.path.join(name))).collect())
}

fn digest(path: &Path, seen: &mut BTreeMap<PathBuf, Seen>) -> Result<String> {
    let now = mark(path);
    if let (Some((n_bytes, modified)), Some(known)) = (now, seen.get(path))
        && (known.n_bytes, known.modified) == (n_bytes, modified)
    {
        return Ok(known.sha256.clone());
    }
    let begun = clock::now().ms();
    let sha256 = sha256_of(path)?;
    seen.remove(path);
    if let Some((n_bytes, modified)) = now.filter(|now| mark(path) == Some(*now))
        && i64::try_from(modified / 1_000_000).is_ok_and(|modified| modified + SETTLED_MS < begun)
    {
        seen.insert(path.to_owned(), Seen { n_bytes, modified, sha256: sha256.clone() });
    }
    Ok(sha256)
}

/// Size and time of the last change.
fn mark(path: &Path) -> Option<(u64, u128)> {
    let meta = fs::metadata(path).ok()?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((meta.len(), modified.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Reference};
    use std::time::Duration;

    fn base(path: &Path, cache: &Path) -> Base {
        let reference = Reference::parse(&path.display().to_string()).unwrap();
        crate::pull(&reference, &Options::new(cache), &penname_ledger::event::Silent).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes its file older")]
    fn age(path: &Path, seconds: u64) {
        let now = UNIX_EPOCH + Duration::from_millis(clock::now().ms() as u64);
        let then = now - Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn a_file_is_read_through_once_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (path, cache) = (dir.path().join("a.gguf"), dir.path().join("cache"));
        write::bytes(&path, b"GGUF one").unwrap();
        age(&path, 60);
        let base = base(&path, &cache);
        let one = digests(&base, &cache).unwrap();
        assert_eq!(one["a.gguf"].len(), 64);
        // What is remembered is believed: this is how one sees that nothing was read.
        let store = cache.join(FILE);
        let text = fs::read_to_string(&store).unwrap().replace(&one["a.gguf"], "remembered");
        write::bytes(&store, text.as_bytes()).unwrap();
        assert_eq!(digests(&base, &cache).unwrap()["a.gguf"], "remembered");
        age(&path, 50);
        assert_eq!(digests(&base, &cache).unwrap(), one);
        write::bytes(&path, b"GGUF two").unwrap();
        age(&path, 40);
        assert_ne!(digests(&base, &cache).unwrap(), one);
    }

    #[test]
    fn a_file_that_was_just_written_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (path, cache) = (dir.path().join("a.gguf"), dir.path().join("cache"));
        write::bytes(&path, b"GGUF one").unwrap();
        let base = base(&path, &cache);
        digests(&base, &cache).unwrap();
        assert!(!cache.join(FILE).exists());
    }

    #[test]
    fn a_folder_has_a_digest_for_each_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("base");
        write::folder(&folder).unwrap();
        for name in ["config.json", "tokenizer.json", "model.safetensors", "notes.txt"] {
            write::bytes(&folder.join(name), name.as_bytes()).unwrap();
        }
        let cache = dir.path().join("cache");
        let found = digests(&base(&folder, &cache), &cache).unwrap();
        assert_eq!(Vec::from_iter(found.keys()), ["config.json", "model.safetensors", "tokenizer.json"]);
    }
}
