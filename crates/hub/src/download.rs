//! One file from the hub, whole and checked, however often the connection breaks.
//!
//! Files are asked for by commit, so what an address holds never changes, and a part that is there
//! can be gone on with. Only a file whose SHA-256 is published is: its end is checked against it.
//! Small files have none and are fetched anew.

use std::io::{Read, Write};
use std::path::Path;
use std::thread;

use penname_ledger::event::{Event, Unit, Witness};
use penname_ledger::write::Resumable;

use crate::digest::Sha256;
use crate::http::{Answer, Client, Failure, encoded, encoded_path, is_passing};
use crate::listing::{Remote, check_status};
use crate::reference::Repo;
use crate::{Error, Options, Result};

/// Progress is told each time so many bytes have arrived.
const TELL_BYTES: u64 = 1 << 20;

/// However far each one gets, there are at most so many tries.
const MAX_TRIES: u32 = 100;

/// What a download needs to know.
pub(crate) struct Source<'a> {
    pub(crate) client: &'a Client<'a>,
    pub(crate) repo: &'a Repo,
    pub(crate) commit: &'a str,
    pub(crate) options: &'a Options<'a>,
    pub(crate) witness: &'a dyn Witness,
}

/// Fetches `remote` to `path` and returns its SHA-256. A file that is there already with the
/// published digest is left as it is.
pub(crate) fn fetch(source: &Source<'_>, remote: &Remote, path: &Path) -> Result<String> {
    if let Some(expected) = remote.sha256()
        && path.is_file()
        && sha256_of(path)? == expected
    {
        return Ok(expected.to_owned());
    }
    let mut part = Resumable::open(path)?;
    if remote.sha256().is_none() {
        part.restart()?;
    }
    let resumed = part.n_bytes() > 0;
    let found = match fill(source, remote, &mut part).and_then(|found| checked(remote, &part, found)) {
        Err(Error::WrongHash { .. } | Error::WrongSize { .. }) if resumed => {
            // The part that was there may have been the wrong one; a whole one decides.
            part.restart()?;
            fill(source, remote, &mut part).and_then(|found| checked(remote, &part, found))
        }
        other => other,
    };
    match found {
        Ok(sha256) => part.commit().map(|()| sha256).map_err(Error::from),
        Err(error) => {
            if !error.is_unreachable() && !matches!(error, Error::Stopped { .. }) {
                part.discard()?;
            }
            Err(error)
        }
    }
}

/// The SHA-256 of a file.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let read = std::fs::File::open(path).and_then(Sha256::of);
    read.map(Sha256::hex).map_err(|source| Error::Read { path: path.to_path_buf(), source })
}

fn checked(remote: &Remote, part: &Resumable, found: Sha256) -> Result<String> {
    let (file, n_bytes, found) = (remote.name.clone(), part.n_bytes(), found.hex());
    if let Some(expected) = remote.size().filter(|&size| size != n_bytes) {
        return Err(Error::WrongSize { file, found: n_bytes, expected });
    }
    match remote.sha256().filter(|&expected| expected != found) {
        Some(expected) => Err(Error::WrongHash { file, found, expected: expected.to_owned() }),
        None => Ok(found),
    }
}

/// Adds to the part until the file is whole, trying again where that may help.
fn fill(source: &Source<'_>, remote: &Remote, part: &mut Resumable) -> Result<Sha256> {
    let so_far = Sha256::of(part.content()?);
    let mut hasher = so_far.map_err(|e| part.told(e))?;
    let timeouts = source.client.timeouts;
    let (mut n_idle, mut wait) = (0, timeouts.retry);
    for n_tries in 1..=MAX_TRIES {
        let before = part.n_bytes();
        let error = match attempt(source, remote, part, &mut hasher) {
            Ok(()) => return Ok(hasher),
            Err(Failure::Lasting(error)) => return Err(error),
            Err(Failure::Passing(error)) => error,
        };
        if part.n_bytes() > before {
            (n_idle, wait) = (0, timeouts.retry);
        }
        n_idle += 1;
        if n_idle >= timeouts.n_tries || n_tries == MAX_TRIES {
            return Err(after_tries(error, n_tries));
        }
        let what = format!("{}; trying again", crate::error::chain(&error));
        source.witness.see(&Event::warning(what, ""));
        thread::sleep(wait);
        wait = wait.saturating_mul(2);
    }
    Ok(hasher)
}

/// Asks once for what is missing and adds what comes.
fn attempt(
    source: &Source<'_>,
    remote: &Remote,
    part: &mut Resumable,
    hasher: &mut Sha256,
) -> std::result::Result<(), Failure> {
    let lasting = |error: Error| Failure::Lasting(error);
    if remote.size().is_some_and(|size| part.n_bytes() >= size) && part.n_bytes() > 0 {
        return Ok(());
    }
    let path = format!(
        "/{}/resolve/{}/{}",
        encoded_path(&source.repo.id),
        encoded(source.commit),
        encoded_path(&remote.name)
    );
    let answer = source.client.get(&path, part.n_bytes())?;
    check_status(source.client, source.repo, &answer, Some(&remote.name)).map_err(lasting)?;
    if part.n_bytes() == 0 && answer.status != 200 {
        return Err(source.client.nonsense(&path, "a part nobody asked for"));
    }
    if part.n_bytes() > 0 && !goes_on(&answer, part.n_bytes()) {
        part.restart().map_err(|e| lasting(e.into()))?;
        *hasher = Sha256::default();
        if answer.status != 200 {
            return attempt(source, remote, part, hasher);
        }
    }
    receive(source, remote, answer, part, hasher)
}

/// Whether an answer begins where the part ends.
fn goes_on(answer: &Answer, n_bytes: u64) -> bool {
    let range = answer.header("content-range").and_then(|range| range.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split_once('-')?.0.parse::<u64>().ok());
    answer.status == 206 && start == Some(n_bytes)
}

fn receive(
    source: &Source<'_>,
    remote: &Remote,
    mut answer: Answer,
    part: &mut Resumable,
    hasher: &mut Sha256,
) -> std::result::Result<(), Failure> {
    let total = remote.size().or_else(|| Some(part.n_bytes() + answer.body.content_length()?));
    let mut reader = answer.body.as_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut told = part.n_bytes();
    loop {
        if source.options.is_stopped() {
            let (file, n_bytes) = (remote.name.clone(), part.n_bytes());
            return Err(Failure::Lasting(Error::Stopped { file, n_bytes }));
        }
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => return Err(broke(source, remote, part.n_bytes(), error)),
        };
        part.write_all(&buffer[..n]).map_err(|e| Failure::Lasting(part.told(e).into()))?;
        hasher.update(&buffer[..n]);
        if let Some(expected) = total.filter(|&total| part.n_bytes() > total) {
            let (file, found) = (remote.name.clone(), part.n_bytes());
            return Err(Failure::Lasting(Error::WrongSize { file, found, expected }));
        }
        if part.n_bytes() - told >= TELL_BYTES {
            told = part.n_bytes();
            tell(source, remote, told, total);
        }
    }
    tell(source, remote, part.n_bytes(), total);
    if total.is_some_and(|total| part.n_bytes() < total) {
        let ended = std::io::ErrorKind::UnexpectedEof.into();
        return Err(broke(source, remote, part.n_bytes(), ended));
    }
    Ok(())
}

fn tell(source: &Source<'_>, remote: &Remote, done: u64, total: Option<u64>) {
    let what = format!("fetching {}", remote.name);
    source.witness.see(&Event::progress(what, done, total, Unit::Bytes));
}

/// A connection that broke within a body. Whatever the cause, what came stays, so another try is
/// worth it; a broken protocol shows as `Other`.
fn broke(source: &Source<'_>, remote: &Remote, n_bytes: u64, error: std::io::Error) -> Failure {
    let passing = is_passing(&error) || error.kind() == std::io::ErrorKind::Other;
    let (host, file) = (source.client.host(), remote.name.clone());
    let error = Error::Broke { host, file, n_bytes, n_tries: 1, source: error };
    if passing { Failure::Passing(error) } else { Failure::Lasting(error) }
}

/// The last of several failures, with their number.
pub(crate) fn after_tries(error: Error, tries: u32) -> Error {
    match error {
        Error::Server { host, status, .. } => Error::Server { host, status, n_tries: tries },
        Error::Broke { host, file, n_bytes, source, .. } => {
            Error::Broke { host, file, n_bytes, n_tries: tries, source }
        }
        other => other,
    }
}

/// Repeats a small request until it succeeds, fails for good, or has been tried often enough.
pub(crate) fn retried<T>(
    client: &Client<'_>,
    mut ask: impl FnMut() -> std::result::Result<T, Failure>,
) -> Result<T> {
    let mut wait = client.timeouts.retry;
    let mut n_tries = 0;
    loop {
        n_tries += 1;
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(Failure::Lasting(error)) => return Err(error),
            Err(Failure::Passing(error)) if n_tries >= client.timeouts.n_tries => {
                return Err(after_tries(error, n_tries));
            }
            Err(Failure::Passing(_)) => thread::sleep(wait),
        }
        wait = wait.saturating_mul(2);
    }
}
