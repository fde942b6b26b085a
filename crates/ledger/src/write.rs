//! Every file that is written, renamed or removed goes through here.
//!
//! A reader never sees a half-written file: bytes go to a hidden sibling, are synced, then renamed
//! over the old content, and the folder is synced so that a power cut cannot undo the rename. A
//! whole folder is put in place the same way by [`Staged`]. What a killed process leaves behind is
//! hidden, named after its process, and removed by [`sweep`].
//!
//! Lines that are added one by one belong to [`crate::journal`] instead.

mod atomic;
mod resumable;
mod staged;
mod sweep;

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::{Error, Result};

pub use atomic::Atomic;
pub use resumable::Resumable;
pub use staged::Staged;
pub use sweep::{Swept, sweep};

/// Writes `content` to `path`, all of it or none.
///
/// # Errors
/// When the folder is missing, the disk is full, or the file system refuses.
pub fn bytes(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = Atomic::create(path)?;
    // A failed write is kept by `Atomic` and told by `commit`, with the path the caller knows.
    let _kept = file.write_all(content);
    file.commit()
}

/// Writes `value` to `path` as indented JSON with a final newline, all of it or none.
///
/// # Errors
/// As [`bytes`], and when the value has no JSON form.
pub fn json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|source| Error::Encode { path: path.to_path_buf(), source })?;
    text.push(b'\n');
    bytes(path, &text)
}

/// Writes a line of JSON for each value to `path`, all of them or none.
///
/// # Errors
/// As [`json`].
pub fn json_lines<T: Serialize>(path: &Path, values: impl IntoIterator<Item = T>) -> Result<()> {
    let mut file = Atomic::create(path)?;
    for value in values {
        let mut line = serde_json::to_vec(&value)
            .map_err(|source| Error::Encode { path: path.to_path_buf(), source })?;
        line.push(b'\n');
        let _kept = file.write_all(&line);
    }
    file.commit()
}

/// Makes the folder `path` and those above it; one that is there already is fine.
///
/// # Errors
/// When a file is in the way or the file system refuses.
#[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
pub fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("make the folder", path, 0, e))
}

/// Removes one file.
///
/// # Errors
/// When it is not there or the file system refuses.
#[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
pub fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| Error::io("remove", path, 0, e))
}

/// Removes a folder with everything in it, following no links.
///
/// # Errors
/// When it is not there or the file system refuses.
#[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
pub fn remove_folder(path: &Path) -> Result<()> {
    fs::remove_dir_all(path).map_err(|e| Error::io("remove", path, 0, e))
}

/// Renames `from` to `to` on the same file system and syncs the folder that received it.
///
/// # Errors
/// When `from` is not there, `to` is a folder with something in it, or the file system refuses.
#[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| Error::io("put into place", to, 0, e))?;
    sync_folder(folder_of(to))
}

/// The folder a path lies in; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder durable. Only Unix lets a folder be synced; elsewhere the rename
/// itself is as durable as it gets.
pub(crate) fn sync_folder(dir: &Path) -> Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let synced = fs::File::open(dir).and_then(|folder| folder.sync_all());
    match synced {
        // Some network file systems cannot sync folders and say so; nothing more can be done.
        Err(e) if matches!(e.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported) => {
            Ok(())
        }
        other => other.map_err(|e| Error::io("sync", dir, 0, e)),
    }
}
