//! Links in Markdown lead somewhere, and the change log has room for the next change.

use std::collections::BTreeSet;

use super::{File, Finding, lines};

/// Files of tests, which hold links of other people.
const TESTS: &str = "/tests/";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let known = known_paths(files);
    let pages = files.iter().filter(|file| file.path.ends_with(".md") && !file.path.contains(TESTS));
    let mut found: Vec<Finding> = pages.flat_map(|page| check_page(page, &known)).collect();
    found.extend(change_log(files));
    found
}

/// All files, and all folders they lie in.
fn known_paths(files: &[File]) -> BTreeSet<&str> {
    let parents =
        |path| std::iter::successors(Some(path), |path: &&str| path.rsplit_once('/').map(|(dir, _)| dir));
    files.iter().flat_map(|file| parents(file.path.as_str())).collect()
}

fn check_page(page: &File, known: &BTreeSet<&str>) -> Vec<Finding> {
    let mut in_fence = false;
    let mut found = Vec::new();
    for (line, text) in lines(&page.text) {
        if text.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        let targets = targets(text).filter(|_| !in_fence);
        let lost =
            targets.filter(|target| !resolve(&page.path, target).is_some_and(|path| is_known(&path, known)));
        found.extend(lost.map(|target| {
            Finding::new(&page.path, line, format!("a link to `{target}`"), "a file that is there")
        }));
    }
    found
}

fn is_known(path: &str, known: &BTreeSet<&str>) -> bool {
    path.is_empty() || known.contains(path)
}

/// Local targets of the links of a line, without the part after `#`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inside = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let is_local = |target: &&str| {
        let outside = ["http://", "https://", "mailto:", "#"].iter().any(|start| target.starts_with(start));
        !outside && !target.is_empty()
    };
    inside.filter(is_local).map(|target| target.split('#').next().unwrap_or(target))
}

/// The path from the root of what a page links to; none for what lies outside of it.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn change_log(files: &[File]) -> Option<Finding> {
    const LOG: &str = "CHANGELOG.md";
    let Some(log) = files.iter().find(|file| file.path == LOG) else {
        return Some(Finding::new(LOG, 1, "no change log", "one with a section `Unreleased`"));
    };
    let is_open = |line: &str| line.trim_start_matches('#').trim().trim_matches(['[', ']']) == "Unreleased";
    let open = log.text.lines().any(|line| line.starts_with("## ") && is_open(line));
    (!open).then(|| Finding::new(LOG, 1, "no room for the next change", "a section `## Unreleased`"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;
    use expect_test::expect;

    #[test]
    fn links_lead_somewhere() {
        let page = "[a](../README.md) [b](guide/none.md#top) [c](https://x.y/z) [d](#here) ![e](..)\n\
                    ```\n[f](none)\n```\n[g](/etc) [h](../../up)\n";
        let files = [
            file("docs/index.md", page),
            file("README.md", "[docs](docs/) [lost](docs/lost.md)"),
            file("CHANGELOG.md", "# Changes\n\n## [Unreleased]\n"),
            file("crates/a/tests/x.md", "[a](b)"),
        ];
        expect![[r#"
            docs/index.md:1: a link to `guide/none.md`, expected a file that is there
            docs/index.md:5: a link to `/etc`, expected a file that is there
            docs/index.md:5: a link to `../../up`, expected a file that is there
            README.md:1: a link to `docs/lost.md`, expected a file that is there
        "#]]
        .assert_eq(&shown(&check(&files)));
    }

    #[test]
    fn the_change_log_has_an_open_section() {
        expect![[r#"
            CHANGELOG.md:1: no room for the next change, expected a section `## Unreleased`
        "#]]
        .assert_eq(&shown(&check(&[file("CHANGELOG.md", "# Changes\n\n## 0.1.0\nUnreleased\n")])));
        expect![[r#"
            CHANGELOG.md:1: no change log, expected one with a section `Unreleased`
        "#]]
        .assert_eq(&shown(&check(&[])));
    }
}
