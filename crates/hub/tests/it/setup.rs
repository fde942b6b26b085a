//! A small model, the hub that has it, and a cache to pull it into.

use std::path::Path;
use std::time::Duration;

use penname_hub::{Base, Options, Reference, Result, Timeouts, pull};
use penname_ledger::event::Recorder;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::{Reply, Request, Server};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Larger than what one read returns and than one progress event.
pub(crate) fn weights() -> Vec<u8> {
    (0..1_300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The listing a hub gives for the small model.
pub(crate) fn listing() -> String {
    listing_with(&sha256(&weights()))
}

pub(crate) fn listing_with(sha256: &str) -> String {
    let size = weights().len();
    format!(
        r#"{{"sha": "{COMMIT}", "siblings": [
            {{"rfilename": ".gitattributes", "size": 5}},
            {{"rfilename": "config.json", "size": 2}},
            {{"rfilename": "tokenizer.json", "size": 4}},
            {{"rfilename": "pytorch_model.bin", "size": 9}},
            {{"rfilename": "model.safetensors", "size": {size},
              "lfs": {{"sha256": "{sha256}", "size": {size}}}}}]}}"#
    )
}

/// What a hub without quirks answers.
pub(crate) fn plain(request: &Request) -> Reply {
    let files = format!("/o/n/resolve/{COMMIT}/");
    match request.path.strip_prefix(&files) {
        Some("config.json") => Reply::ok("{}"),
        Some("tokenizer.json") => Reply::ok("[{}]"),
        Some("model.safetensors") => Reply::ranged(request, &weights()),
        None if request.path == "/api/models/o/n/revision/main?blobs=true" => Reply::ok(listing()),
        _ => Reply::status(404),
    }
}

/// A place to pull into, and everything that was told on the way.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) recorder: Recorder,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), recorder: Recorder::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Quick to give up, so that tests need not wait.
    pub(crate) fn options<'a>(&'a self, server: &'a Server) -> Options<'a> {
        let (connect, read) = (Duration::from_secs(5), Duration::from_secs(5));
        let timeouts = Timeouts { connect, read, retry: Duration::from_millis(1), n_tries: 3 };
        Options { endpoint: &server.endpoint, timeouts, ..Options::new(self.dir.path()) }
    }

    pub(crate) fn pull(&self, server: &Server) -> Result<Base> {
        self.pull_as("o/n", &self.options(server))
    }

    pub(crate) fn pull_as(&self, typed: &str, options: &Options<'_>) -> Result<Base> {
        pull(&Reference::parse(typed).unwrap(), options, &self.recorder)
    }

    pub(crate) fn revision(&self) -> std::path::PathBuf {
        self.dir.path().join("bases/o--n/main")
    }
}
