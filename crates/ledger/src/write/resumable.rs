//! One large file that arrives over several attempts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::{remove_file, rename};
use crate::{Error, Result};

/// A file whose beginning is kept in `<path>.part` between attempts, even between processes, until
/// it is [committed](Resumable::commit) or [discarded](Resumable::discard).
///
/// Unlike [`super::Atomic`] it trusts nobody: whoever resumes must check the whole against a digest
/// before committing.
#[derive(Debug)]
pub struct Resumable {
    path: PathBuf,
    part: PathBuf,
    file: File,
    n_bytes: u64,
}

impl Resumable {
    /// Takes up the part of `path` that is there, or starts a new one.
    ///
    /// # Errors
    /// When the folder is missing or the file system refuses.
    #[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
    pub fn open(path: &Path) -> Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = OpenOptions::new().read(true).append(true).create(true).open(&part);
        let file = file.map_err(|e| Error::io("write", path, 0, e))?;
        let n_bytes = file.metadata().map_err(|e| Error::io("read", &part, 0, e))?.len();
        Ok(Self { path: path.to_path_buf(), part, file, n_bytes })
    }

    /// Bytes that are there so far.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// What is there so far, from the beginning; whatever is written afterwards is still added at
    /// the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn content(&mut self) -> Result<impl Read + '_> {
        self.file.rewind().map_err(|e| Error::io("read", &self.part, 0, e))?;
        Ok((&self.file).take(self.n_bytes))
    }

    /// Forgets what is there so far.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn restart(&mut self) -> Result<()> {
        self.n_bytes = 0;
        self.file.set_len(0).map_err(|e| Error::io("empty", &self.part, 0, e))
    }

    /// Makes what is there so far survive a power cut.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("sync", &self.part, self.n_bytes, e))
    }

    /// Forgets what is there beyond so many bytes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn cut(&mut self, n_bytes: u64) -> Result<()> {
        self.n_bytes = self.n_bytes.min(n_bytes);
        self.file.set_len(self.n_bytes).map_err(|e| Error::io("cut", &self.part, self.n_bytes, e))
    }

    /// Syncs the content and puts it into place, replacing what was there.
    ///
    /// # Errors
    /// When the sync or the rename fails; the part stays then.
    pub fn commit(self) -> Result<()> {
        self.file.sync_all().map_err(|e| Error::io("write", &self.path, self.n_bytes, e))?;
        rename(&self.part, &self.path)
    }

    /// Gives the file up and removes the part.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn discard(self) -> Result<()> {
        remove_file(&self.part)
    }

    /// A failed write as an error that names the file.
    pub fn told(&self, source: io::Error) -> Error {
        Error::io("write", &self.path, self.n_bytes, source)
    }
}

impl Write for Resumable {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let n = self.file.write(content)?;
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_attempt_goes_on_where_the_first_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        Resumable::open(&path).unwrap().write_all(b"one ").unwrap();
        assert!(!path.exists());
        let mut second = Resumable::open(&path).unwrap();
        assert_eq!(second.n_bytes(), 4);
        let mut so_far = String::new();
        second.content().unwrap().read_to_string(&mut so_far).unwrap();
        assert_eq!(so_far, "one ");
        second.write_all(b"two").unwrap();
        second.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_restart_forgets_and_a_discard_removes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        let mut file = Resumable::open(&path).unwrap();
        file.write_all(b"wrong").unwrap();
        file.restart().unwrap();
        assert_eq!(file.n_bytes(), 0);
        file.write_all(b"right").unwrap();
        drop(file);
        let mut again = Resumable::open(&path).unwrap();
        let mut so_far = String::new();
        again.content().unwrap().read_to_string(&mut so_far).unwrap();
        assert_eq!(so_far, "right");
        again.discard().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
