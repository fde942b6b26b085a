//! What killed processes left behind, and how it is put right.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{remove_file, remove_folder, rename};
use crate::{Error, Result, process};

/// Why a hidden sibling exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    /// Content that was not finished: worthless once its writer is dead.
    Partial,
    /// The earlier content of a folder, set aside while its successor moves in.
    SetAside,
}

impl Leftover {
    const ALL: [Self; 2] = [Self::Partial, Self::SetAside];

    fn suffix(self) -> &'static str {
        match self {
            Self::Partial => ".tmp",
            Self::SetAside => ".old",
        }
    }
}

/// A hidden name in the same folder that no other live process can choose: `.name.<pid>-<n>.tmp`.
pub(super) fn temporary_name(path: &Path, why: Leftover) -> Result<String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| Error::BadName {
        name: path.display().to_string(),
        expected: "a path that ends in a file name",
    })?;
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(format!(".{name}.{}-{n}{}", std::process::id(), why.suffix()))
}

/// The name a temporary stands for, its writer's process, and why it exists.
fn parse(temporary: &str) -> Option<(&str, u32, Leftover)> {
    let why = Leftover::ALL.into_iter().find(|why| temporary.ends_with(why.suffix()))?;
    let inner = temporary.strip_prefix('.')?.strip_suffix(why.suffix())?;
    let (name, owner) = inner.rsplit_once('.')?;
    let (pid, n) = owner.split_once('-')?;
    n.parse::<u64>().ok()?;
    (!name.is_empty()).then_some((name, pid.parse().ok()?, why))
}

/// What [`sweep`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Unfinished files and folders removed.
    pub n_removed: usize,
    /// Folders put back because their writer died between setting the old one aside and moving the
    /// new one in.
    pub n_restored: usize,
}

/// Removes what dead processes left half-written in `dir`, and puts back folders they had set
/// aside without a successor. What a living process is writing is left alone.
///
/// A process on another machine looks dead from here: sweep a shared folder only under its
/// [`crate::Lock`].
///
/// # Errors
/// When the folder cannot be read or a leftover not be removed.
pub fn sweep(dir: &Path) -> Result<Swept> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(dir).map_err(|e| Error::io("list", dir, 0, e))? {
        let entry = entry.map_err(|e| Error::io("list", dir, 0, e))?;
        let file_name = entry.file_name();
        let Some((name, pid, why)) = file_name.to_str().and_then(parse) else { continue };
        if process::may_live(pid) {
            continue;
        }
        let home = dir.join(name);
        if why == Leftover::SetAside && !home.exists() {
            rename(&entry.path(), &home)?;
            swept.n_restored += 1;
        } else {
            remove(&entry.path())?;
            swept.n_removed += 1;
        }
    }
    Ok(swept)
}

fn remove(path: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(path).map_err(|e| Error::io("remove", path, 0, e))?;
    if meta.is_dir() { remove_folder(path) } else { remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::{bytes, folder};

    /// No system hands out a process number this high.
    const DEAD: u32 = u32::MAX - 1;

    #[test]
    fn temporary_names_are_recognised_and_nothing_else_is() {
        let check = |name: &str, expected: Option<(&str, u32, Leftover)>| {
            assert_eq!(parse(name), expected, "{name}");
        };
        check(".a.json.12-0.tmp", Some(("a.json", 12, Leftover::Partial)));
        check(".step-1.7-3.old", Some(("step-1", 7, Leftover::SetAside)));
        check("a.json.12-0.tmp", None);
        check(".a.json.tmp", None);
        check(".12-0.tmp", None);
        check("..12-0.tmp", None);
        check(".a.x-0.tmp", None);
        check(".a.-1-0.tmp", None);
        let ours = temporary_name(Path::new("x/b.bin"), Leftover::Partial).unwrap();
        check(&ours, Some(("b.bin", std::process::id(), Leftover::Partial)));
    }

    #[test]
    fn only_leftovers_of_the_dead_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        bytes(&at(&format!(".a.{DEAD}-0.tmp")), b"half").unwrap();
        folder(&at(&format!(".b.{DEAD}-1.tmp")).join("deep")).unwrap();
        folder(&at(&format!(".c.{DEAD}-2.old"))).unwrap();
        folder(&at(&format!(".d.{DEAD}-3.old"))).unwrap();
        folder(&at("d")).unwrap();
        let living = at(&format!(".e.{}-0.tmp", std::process::id()));
        bytes(&living, b"busy").unwrap();
        bytes(&at("keep.tmp"), b"a user's file").unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), Swept { n_removed: 3, n_restored: 1 });
        assert!(at("c").is_dir() && at("d").is_dir() && living.exists() && at("keep.tmp").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        assert_eq!(sweep(dir.path()).unwrap(), Swept::default());
    }
}
