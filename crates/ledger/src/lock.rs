//! One folder, one user at a time.
//!
//! The lock itself is the operating system's: it is let go when its process ends, however it ends,
//! so a killed run never keeps anyone out and a reused process number fools nobody. The file's
//! content only says who holds it. The file stays, empty, after release: removing it would let two
//! processes hold two files of the same name.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Timestamp, clock, process};

/// Name of the lock file in its folder.
const FILE: &str = ".lock";

/// A [`Lock::peek`] holds the lock for an instant; so often is it tried again before believing it.
const TRIES: u32 = 5;

/// Who holds a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process number; 0 for a process that took the folder this very moment.
    pub pid: u32,
    /// Machine.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
}

impl Holder {
    fn this() -> Self {
        Self { pid: std::process::id(), host: process::host(), since: clock::now() }
    }

    /// A living holder who has locked the file but not yet signed it.
    fn unsigned() -> Self {
        Self { pid: 0, host: process::host(), since: clock::now() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} since {}", self.pid, self.host, self.since)
    }
}

/// A folder taken for this process, given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    previous: Option<Holder>,
}

impl Lock {
    /// Takes `dir`, which must exist. A holder that died on this machine is succeeded; see
    /// [`Lock::previous`].
    ///
    /// # Errors
    /// [`Error::Held`] while another process, or another lock of this one, has the folder.
    /// [`Error::HeldElsewhere`] when a process of another machine took it and never gave it back:
    /// the lock may not reach across a network file system, so this machine cannot know.
    pub fn acquire(dir: &Path) -> Result<Self> {
        let (file, previous) = take(dir)?;
        match previous {
            Some(holder) if holder.host != process::host() => {
                Err(Error::HeldElsewhere { dir: dir.to_path_buf(), holder })
            }
            _ => Self::signed(dir, file, previous),
        }
    }

    /// As [`Lock::acquire`], but succeeds holders of other machines too: for when a person says
    /// that the other machine is gone.
    ///
    /// # Errors
    /// [`Error::Held`] while the operating system knows of a living holder.
    pub fn seize(dir: &Path) -> Result<Self> {
        let (file, previous) = take(dir)?;
        Self::signed(dir, file, previous)
    }

    /// Who holds `dir` now, if anyone does.
    ///
    /// # Errors
    /// When the lock file cannot be read.
    pub fn peek(dir: &Path) -> Result<Option<Holder>> {
        let path = dir.join(FILE);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, 0, e)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder_in(&mut file).unwrap_or_else(Holder::unsigned))),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => Ok(holder_in(&mut file)),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", &path, 0, e)),
        }
    }

    /// The process that died holding this folder, if one did.
    pub fn previous(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }

    /// Puts this process's name into the file.
    fn signed(dir: &Path, file: File, previous: Option<Holder>) -> Result<Self> {
        let path = dir.join(FILE);
        let mut lock = Self { file, previous };
        let text = serde_json::to_vec(&Holder::this())
            .map_err(|source| Error::Encode { path: path.clone(), source })?;
        lock.emptied()
            .and_then(|()| lock.file.write_all(&text))
            .map_err(|e| Error::io("lock", &path, text.len() as u64, e))?;
        Ok(lock)
    }

    fn emptied(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }
}

/// Locks the file of `dir` and reads who signed it last, leaving the signature as it is.
#[expect(clippy::disallowed_methods, reason = "a lock is a file of this crate's own")]
fn take(dir: &Path) -> Result<(File, Option<Holder>)> {
    let path = dir.join(FILE);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(|e| Error::io("lock", &path, 0, e))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => {
                let previous = holder_in(&mut file);
                return Ok((file, previous));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => return by_name(dir, file),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path, 0, e)),
        }
    }
    let holder = holder_in(&mut file).unwrap_or_else(Holder::unsigned);
    Err(Error::Held { dir: dir.to_path_buf(), holder })
}

/// Decides by the signature alone, on file systems that have no locks: a signer who may still live
/// keeps the folder.
fn by_name(dir: &Path, mut file: File) -> Result<(File, Option<Holder>)> {
    match holder_in(&mut file) {
        Some(holder) if holder.host == process::host() && process::may_live(holder.pid) => {
            Err(Error::Held { dir: dir.to_path_buf(), holder })
        }
        previous => Ok((file, previous)),
    }
}

/// Who signed last; `None` for an empty file or one nobody can read, such as one that is being
/// signed this instant.
fn holder_in(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Emptied before it is let go, or the next holder would take this one for dead. A failure
        // here costs no more than that remark.
        let _unheard = self.emptied();
        let _unheard = self.file.unlock();
    }
}

/// Where the lock file of a folder is, for messages that tell how to remove it by hand.
pub fn file_of(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write;

    fn leave(dir: &Path, host: &str) -> Holder {
        let holder = Holder { pid: 1, host: host.into(), since: Timestamp::from_ms(0) };
        write::json(&file_of(dir), &holder).unwrap();
        holder
    }

    #[test]
    fn a_folder_is_taken_once_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(dir.path()).unwrap();
        assert_eq!(lock.previous(), None);
        let error = Lock::acquire(dir.path()).unwrap_err();
        let Error::Held { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.pid, std::process::id());
        assert!(error.to_string().contains(&format!("process {} on ", holder.pid)), "{error}");
        assert_eq!(Lock::peek(dir.path()).unwrap().as_ref(), Some(holder));
        drop(lock);
        assert_eq!(Lock::peek(dir.path()).unwrap(), None);
        assert_eq!(Lock::acquire(dir.path()).unwrap().previous(), None);
    }

    #[test]
    fn a_dead_holder_of_this_machine_is_succeeded() {
        let dir = tempfile::tempdir().unwrap();
        // Process 1 is alive on every machine: only the operating system's lock counts.
        let dead = leave(dir.path(), &process::host());
        assert_eq!(Lock::peek(dir.path()).unwrap(), None);
        let lock = Lock::acquire(dir.path()).unwrap();
        assert_eq!(lock.previous(), Some(&dead));
    }

    #[test]
    fn a_holder_of_another_machine_is_succeeded_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let other = leave(dir.path(), "another-machine");
        let error = Lock::acquire(dir.path()).unwrap_err();
        assert!(matches!(&error, Error::HeldElsewhere { holder, .. } if *holder == other), "{error}");
        assert_eq!(Lock::seize(dir.path()).unwrap().previous(), Some(&other));
        Lock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn where_there_are_no_locks_the_living_keep_what_they_signed() {
        let dir = tempfile::tempdir().unwrap();
        let decide = || by_name(dir.path(), File::open(file_of(dir.path())).unwrap());
        let living = leave(dir.path(), &process::host());
        assert!(matches!(decide(), Err(Error::Held { holder, .. }) if holder == living));
        let dead = Holder { pid: u32::MAX - 1, ..living };
        write::json(&file_of(dir.path()), &dead).unwrap();
        assert_eq!(decide().unwrap().1, Some(dead));
    }

    #[test]
    fn an_unreadable_lock_file_is_no_obstacle() {
        for content in [&b"{"[..], &[0xff; 8000]] {
            let dir = tempfile::tempdir().unwrap();
            write::bytes(&file_of(dir.path()), content).unwrap();
            assert_eq!(Lock::acquire(dir.path()).unwrap().previous(), None);
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Lock::acquire(&dir.path().join("none")).is_err());
        assert_eq!(Lock::peek(&dir.path().join("none")).unwrap(), None);
    }
}
