//! Files beside the one that is read: some exports keep the names of people in a file of their own.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::archive::Archive;
use crate::encoding;

/// Largest file looked up, in bytes: lists of people are small.
const MAX_BYTES: u64 = 8 << 20;

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a>(Place<'a>);

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Nothing,
    Folder(&'a Path),
    Archive(&'a RefCell<Archive<File>>, &'a str),
}

impl<'a> Beside<'a> {
    /// Nothing lies beside it.
    pub const NOTHING: Self = Self(Place::Nothing);

    /// The folder of writing.
    pub(super) fn folder(root: &'a Path) -> Self {
        Self(Place::Folder(root))
    }

    /// The archive the file came out of, whose name stands before its members'.
    pub(super) fn archive(archive: &'a RefCell<Archive<File>>, name: &'a str) -> Self {
        Self(Place::Archive(archive, name))
    }

    /// The text of a file named relative to `path`, itself a name below the folder of writing. A
    /// name that leads out of it is not followed.
    pub(super) fn text(&self, path: &str, relative: &str) -> Option<String> {
        let name = resolve(path, relative)?;
        let bytes = match self.0 {
            Place::Nothing => return None,
            Place::Folder(root) => {
                let mut bytes = Vec::new();
                let file = File::open(root.join(&name)).ok()?;
                file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
                bytes
            }
            Place::Archive(archive, whole) => {
                let member = name.strip_prefix(whole)?.strip_prefix('/')?;
                archive.try_borrow_mut().ok()?.read(member).ok()?
            }
        };
        encoding::decode(&bytes).ok().map(|decoded| decoded.text)
    }
}

/// `a/b.json` and `../c.json` are `c.json`.
fn resolve(path: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        assert_eq!(resolve("x/a/b.json", "../users.json").as_deref(), Some("x/users.json"));
        assert_eq!(resolve("a.json", "users.json").as_deref(), Some("users.json"));
        assert_eq!(resolve("a.json", "../users.json"), None);
    }
}
