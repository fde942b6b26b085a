//! Nothing in the repository knows the machine it was made on: no absolute paths of somebody's
//! folders, no address of a package index. The names are put together from parts, so that this file
//! passes its own check.

use super::{File, Finding, lines};

/// Folders of one machine.
const FOLDERS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/")];

/// Addresses and settings that name a package index.
const INDEXES: &[&str] = &[
    concat!("pypi", "."),
    concat!("python", "hosted."),
    concat!("crates", ".io"),
    concat!("npm", "js."),
    concat!("--index", "-url"),
    concat!("--extra-index", "-url"),
    concat!("index-", "url ="),
    concat!("replace", "-with"),
    concat!("PIP_", "INDEX"),
];

/// The one index that a lock file may name.
const PUBLIC_INDEX: &str =
    concat!(r#"source = "registry+https://github.com/rust-lang/crates"#, r#".io-index""#);

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let is_lock = file.path.rsplit('/').next() == Some("Cargo.lock");
    let fault = |(line, text): (usize, &str)| {
        if is_lock && text == PUBLIC_INDEX {
            return None;
        }
        let (name, expected) = fault_of(text)?;
        Some(Finding::new(&file.path, line, format!("`{name}`"), expected))
    };
    lines(&file.text).filter_map(fault).collect()
}

fn fault_of(text: &str) -> Option<(&'static str, &'static str)> {
    let folder =
        FOLDERS.iter().find(|folder| text.match_indices(**folder).any(|(at, _)| begins_path(text, at)));
    if let Some(folder) = folder {
        return Some((folder, "a path inside the checkout"));
    }
    let index = INDEXES.iter().find(|index| text.contains(**index))?;
    Some((index, "the index the machine is set up for"))
}

/// Whether the slash at `at` begins a path instead of standing inside one.
fn begins_path(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    before.is_none_or(|c| !(c.is_alphanumeric() || "._-~*)}>".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;

    #[test]
    fn machines_are_not_named() {
        let [work, home, index] = [FOLDERS[0], FOLDERS[2], INDEXES[4]];
        let text = format!(
            "See {work}shared and bench/work/base.\nopen(\"{home}me/x\")\n..{work}x\npip {index}=x\n"
        );
        let expected = format!(
            "docs/a.md:1: `{work}`, expected a path inside the checkout\n\
             docs/a.md:2: `{home}`, expected a path inside the checkout\n\
             docs/a.md:4: `{index}`, expected the index the machine is set up for\n"
        );
        assert_eq!(shown(&check(&[file("docs/a.md", &text)])), expected);
    }

    #[test]
    fn a_lock_file_names_the_public_index_only() {
        let index = INDEXES[2];
        let text = format!("{PUBLIC_INDEX}\nsource = \"registry+https://mirror.{index}/index\"\n");
        let expected = format!("Cargo.lock:2: `{index}`, expected the index the machine is set up for\n");
        assert_eq!(shown(&check(&[file("Cargo.lock", &text)])), expected);
    }
}
