//! The folder of one training run.
//!
//! ```text
//! runs/<name>/
//!   run.json         name, parent, when it was begun
//!   settings.json    the resolved settings
//!   status.jsonl     started, interrupted, failed, done: one row each time
//!   metrics.jsonl    one row a step
//!   checkpoints/     step-00000120/ and so on, each put into place whole
//!   adapter/         what was learned
//!   report/          what it is worth
//!   manifest.json    written last
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Hash, Journal, Kind, Lock, Result, Timestamp, clock, journal, manifest, write};

/// What a run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// A base model.
    Base {
        /// What it is called.
        name: String,
        /// Digest of its weights.
        hash: Hash,
    },
    /// An earlier run of the same folder.
    Run {
        /// Its name.
        name: String,
    },
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Work began, or went on.
    Started,
    /// Stopped on purpose; it can go on from its newest checkpoint.
    Interrupted,
    /// Stopped by an error.
    Failed {
        /// The error in words.
        reason: String,
    },
    /// Finished.
    Done,
}

/// One row of `status.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRow {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub status: Status,
}

/// `run.json`: what is known of a run from its first moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Birth {
    /// The run's name.
    pub name: String,
    /// What it starts from.
    pub parent: Parent,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// A run on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    dir: PathBuf,
    birth: Birth,
}

impl Run {
    /// Begins a run of this name in the folder of all runs.
    ///
    /// # Errors
    /// When the name is no plain file name, is taken, or the file system refuses.
    pub fn create(runs_dir: &Path, name: &str, parent: Parent) -> Result<Self> {
        check_name(name)?;
        let dir = runs_dir.join(name);
        let taken = || Error::RunExists { name: name.to_owned(), dir: runs_dir.to_path_buf() };
        if fs::symlink_metadata(&dir).is_ok() {
            return Err(taken());
        }
        let birth = Birth { name: name.to_owned(), parent, begun_at: clock::now() };
        let staged = write::Staged::create(&dir)?;
        write::json(&staged.dir().join("run.json"), &birth)?;
        write::folder(&staged.dir().join("checkpoints"))?;
        // Another process may have taken the name meanwhile.
        staged.commit_new().map_err(|error| if dir.exists() { taken() } else { error })?;
        Ok(Self { dir, birth })
    }

    /// Opens the run of this name.
    ///
    /// # Errors
    /// When there is none or its `run.json` cannot be read.
    pub fn open(runs_dir: &Path, name: &str) -> Result<Self> {
        check_name(name)?;
        Self::at(&runs_dir.join(name)).map_err(|error| match error.kind() {
            Kind::Missing => Error::NoRun { name: name.to_owned(), dir: runs_dir.to_path_buf() },
            _ => error,
        })
    }

    /// Opens the run in this folder.
    ///
    /// # Errors
    /// When its `run.json` cannot be read.
    pub fn at(dir: &Path) -> Result<Self> {
        let path = dir.join("run.json");
        let text = fs::read(&path).map_err(|e| Error::io("read", &path, 0, e))?;
        let birth = serde_json::from_slice(&text).map_err(|source| Error::Decode {
            path,
            expected: "the beginning of a run",
            source,
        })?;
        Ok(Self { dir: dir.to_path_buf(), birth })
    }

    /// All runs, newest first. Folders that are no runs are passed over; a missing folder has none.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn list(runs_dir: &Path) -> Result<Vec<Self>> {
        let mut runs: Vec<_> = names_in(runs_dir)?
            .iter()
            .filter(|name| check_name(name).is_ok())
            .filter_map(|name| Self::at(&runs_dir.join(name)).ok())
            .collect();
        runs.sort_by(|a, b| (b.birth.begun_at, &b.dir).cmp(&(a.birth.begun_at, &a.dir)));
        Ok(runs)
    }

    /// The run's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The run's name.
    pub fn name(&self) -> &str {
        &self.birth.name
    }

    /// What the run starts from and when it was begun.
    pub fn birth(&self) -> &Birth {
        &self.birth
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process has it.
    pub fn lock(&self) -> Result<Lock> {
        Lock::acquire(&self.dir)
    }

    /// The resolved settings.
    pub fn settings(&self) -> PathBuf {
        self.dir.join("settings.json")
    }

    /// The record of the finished run.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join(manifest::FILE)
    }

    /// The journal of measurements.
    pub fn metrics(&self) -> PathBuf {
        self.dir.join("metrics.jsonl")
    }

    /// What was learned.
    pub fn adapter(&self) -> PathBuf {
        self.dir.join("adapter")
    }

    /// What it is worth.
    pub fn report(&self) -> PathBuf {
        self.dir.join("report")
    }

    /// The folder of one checkpoint, to be put into place with [`write::Staged`].
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.dir.join("checkpoints").join(format!("step-{step:08}"))
    }

    /// The finished checkpoints with their steps, newest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let names = names_in(&self.dir.join("checkpoints"))?;
        let step = |name: &String| name.strip_prefix("step-")?.parse::<u64>().ok();
        let mut steps: Vec<_> = names.iter().filter_map(step).collect();
        steps.sort_unstable();
        let found = steps.into_iter().rev().map(|step| (step, self.checkpoint(step)));
        Ok(found.filter(|(_, dir)| dir.is_dir()).collect())
    }

    /// Notes how the run stands.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn set_status(&self, status: Status) -> Result<()> {
        let mut journal = Journal::open(&self.status_file())?;
        journal.append(&StatusRow { at: clock::now(), status })?;
        journal.sync()
    }

    /// How the run stood last, and since when; `None` before it was first started. A row that says
    /// [`Status::Started`] while nobody [holds](Lock::peek) the folder is of a run that was killed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn status(&self) -> Result<Option<StatusRow>> {
        match journal::read::<StatusRow>(&self.status_file()) {
            Ok(rows) => Ok(rows.filter_map(|row| row.ok()).last()),
            Err(error) if error.kind() == Kind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn status_file(&self) -> PathBuf {
        self.dir.join("status.jsonl")
    }
}

/// Names with a meaning to a shell or a file system are refused before they become folders.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = (1..=100).contains(&name.len()) && !name.starts_with(['.', '-']) && name.chars().all(plain);
    let expected = "a name of letters, digits, `-`, `_` and `.`, at most 100 bytes";
    if fits { Ok(()) } else { Err(Error::BadName { name: name.to_owned(), expected }) }
}

/// Names of the entries of a folder; none when there is no folder.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", dir, 0, e)),
    };
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Parent {
        Parent::Base { name: "smollm2-135m-instruct".into(), hash: Hash::of(b"weights") }
    }

    #[test]
    fn a_run_is_begun_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs");
        let run = Run::create(&runs, "first", base()).unwrap();
        assert_eq!(Run::open(&runs, "first").unwrap(), run);
        assert!(matches!(Run::create(&runs, "first", base()), Err(Error::RunExists { .. })));
        assert!(matches!(Run::open(&runs, "second"), Err(Error::NoRun { .. })));
        let parent = Parent::Run { name: "first".into() };
        let child = Run::create(&runs, "second", parent.clone()).unwrap();
        assert_eq!(Run::open(&runs, "second").unwrap().birth().parent, parent);
        assert_eq!(child.name(), "second");
    }

    #[test]
    fn runs_are_listed_newest_first_and_strangers_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Run::list(&dir.path().join("none")).unwrap(), []);
        for (name, ms) in [("b", 2000), ("a", 1000), ("c", 3000)] {
            let run = Run::create(dir.path(), name, base()).unwrap();
            let birth = Birth { begun_at: Timestamp::from_ms(ms), ..run.birth().clone() };
            write::json(&run.dir().join("run.json"), &birth).unwrap();
        }
        write::folder(&dir.path().join("stranger")).unwrap();
        let runs = Run::list(dir.path()).unwrap();
        let names: Vec<&str> = runs.iter().map(Run::name).collect();
        assert_eq!(names, ["c", "b", "a"]);
    }

    #[test]
    fn the_last_status_counts_even_after_a_torn_row() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::create(dir.path(), "r", base()).unwrap();
        assert_eq!(run.status().unwrap(), None);
        let failed = Status::Failed { reason: "no room left".into() };
        for status in [Status::Started, Status::Interrupted, Status::Started, failed.clone()] {
            run.set_status(status.clone()).unwrap();
            assert_eq!(run.status().unwrap().unwrap().status, status);
        }
        let path = run.dir().join("status.jsonl");
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"at\":");
        write::bytes(&path, &torn).unwrap();
        assert_eq!(run.status().unwrap().unwrap().status, failed);
        run.set_status(Status::Done).unwrap();
        assert_eq!(run.status().unwrap().unwrap().status, Status::Done);
    }

    #[test]
    fn checkpoints_are_listed_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::create(dir.path(), "r", base()).unwrap();
        for step in [5, 120, 30] {
            write::folder(&run.checkpoint(step)).unwrap();
        }
        write::folder(&run.dir().join("checkpoints/.step-00000200.9-1.tmp")).unwrap();
        let steps: Vec<u64> = run.checkpoints().unwrap().into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, [120, 30, 5]);
    }

    #[test]
    fn names_are_plain() {
        let check = |name: &str, expected: bool| assert_eq!(check_name(name).is_ok(), expected, "{name}");
        check("first-run_2.1", true);
        check("étude", true);
        check("", false);
        check(".hidden", false);
        check("-flag", false);
        check("a/b", false);
        check("..", false);
        check("a b", false);
        check(&"x".repeat(101), false);
    }
}
