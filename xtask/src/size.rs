//! How large the code is: crates, files, functions, dependencies, the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::screen::say;
use crate::tidy::code::{code_only, line_at, words};
use crate::tidy::{File, text_files};
use crate::{Result, root, shell};

/// Entries of each list of large things.
const N_LISTED: usize = 10;

/// Prints it all.
pub(crate) fn run() -> Result<()> {
    let files = text_files(&root())?;
    let rust: Vec<&File> =
        files.iter().filter(|file| file.path.ends_with(".rs") && file.path.contains("/src/")).collect();
    say("lines, crate by crate");
    for (name, (n_files, n_lines)) in crates(&rust) {
        say(&format!("{n_lines:>7} lines {n_files:>4} files  {name}"));
    }
    let lengths = rust.iter().map(|file| (file.text.lines().count(), file.path.clone()));
    largest("files", lengths.collect());
    largest("functions", rust.iter().flat_map(|file| functions(file)).collect());
    say(&format!("\n{} packages are built, ours included", dependencies()?));
    match fs::metadata(root().join("target/release/penname")) {
        Ok(file) => say(&format!("target/release/penname has {:.1} MB", file.len() as f64 / 1e6)),
        Err(_) => say("target/release/penname is not built"),
    }
    Ok(())
}

fn crates<'a>(files: &[&'a File]) -> BTreeMap<&'a str, (usize, usize)> {
    let mut sums = BTreeMap::new();
    for file in files {
        let name = file.path.split("/src/").next().unwrap_or_default();
        let (n_files, n_lines) = sums.entry(name).or_insert((0, 0));
        *n_files += 1;
        *n_lines += file.text.lines().count();
    }
    sums
}

fn largest(what: &str, mut list: Vec<(usize, String)>) {
    list.sort_by(|a, b| b.cmp(a));
    say(&format!("\nlargest {what}"));
    list.iter().take(N_LISTED).for_each(|(n_lines, name)| say(&format!("{n_lines:>7} lines  {name}")));
}

/// The functions of a file: lines from `fn` to the closing brace, and where.
fn functions(file: &File) -> Vec<(usize, String)> {
    let code = code_only(&file.text);
    let measure = |at: usize| {
        let rest = &code[at + 2..];
        let name: String =
            rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let body = rest.find(['{', ';']).filter(|&open| rest[open..].starts_with('{'))?;
        let n_lines = line_at(rest, body + closing(&rest[body..])?);
        (!name.is_empty()).then(|| (n_lines, format!("{}:{} {name}", file.path, line_at(&code, at))))
    };
    words(&code, "fn").filter_map(measure).collect()
}

/// Where the brace that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Different packages that go into the binary on this machine.
fn dependencies() -> Result<usize> {
    let mut tree = shell::cargo();
    tree.args(["tree", "--package", "penname", "--edges", "normal", "--prefix", "none", "--offline"]);
    let output = shell::capture(&mut tree)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let packages: BTreeSet<String> =
        text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    Ok(packages.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let text = "fn a() {\n    if x { \"}\" } else { y }\n}\n\ntrait T { fn b(); }\nfn c(f: fn(u8)) -> u8 { 1 }\n";
        let found = functions(&File { path: "x.rs".to_owned(), text: text.to_owned() });
        assert_eq!(found, [(3, "x.rs:1 a".to_owned()), (1, "x.rs:6 c".to_owned())]);
    }
}
