//! Lines of JSON that are only ever added: metrics, statuses, decisions.
//!
//! A process can be killed, or a disk be full, in the middle of a line. Opening a journal to write
//! cuts a torn last line off; reading one never fails because of a bad line but hands it out as
//! such, with its number.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A journal open for adding. One writer at a time: hold the folder's [`crate::Lock`].
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    n_bytes: u64,
    n_healed: u64,
}

impl Journal {
    /// Opens the journal at `path`, starting it if there is none, and cuts off a torn last line.
    ///
    /// A last line that lacks nothing but its line end is kept and given one.
    ///
    /// # Errors
    /// When the file system refuses.
    #[expect(clippy::disallowed_methods, reason = "a journal is a file of this crate's own")]
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| Error::io("open", path, 0, e))?;
        let mut journal = Self { path: path.to_path_buf(), file, n_bytes: 0, n_healed: 0 };
        journal.heal().map_err(|e| Error::io("mend", path, 0, e))?;
        Ok(journal)
    }

    /// Bytes of a torn last line that opening cut off.
    pub fn n_healed(&self) -> u64 {
        self.n_healed
    }

    /// Adds one row as one line, with a single call to the operating system.
    ///
    /// # Errors
    /// When the row has no JSON form, the disk is full, or the file system refuses. Nothing of the
    /// row stays in the journal then.
    pub fn append(&mut self, row: &impl Serialize) -> Result<()> {
        let mut line =
            serde_json::to_vec(row).map_err(|source| Error::Encode { path: self.path.clone(), source })?;
        line.push(b'\n');
        if let Err(source) = self.file.write_all(&line) {
            // If even this fails, the next opening cuts the torn line off.
            let _unheard = self.file.set_len(self.n_bytes);
            return Err(Error::io("add to", &self.path, self.n_bytes, source));
        }
        self.n_bytes += line.len() as u64;
        Ok(())
    }

    /// Makes everything added so far survive a power cut.
    ///
    /// # Errors
    /// When the disk is full or the file system refuses.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("sync", &self.path, self.n_bytes, e))
    }

    /// Keeps the leading rows for which `within` holds and cuts off everything from the first row
    /// for which it does not; returns how many rows were cut off, bad ones included.
    ///
    /// This is how a resumed run forgets what it measured after its checkpoint.
    ///
    /// # Errors
    /// When the file cannot be read or cut.
    pub fn truncate_after<T: DeserializeOwned>(&mut self, mut within: impl FnMut(&T) -> bool) -> Result<u64> {
        let mut rows = read::<T>(&self.path)?;
        let mut n_kept_bytes = 0;
        let mut n_cut = 0;
        while let Some(row) = rows.next() {
            if n_cut > 0 || row.is_ok_and(|row| !within(&row)) {
                n_cut += 1;
            } else {
                n_kept_bytes = rows.n_bytes;
            }
        }
        if n_cut > 0 {
            self.file.set_len(n_kept_bytes).map_err(|e| Error::io("cut", &self.path, n_kept_bytes, e))?;
            self.n_bytes = n_kept_bytes;
            self.sync()?;
        }
        Ok(n_cut)
    }

    fn heal(&mut self) -> io::Result<()> {
        let n_all = self.file.seek(SeekFrom::End(0))?;
        let n_whole = end_of_last_line(&mut self.file, n_all)?;
        self.n_bytes = n_all;
        if n_whole == n_all {
            return Ok(());
        }
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(n_whole))?;
        (&self.file).take(n_all - n_whole).read_to_end(&mut tail)?;
        if is_whole(&tail) {
            self.file.write_all(b"\n")?;
            self.n_bytes += 1;
        } else {
            self.file.set_len(n_whole)?;
            self.n_bytes = n_whole;
            self.n_healed = n_all - n_whole;
        }
        self.file.sync_data()
    }
}

/// Whether a line without its end lost nothing else. Only objects and arrays can be judged: they
/// close themselves, while `12` may be what is left of `123`.
fn is_whole(tail: &[u8]) -> bool {
    matches!(tail.first(), Some(b'{' | b'[')) && serde_json::from_slice::<serde::de::IgnoredAny>(tail).is_ok()
}

/// Position just after the last line end before `n_all`, searched backwards in pieces.
fn end_of_last_line(file: &mut File, n_all: u64) -> io::Result<u64> {
    let mut piece = [0; 512];
    let mut end = n_all;
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let piece = &mut piece[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A line that is not a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadRow {
    /// The line is not JSON of the expected shape.
    #[error("line {line_no} is not a row: {source}")]
    Malformed {
        /// Counted from 1.
        line_no: u64,
        /// What the decoder said.
        source: serde_json::Error,
    },
    /// The file could not be read on; nothing follows.
    #[error("line {line_no} cannot be read: {source}")]
    Unreadable {
        /// Counted from 1.
        line_no: u64,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The rows of a journal in order; see [`read`].
#[derive(Debug)]
pub struct Rows<T> {
    reader: BufReader<File>,
    line: Vec<u8>,
    line_no: u64,
    /// Bytes of all lines handed out so far.
    n_bytes: u64,
    done: bool,
    row: PhantomData<fn() -> T>,
}

/// Reads a journal row by row without changing it. Empty lines are passed over.
///
/// # Errors
/// When the file cannot be opened. Bad lines are items, not errors.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Rows<T>> {
    let file = File::open(path).map_err(|e| Error::io("read", path, 0, e))?;
    let reader = BufReader::new(file);
    Ok(Rows { reader, line: Vec::new(), line_no: 0, n_bytes: 0, done: false, row: PhantomData })
}

/// Reads a whole journal: the rows, and the lines that are none.
///
/// # Errors
/// When the file cannot be opened.
pub fn read_all<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, Vec<BadRow>)> {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for row in read(path)? {
        match row {
            Ok(row) => rows.push(row),
            Err(line) => bad.push(line),
        }
    }
    Ok((rows, bad))
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = std::result::Result<T, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            self.line.clear();
            self.line_no += 1;
            match self.reader.read_until(b'\n', &mut self.line) {
                Ok(0) => self.done = true,
                Ok(n) => self.n_bytes += n as u64,
                Err(source) => {
                    self.done = true;
                    return Some(Err(BadRow::Unreadable { line_no: self.line_no, source }));
                }
            }
            if !self.line.trim_ascii().is_empty() {
                let row = serde_json::from_slice(&self.line);
                return Some(row.map_err(|source| BadRow::Malformed { line_no: self.line_no, source }));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Kind;

    /// Without syncing, which is most of the time these tests would take.
    #[expect(clippy::disallowed_methods, reason = "a file that is torn on purpose")]
    fn journal(dir: &tempfile::TempDir, content: &[u8]) -> PathBuf {
        let path = dir.path().join("j.jsonl");
        let mut file = File::options().write(true).create(true).truncate(true).open(&path).unwrap();
        file.write_all(content).unwrap();
        path
    }

    fn rows(path: &Path) -> Vec<Value> {
        let (rows, bad) = read_all(path).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        rows
    }

    #[test]
    fn survives_being_cut_at_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let all = [json!({"a": "é\n"}), json!([1, 2]), json!({"b": {}, "long": "x".repeat(600)})];
        let path = journal(&dir, b"");
        let mut writer = Journal::open(&path).unwrap();
        all.iter().for_each(|row| writer.append(row).unwrap());
        let content = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..content.len()).filter(|&i| content[i] == b'\n').collect();
        for n in 0..=content.len() {
            journal(&dir, &content[..n]);
            let mut writer = Journal::open(&path).unwrap();
            // A row is whole with its last brace; its line end may be missing.
            let n_whole = ends.iter().filter(|&&end| end <= n).count();
            assert_eq!(rows(&path), all[..n_whole], "cut at {n}");
            writer.append(&json!({"after": n})).unwrap();
            assert_eq!(rows(&path).len(), n_whole + 1);
            assert_eq!(rows(&path)[n_whole], json!({"after": n}));
            let whole_bytes = if n_whole == 0 { 0 } else { ends[n_whole - 1] + 1 };
            assert_eq!(writer.n_healed(), n.saturating_sub(whole_bytes) as u64);
        }
    }

    #[test]
    fn a_torn_number_is_not_taken_for_a_row() {
        let check = |content: &[u8], expected: &[u8]| {
            let dir = tempfile::tempdir().unwrap();
            let path = journal(&dir, content);
            Journal::open(&path).unwrap();
            assert_eq!(fs::read(path).unwrap(), expected);
        };
        check(b"1\n12", b"1\n");
        check(b"{\"a\":1}", b"{\"a\":1}\n");
        check(b"{\"a\":1}\n\0\0\0\0", b"{\"a\":1}\n");
        check(b"{\"a\":1} {", b"");
        check(b"", b"");
    }

    #[test]
    fn bad_lines_are_counted_and_passed() {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(&dir, b"{\"a\":1}\nnonsense\n\n\xff\xfe\n{\"a\":2}");
        let (rows, bad) = read_all::<Value>(&path).unwrap();
        assert_eq!(rows, [json!({"a": 1}), json!({"a": 2})]);
        let told: Vec<String> = bad.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("line 2 ") && told[1].starts_with("line 4 "), "{told:?}");
        assert_eq!(bad.len(), 2);
    }

    #[test]
    fn a_missing_journal_is_missing_when_read_and_made_when_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.jsonl");
        assert_eq!(read::<Value>(&path).unwrap_err().kind(), Kind::Missing);
        Journal::open(&path).unwrap();
        assert_eq!(rows(&path).len(), 0);
    }

    #[test]
    fn rows_after_a_checkpoint_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(&dir, b"");
        let mut writer = Journal::open(&path).unwrap();
        (1..=9).for_each(|step| writer.append(&json!({"step": step})).unwrap());
        let up_to = |last: i64| move |row: &Value| row["step"].as_i64().unwrap() <= last;
        assert_eq!(writer.truncate_after(up_to(20)).unwrap(), 0);
        assert_eq!(writer.truncate_after(up_to(6)).unwrap(), 3);
        writer.append(&json!({"step": 7, "again": true})).unwrap();
        assert_eq!(rows(&path).len(), 7);
        assert_eq!(rows(&path)[6], json!({"step": 7, "again": true}));
        assert_eq!(writer.truncate_after(up_to(0)).unwrap(), 7);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told() {
        let mut writer = Journal::open(Path::new("/dev/full")).unwrap();
        assert_eq!(writer.append(&json!({"a": 1})).unwrap_err().kind(), Kind::DiskFull);
    }

    proptest! {
        #[test]
        fn opening_twice_changes_nothing_more(content: Vec<u8>) {
            let dir = tempfile::tempdir().unwrap();
            let path = journal(&dir, &content);
            Journal::open(&path).unwrap();
            let once = fs::read(&path).unwrap();
            prop_assert_eq!(Journal::open(&path).unwrap().n_healed(), 0);
            prop_assert_eq!(fs::read(&path).unwrap(), once);
        }
    }
}
