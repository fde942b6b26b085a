//! Every cell of the README's table of what is trained names a test that is there.

use std::collections::BTreeSet;

use super::{File, Finding, lines};

const README: &str = "README.md";
/// What the table stands under.
const SECTION: &str = "## What it trains";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(readme) = files.iter().find(|file| file.path == README) else { return Vec::new() };
    let known = tests(files);
    let section = lines(&readme.text).skip_while(|(_, line)| *line != SECTION).skip(1);
    let section: Vec<(usize, &str)> = section.take_while(|(_, line)| !line.starts_with("## ")).collect();
    let mut found = Vec::new();
    for (line, text) in &section {
        // Around the table other words stand between backticks as well.
        let is_meant = |name: &&str| text.starts_with('|') || name.contains('_');
        let lost = quoted(text).filter(is_meant).filter(|name| !known.contains(name));
        found.extend(lost.map(|name| {
            Finding::new(README, *line, format!("`{name}`"), "the name of a test that is there")
        }));
    }
    // A row under the two of the head; the first cell says which family.
    let rows = section.iter().filter(|(_, line)| line.starts_with('|')).skip(2);
    for (line, row) in rows {
        let cells = row.trim_matches('|').split('|').skip(1);
        let bare = cells.filter(|cell| quoted(cell).next().is_none());
        found.extend(bare.map(|cell| {
            Finding::new(
                README,
                *line,
                format!("the cell `{}`", cell.trim()),
                "the name of a test in every cell",
            )
        }));
    }
    if section.is_empty() {
        found.push(Finding::new(README, 1, "no table of what is trained", format!("one under `{SECTION}`")));
    }
    found
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Names of tests, and of files of them.
fn tests(files: &[File]) -> BTreeSet<&str> {
    let rust = files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"));
    rust.filter(|file| file.text.contains("#[test]")).flat_map(names).collect()
}

fn names(file: &File) -> impl Iterator<Item = &str> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs"));
    let attributed = file.text.split("#[test]").skip(1);
    let functions = attributed.filter_map(|after| after.split_once("fn ")?.1.split('(').next());
    stem.into_iter().chain(functions)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_cell_names_a_test_that_is_there() {
        let readme = "# x\n\n`free_word`\n\n## What it trains\n`torch` `it_hides`\n| family | full | LoRA |\n|---|---|---|\n\
                      | Llama | `golden`, `it_trains` | runs |\n| GPT-2 | `it_lies` | `helper` |\n\n## Next\n\n`too`\n";
        let code = "fn helper() {}\n\n/// Trains.\n#[test]\nfn it_trains() {\n    helper();\n}\n";
        let files = [file(README, readme), file("crates/a/tests/it/golden.rs", code)];
        expect![[r#"
            README.md:6: `it_hides`, expected the name of a test that is there
            README.md:10: `it_lies`, expected the name of a test that is there
            README.md:10: `helper`, expected the name of a test that is there
            README.md:9: the cell `runs`, expected the name of a test in every cell
        "#]]
        .assert_eq(&shown(&check(&files)));
        let gone = [file(README, "# x\n")];
        assert!(shown(&check(&gone)).contains("no table"));
    }
}
