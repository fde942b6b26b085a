//! Rules about the code that no compiler checks.
//!
//! Each file is one kind of rule, a function from text to findings, tested on a fixture in which a
//! fault is found. A new rule is a function, its line in [`findings`] and its fixture.

mod backed;
pub(crate) mod code;
mod layer;
mod link;
mod manifest;
mod place;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::screen::say;
use crate::{Result, root, shell};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    found: String,
    expected: String,
}

impl Finding {
    fn new(file: &str, line: usize, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, found: found.into(), expected: expected.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}, expected {}", self.file, self.line, self.found, self.expected)
    }
}

/// A file of the checkout: its path with `/` between the parts, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks the checkout.
///
/// # Errors
/// When anything was found; the findings are printed.
pub(crate) fn run() -> Result<()> {
    let files = text_files(&root())?;
    let mut found = findings(&files);
    found.extend(layer::check(&metadata()?, &files));
    found.sort();
    found.iter().for_each(|finding| say(&finding.to_string()));
    match found.len() {
        0 => Ok(()),
        1 => Err("one rule is broken".into()),
        n => Err(format!("{n} rules are broken").into()),
    }
}

fn findings(files: &[File]) -> Vec<Finding> {
    let mut found = source::check(files);
    found.extend(place::check(files));
    found.extend(link::check(files));
    found.extend(manifest::check(files));
    found.extend(backed::check(files));
    found
}

fn metadata() -> Result<serde_json::Value> {
    let mut command = shell::cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    Ok(serde_json::from_slice(&shell::capture(&mut command)?.stdout)?)
}

/// Every file of the checkout that is text and not ignored, in order of path.
///
/// # Errors
/// When a folder or file cannot be read.
pub(crate) fn text_files(root: &Path) -> Result<Vec<File>> {
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let ignored: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('/')).collect();
    let mut files = Vec::new();
    walk(root, "", &ignored, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(root: &Path, within: &str, ignored: &[&str], files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(root.join(within))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
        let kind = entry.file_type()?;
        if name == ".git" || name == "__pycache__" || ignored.contains(&path.as_str()) {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, ignored, files)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
            && !text.contains('\0')
        {
            files.push(File { path, text });
        }
    }
    Ok(())
}

/// The numbered lines of a text, from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file for a rule to look at.
    pub(crate) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// Findings as a person sees them.
    pub(crate) fn shown(found: &[Finding]) -> String {
        found.iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn the_walk_leaves_out_what_is_ignored_and_what_is_no_text() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, bytes: &[u8]| {
            let path = dir.path().join(path);
            penname_ledger::write::folder(path.parent().unwrap()).unwrap();
            penname_ledger::write::bytes(&path, bytes).unwrap();
        };
        write(".gitignore", b"/target\n/bench/.venv\n");
        write("target/a.rs", b"x");
        write("bench/.venv/b.py", b"x");
        write("bench/c.py", b"x");
        write("bench/target/d.rs", b"x");
        write("weights.bin", &[0xff, 0xfe, 0]);
        let paths: Vec<String> = text_files(dir.path()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [".gitignore", "bench/c.py", "bench/target/d.rs"]);
    }
}
