//! Which files there are, in an order that does not depend on the file system.
//!
//! Links are followed, each folder is entered once, hidden names are left alone, and whatever
//! cannot be entered becomes an issue.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::issue::{Code, Issue, Severity};

/// Folders inside folders beyond which nobody keeps writing.
const MAX_DEPTH: usize = 64;

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its name below the root, with `/` between parts and bytes that are no UTF-8 as `\xff`.
    pub(super) name: String,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) files: Vec<File>,
    pub(super) issues: Vec<Issue>,
}

/// Lists the files below `root`; `root` may also be a single file.
pub(super) fn walk(root: &Path) -> Result<Walked, Error> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path: root.to_owned() },
        _ => Error::Unreadable { path: root.to_owned(), source },
    };
    let mut walked = Walked::default();
    if fs::metadata(root).map_err(unreadable)?.is_file() {
        let name = readable(root.file_name().unwrap_or(root.as_os_str())).0;
        walked.files.push(File { path: root.to_owned(), name });
        return Ok(walked);
    }
    fs::read_dir(root).map_err(unreadable)?;
    let mut walk = Walk { walked, entered: BTreeSet::new() };
    walk.folder(root, "", 0);
    walk.walked.files.sort_by(|a, b| a.name.cmp(&b.name));
    walk.walked.issues.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.walked)
}

struct Walk {
    walked: Walked,
    entered: BTreeSet<PathBuf>,
}

impl Walk {
    fn folder(&mut self, path: &Path, name: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.issue(name, Code::Depth, Severity::Skipped, "folders are nested too deep");
        }
        let opened = path.canonicalize().and_then(|real| Ok((real, fs::read_dir(path)?)));
        let (real, entries) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.issue(name, Code::Unreadable, Severity::Bad, &error.to_string()),
        };
        if !self.entered.insert(real) {
            return self.issue(name, Code::Link, Severity::Skipped, "leads to a folder that is read already");
        }
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => self.issue(name, Code::Unreadable, Severity::Bad, &error.to_string()),
            }
        }
        names.sort();
        for child in names {
            self.entry(path, name, &child, depth);
        }
    }

    fn entry(&mut self, parent: &Path, parent_name: &str, child: &OsStr, depth: usize) {
        let (child_name, is_utf8) = readable(child);
        let name =
            if parent_name.is_empty() { child_name.clone() } else { format!("{parent_name}/{child_name}") };
        let path = parent.join(child);
        if child_name.starts_with('.') {
            return self.issue(&name, Code::Hidden, Severity::Skipped, "hidden");
        }
        if !is_utf8 {
            self.issue(
                &name,
                Code::Name,
                Severity::Note,
                "the name is not UTF-8; odd bytes are shown as \\x..",
            );
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => self.folder(&path, &name, depth + 1),
            Ok(meta) if meta.is_file() => self.walked.files.push(File { path, name }),
            Ok(_) => self.issue(&name, Code::Special, Severity::Skipped, "neither a file nor a folder"),
            Err(error) if path.is_symlink() => {
                self.issue(
                    &name,
                    Code::Link,
                    Severity::Skipped,
                    &format!("a link that cannot be followed: {error}"),
                );
            }
            Err(error) => self.issue(&name, Code::Unreadable, Severity::Bad, &error.to_string()),
        }
    }

    fn issue(&mut self, name: &str, code: Code, severity: Severity, detail: &str) {
        self.walked.issues.push(Issue::new(name, code, severity, detail));
    }
}

/// A name as UTF-8, and whether it was. Odd bytes are written out, so that two odd names stay two.
fn readable(name: &OsStr) -> (String, bool) {
    let mut out = String::new();
    let mut is_utf8 = true;
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        out.push_str(chunk.valid());
        is_utf8 &= chunk.invalid().is_empty();
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    (out, is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_ledger::write;

    fn names(root: &Path) -> (Vec<String>, Vec<(String, Code)>) {
        let walked = walk(root).unwrap();
        let files = walked.files.into_iter().map(|f| f.name).collect();
        (files, walked.issues.into_iter().map(|i| (i.path, i.code)).collect())
    }

    #[test]
    fn odd_names_are_read_and_hidden_ones_left() {
        let dir = tempfile::tempdir().unwrap();
        write::folder(&dir.path().join("b/_posts")).unwrap();
        for name in ["a file.txt", "b/_posts/é 🫖.md", ".secret"] {
            write::bytes(&dir.path().join(name), b"x").unwrap();
        }
        let (files, issues) = names(dir.path());
        assert_eq!(files, ["a file.txt", "b/_posts/é 🫖.md"]);
        assert_eq!(issues, [(".secret".to_owned(), Code::Hidden)]);
        assert_eq!(names(&dir.path().join("a file.txt")).0, ["a file.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn loops_and_dead_links_are_issues() {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        write::folder(&dir.path().join("sub")).unwrap();
        symlink(dir.path(), dir.path().join("sub/loop")).unwrap();
        symlink(dir.path().join("gone"), dir.path().join("dead")).unwrap();
        symlink("self", dir.path().join("self")).unwrap();
        write::bytes(&dir.path().join("real.txt"), b"x").unwrap();
        symlink("real.txt", dir.path().join(OsStr::from_bytes(b"odd\xff.txt"))).unwrap();
        let (files, issues) = names(dir.path());
        assert_eq!(files, ["odd\\xff.txt", "real.txt"]);
        let codes: Vec<_> = issues.iter().map(|(path, code)| (path.as_str(), *code)).collect();
        let link = |path| (path, Code::Link);
        assert_eq!(codes, [link("dead"), ("odd\\xff.txt", Code::Name), link("self"), link("sub/loop")]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let error = walk(Path::new("no/such/folder")).unwrap_err();
        assert_eq!(error.to_string(), "writing `no/such/folder` does not exist");
    }
}
