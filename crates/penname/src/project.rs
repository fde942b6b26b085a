//! A person's folder: where everything of one voice lies.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Kind};

/// Name of the settings file, which is also what makes a folder a project.
pub(crate) const SETTINGS: &str = "penname.yaml";

/// A folder with a `penname.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    dir: PathBuf,
}

impl Project {
    /// The project in this very folder.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn at(dir: &Path) -> Result<Self, Failure> {
        if dir.join(SETTINGS).is_file() {
            return Ok(Self { dir: dir.to_path_buf() });
        }
        let message = format!("there is no `{SETTINGS}` in `{}`", dir.display());
        Err(Failure::new(Kind::Usage, message)
            .hint("`penname new NAME` begins a voice in a folder of its own"))
    }

    /// The project that holds the folder one stands in: here or above.
    pub(crate) fn around(dir: &Path) -> Option<Self> {
        dir.ancestors().find_map(|dir| Self::at(dir).ok())
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder's name, which is the voice's unless it has another.
    pub(crate) fn name(&self) -> String {
        let whole = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        whole.file_name().map_or_else(|| "voice".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// `penname.yaml`.
    pub(crate) fn settings(&self) -> PathBuf {
        self.dir.join(SETTINGS)
    }

    /// What the person puts in.
    pub(crate) fn writing(&self) -> PathBuf {
        self.dir.join("writing")
    }

    /// What network sources gave: kept, because it cost time or money, and read like the writing.
    pub(crate) fn fetched(&self) -> PathBuf {
        self.dir.join("fetched")
    }

    /// Questions that a model wrote for passages: kept, because they cost money or time.
    pub(crate) fn asked(&self) -> PathBuf {
        self.dir.join("asked")
    }

    /// What is derived from it and can be made again.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The prepared corpus: documents, examples, what is held out, and the account.
    pub(crate) fn corpus(&self) -> PathBuf {
        self.data().join("corpus")
    }

    /// A new model as it was drawn, with its tokenizer.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.data().join("base")
    }

    /// Text that is learned whole, as shards of ids.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.data().join("tokens")
    }

    /// What people decided about examples.
    pub(crate) fn review(&self) -> PathBuf {
        self.dir.join("review")
    }

    /// Who and what is to be forgotten: a line each.
    pub(crate) fn forgotten(&self) -> PathBuf {
        self.dir.join(penname_corpus::forget::FILE)
    }

    /// What was made for other programs.
    pub(crate) fn exports(&self) -> PathBuf {
        self.dir.join("exports")
    }

    /// One folder for each training run.
    pub(crate) fn runs(&self) -> PathBuf {
        self.dir.join("runs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_from_below() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("my voice 🖋");
        let deep = dir.join("writing/letters");
        penname_ledger::write::folder(&deep).unwrap();
        assert_eq!(Project::around(&deep), None);
        penname_ledger::write::bytes(&dir.join(SETTINGS), b"").unwrap();
        let project = Project::around(&deep).unwrap();
        assert_eq!(project.dir(), dir);
        assert_eq!(project.name(), "my voice 🖋");
        assert_eq!(Project::at(&deep).unwrap_err().code(), 2);
    }
}
