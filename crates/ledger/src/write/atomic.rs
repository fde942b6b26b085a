//! One file, all of it or none.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::sweep::{Leftover, temporary_name};
use super::{folder_of, rename};
use crate::{Error, Result};

/// A file being written beside the place it is meant for.
///
/// Nothing is seen at the path until [`Atomic::commit`]; dropped before that, the temporary file
/// goes. The first failed write is remembered: every later one fails as well, and `commit` reports
/// it, so a caller that streams through `io::copy` or an encoder may look at `commit` alone.
#[derive(Debug)]
pub struct Atomic {
    path: PathBuf,
    temp: PathBuf,
    /// `None` once the content is in place or given up.
    file: Option<BufWriter<File>>,
    n_bytes: u64,
    failed: Option<io::Error>,
}

impl Atomic {
    /// Starts a file meant for `path`.
    ///
    /// # Errors
    /// When `path` ends in no file name, its folder is missing, or the file system refuses.
    #[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
    pub fn create(path: &Path) -> Result<Self> {
        let temp = folder_of(path).join(temporary_name(path, Leftover::Partial)?);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temp)
            .map_err(|e| Error::io("write", path, 0, e))?;
        Ok(Self::over(path, temp, file))
    }

    fn over(path: &Path, temp: PathBuf, file: File) -> Self {
        let file = Some(BufWriter::with_capacity(1 << 16, file));
        Self { path: path.to_path_buf(), temp, file, n_bytes: 0, failed: None }
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes handed over so far.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Syncs the content and puts it into place, replacing what was there.
    ///
    /// # Errors
    /// The first write that failed, or a failed sync or rename. The path then holds what it held
    /// before, and the temporary file is gone.
    pub fn commit(mut self) -> Result<()> {
        if let Some(source) = self.failed.take() {
            return Err(Error::io("write", &self.path, self.n_bytes, source));
        }
        let synced = match self.file.as_mut() {
            Some(file) => file.flush().and_then(|()| file.get_ref().sync_all()),
            None => Ok(()),
        };
        synced.map_err(|e| Error::io("write", &self.path, self.n_bytes, e))?;
        rename(&self.temp, &self.path)?;
        self.file = None;
        Ok(())
    }
}

impl Write for Atomic {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let Some(file) = self.file.as_mut().filter(|_| self.failed.is_none()) else {
            return Err(io::Error::other("an earlier write to this file failed"));
        };
        match file.write(content) {
            Ok(n) => {
                self.n_bytes += n as u64;
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let told = io::Error::from(e.kind());
                self.failed = Some(e);
                Err(told)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for Atomic {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        // Taking the buffer apart keeps it from being written to a file nobody will see.
        drop(file.into_parts());
        // Nobody is left to hear of a failure; `sweep` finds what stays behind.
        let _unheard = super::remove_file(&self.temp);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Kind;
    use crate::write::bytes;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_seen_before_commit_and_only_the_file_after() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let mut file = Atomic::create(&path).unwrap();
        file.write_all(b"hello").unwrap();
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn dropped_without_commit_leaves_the_old_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        bytes(&path, b"old").unwrap();
        let mut file = Atomic::create(&path).unwrap();
        file.write_all(&[7; 200_000]).unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        assert!(matches!(Atomic::create(Path::new("/")), Err(Error::BadName { .. })));
        assert!(matches!(Atomic::create(Path::new("..")), Err(Error::BadName { .. })));
    }

    #[test]
    fn a_missing_folder_is_named_by_the_path_that_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let error = bytes(&dir.path().join("no/a.txt"), b"x").unwrap_err();
        assert_eq!(error.kind(), Kind::Missing);
        assert!(error.to_string().contains("no/a.txt`"), "{error}");
    }

    /// `/dev/full` takes the place of the temporary file: every write reaches it, none succeeds.
    #[cfg(target_os = "linux")]
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a disk that is full")]
    fn a_full_disk_is_told_and_leaves_the_old_content() {
        for n in [10, 1 << 16, 1 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.bin");
            bytes(&path, b"old").unwrap();
            let temp = dir.path().join(".a.bin.1-0.tmp");
            bytes(&temp, b"").unwrap();
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut file = Atomic::over(&path, temp, full);
            let _told_by_commit = file.write_all(&vec![1; n]);
            let error = file.commit().unwrap_err();
            assert_eq!(error.kind(), Kind::DiskFull, "{error}");
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(dir.path()), ["a.bin"]);
        }
    }
}
