//! One folder, all of it or none.

use std::path::{Path, PathBuf};

use super::sweep::{Leftover, temporary_name};
use super::{Atomic, folder, folder_of, remove_folder, rename, sweep, sync_folder};
use crate::{Error, Result};

/// A folder being filled beside the place it is meant for.
///
/// Nothing is seen at the path until [`Staged::commit`]; dropped before that, the folder goes. An
/// older folder at the path is replaced whole: it is set aside, the new one moves in, and only
/// then is the old one removed. A process killed in between leaves the old one set aside, and
/// [`sweep`](super::sweep()) puts it back.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    temp: PathBuf,
    done: bool,
}

impl Staged {
    /// Starts a folder meant for `path`, making the folders above it and sweeping up after killed
    /// predecessors.
    ///
    /// # Errors
    /// When `path` ends in no name or the file system refuses.
    pub fn create(path: &Path) -> Result<Self> {
        let parent = folder_of(path);
        let temp = parent.join(temporary_name(path, Leftover::Partial)?);
        folder(parent)?;
        sweep(parent)?;
        folder(&temp)?;
        Ok(Self { path: path.to_path_buf(), temp, done: false })
    }

    /// The folder as it is now, for writing into.
    pub fn dir(&self) -> &Path {
        &self.temp
    }

    /// Starts a file of this folder; `name` may lead into subfolders, which are made.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn file(&self, name: impl AsRef<Path>) -> Result<Atomic> {
        let path = self.temp.join(name);
        folder(folder_of(&path))?;
        Atomic::create(&path)
    }

    /// Puts the folder into place, replacing an older one.
    ///
    /// # Errors
    /// When the file system refuses; the path then holds what it held before.
    pub fn commit(mut self) -> Result<()> {
        sync_folder(&self.temp)?;
        if std::fs::symlink_metadata(&self.path).is_ok() {
            self.replace()?;
        } else {
            rename(&self.temp, &self.path)?;
        }
        self.done = true;
        Ok(())
    }

    /// Puts the folder into place where nothing is yet; of several processes that try, one succeeds.
    ///
    /// # Errors
    /// When there is something at the path, or the file system refuses.
    pub fn commit_new(mut self) -> Result<()> {
        sync_folder(&self.temp)?;
        // Renaming a folder onto one that holds anything fails, which decides between processes.
        rename(&self.temp, &self.path)?;
        self.done = true;
        Ok(())
    }

    fn replace(&self) -> Result<()> {
        if !self.path.is_dir() {
            return Err(Error::BadName { name: self.path.display().to_string(), expected: "a folder" });
        }
        let aside = folder_of(&self.path).join(temporary_name(&self.path, Leftover::SetAside)?);
        rename(&self.path, &aside)?;
        if let Err(error) = rename(&self.temp, &self.path) {
            // Back to how it was; if even that fails, a later sweep restores it.
            let _unheard = rename(&aside, &self.path);
            return Err(error);
        }
        // The new folder is in place: an old one that cannot be removed is swept another time.
        let _unheard = remove_folder(&aside);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.done {
            // Nobody is left to hear of a failure; `sweep` finds what stays behind.
            let _unheard = remove_folder(&self.temp);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;
    use crate::write::bytes;

    fn entries(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    fn stage(path: &Path, name: &str) -> Staged {
        let staged = Staged::create(path).unwrap();
        let mut file = staged.file(name).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        file.commit().unwrap();
        staged
    }

    #[test]
    fn the_folder_appears_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/step-1");
        let staged = stage(&path, "sub/a");
        assert!(!path.exists());
        staged.commit().unwrap();
        assert_eq!(fs::read(path.join("sub/a")).unwrap(), b"sub/a");
        assert_eq!(entries(&dir.path().join("deep")), 1);
    }

    #[test]
    fn an_older_folder_is_replaced_not_merged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        stage(&path, "a").commit().unwrap();
        stage(&path, "b").commit().unwrap();
        assert!(path.join("b").exists() && !path.join("a").exists());
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn of_two_new_folders_the_first_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (first, second) = (stage(&path, "a"), stage(&path, "b"));
        first.commit_new().unwrap();
        assert!(second.commit_new().is_err());
        assert!(path.join("a").exists() && !path.join("b").exists());
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn dropped_without_commit_keeps_the_older_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        stage(&path, "a").commit().unwrap();
        drop(stage(&path, "b"));
        assert!(path.join("a").exists() && !path.join("b").exists());
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let staged = stage(&path, "a");
        bytes(&path, b"mine").unwrap();
        assert!(matches!(staged.commit(), Err(Error::BadName { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(entries(dir.path()), 1);
    }
}
