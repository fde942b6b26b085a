//! What hosts asked to wait for, kept on disk: who starts the program again waits the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use penname_ledger::{Timestamp, write};
use serde::{Deserialize, Serialize};

/// One wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wait {
    /// Until when.
    pub(super) until: Timestamp,
    /// What was answered: `status 429`.
    pub(super) why: String,
}

/// The waits of all hosts.
#[derive(Debug)]
pub(super) struct Waits {
    path: PathBuf,
    by_host: BTreeMap<String, Wait>,
}

impl Waits {
    /// Those that are kept at `path`. A file that cannot be read holds none: it is no record of
    /// anything but patience.
    pub(super) fn open(path: &Path) -> Self {
        let kept = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path: path.to_owned(), by_host: kept.unwrap_or_default() }
    }

    /// What a host asked for, where that is not over.
    pub(super) fn of(&self, host: &str, now: Timestamp) -> Option<&Wait> {
        self.by_host.get(host).filter(|wait| wait.until > now)
    }

    /// Notes a wait and keeps it; those that are over are forgotten.
    pub(super) fn note(&mut self, host: &str, wait: Wait, now: Timestamp) -> penname_ledger::Result<()> {
        self.by_host.insert(host.to_owned(), wait);
        self.by_host.retain(|_, wait| wait.until > now);
        write::json(&self.path, &self.by_host)
    }
}
