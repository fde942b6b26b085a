//! Everything that can go wrong with the books, by cause.

use std::io;
use std::path::{Path, PathBuf};

use crate::lock::Holder;

/// A failure of the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system has no room left, or the user's quota is used up.
    #[error("cannot {action} `{}`: no room left on the disk after {n_bytes} bytes", path.display())]
    DiskFull {
        /// What was being done, as a verb: `write`, `sync`.
        action: &'static str,
        /// The file or folder as the caller named it, not its temporary sibling.
        path: PathBuf,
        /// Bytes handed over before the disk was full.
        n_bytes: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refuses this user.
    #[error("cannot {action} `{}`: permission denied", path.display())]
    Denied {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file system is mounted read-only.
    #[error("cannot {action} `{}`: the file system is read-only", path.display())]
    ReadOnly {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other refusal of the operating system.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A value could not be turned into JSON.
    #[error("cannot write `{}` as JSON", path.display())]
    Encode {
        /// Where it was going.
        path: PathBuf,
        /// What the encoder said.
        source: serde_json::Error,
    },
    /// A file of the ledger does not hold what it should.
    #[error("`{}` does not hold {expected}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What was expected in it.
        expected: &'static str,
        /// What the decoder said.
        source: serde_json::Error,
    },
    /// A file name that would lead out of the folder it belongs to, or that has no name at all.
    #[error("`{name}` is not {expected}")]
    BadName {
        /// What was given.
        name: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Another process is using the folder.
    #[error("`{}` is in use by {holder}", dir.display())]
    Held {
        /// The folder.
        dir: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// A process on another machine took the folder and never gave it back.
    #[error("`{}` was taken by {holder}, which cannot be asked whether it still runs", dir.display())]
    HeldElsewhere {
        /// The folder.
        dir: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// A run with this name is already there.
    #[error("a run named `{name}` already exists in `{}`", dir.display())]
    RunExists {
        /// The name.
        name: String,
        /// The folder of all runs.
        dir: PathBuf,
    },
    /// There is no run of this name.
    #[error("no run named `{name}` in `{}`", dir.display())]
    NoRun {
        /// The name.
        name: String,
        /// The folder of all runs.
        dir: PathBuf,
    },
}

/// The coarse cause, for choosing an exit code or a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// No room, or the quota is used up.
    DiskFull,
    /// This user may not.
    Denied,
    /// Mounted read-only.
    ReadOnly,
    /// The file or folder is not there.
    Missing,
    /// Someone else is using it.
    Held,
    /// The content is not what it should be.
    Malformed,
    /// Anything else the operating system refuses.
    Io,
}

impl Error {
    /// Sorts an operating system error by cause; `n_bytes` is what had been handed over by then.
    pub fn io(action: &'static str, path: &Path, n_bytes: u64, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { action, path, n_bytes, source }
            }
            io::ErrorKind::PermissionDenied => Self::Denied { action, path, source },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { action, path, source },
            _ => Self::Io { action, path, source },
        }
    }

    /// The coarse cause.
    pub fn kind(&self) -> Kind {
        match self {
            Self::DiskFull { .. } => Kind::DiskFull,
            Self::Denied { .. } => Kind::Denied,
            Self::ReadOnly { .. } => Kind::ReadOnly,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::Missing,
            Self::NoRun { .. } => Kind::Missing,
            Self::Io { .. } => Kind::Io,
            Self::Encode { .. } | Self::Decode { .. } | Self::BadName { .. } => Kind::Malformed,
            Self::Held { .. } | Self::HeldElsewhere { .. } | Self::RunExists { .. } => Kind::Held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operating_system_errors_are_sorted_by_cause() {
        let check = |kind: io::ErrorKind, expected: Kind| {
            assert_eq!(Error::io("write", Path::new("x"), 3, kind.into()).kind(), expected);
        };
        check(io::ErrorKind::StorageFull, Kind::DiskFull);
        check(io::ErrorKind::QuotaExceeded, Kind::DiskFull);
        check(io::ErrorKind::PermissionDenied, Kind::Denied);
        check(io::ErrorKind::ReadOnlyFilesystem, Kind::ReadOnly);
        check(io::ErrorKind::NotFound, Kind::Missing);
        check(io::ErrorKind::BrokenPipe, Kind::Io);
    }

    #[test]
    fn a_full_disk_names_the_path_and_the_bytes() {
        let full = Error::io("write", Path::new("a/b"), 4096, io::ErrorKind::StorageFull.into());
        expect_test::expect!["cannot write `a/b`: no room left on the disk after 4096 bytes"]
            .assert_eq(&full.to_string());
    }
}
