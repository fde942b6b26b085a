//! Rules about source files: unsafe code, length, unfinished work, module docs, pickles.

use super::code::{code_only, line_at, words};
use super::{File, Finding, lines};

/// Lines of the longest file.
const MAX_LINES: usize = 400;

/// Files that may be longer, each with the reason.
const LONG: &[(&str, &str)] = &[];

/// Where `unsafe` may stand, each with the reason.
const UNSAFE: &[(&str, &str)] = &[
    ("crates/engine/src/backend/", "kernels and the memory they work on"),
    ("crates/model/src/weights/map.rs", "checkpoints are mapped"),
    ("fuzz/src/driver/coverage.rs", "counters that the compiler put there are read"),
];

/// Where processor features are asked for: the only crate that knows a device.
const DEVICE: &str = "crates/engine/";

/// Code that stands for work not done.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!"];

/// Files whose ignored tests hide no failure, each with the reason.
const IGNORED: &[(&str, &str)] =
    &[("crates/ledger/tests/killed.rs", "they are the processes that other tests start and kill")];

/// Python that runs code when it opens a file.
const PICKLES: &[&str] = &["import pickle", "pickle.load", "torch.load("];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    let mut found: Vec<Finding> = rust.flat_map(check_rust).collect();
    let python = files.iter().filter(|file| file.path.ends_with(".py"));
    found.extend(python.flat_map(pickles));
    found.extend(stale(files));
    found
}

fn check_rust(file: &File) -> Vec<Finding> {
    let code = code_only(&file.text);
    let at = |place: usize, found: &str, expected: &str| {
        Finding::new(&file.path, line_at(&code, place), found, expected)
    };
    let mut found = Vec::new();
    for word in UNFINISHED {
        found.extend(
            code.match_indices(word).map(|(place, _)| at(place, &format!("`{word}`"), "the work itself")),
        );
    }
    if !excused(IGNORED, &file.path) {
        let ignored = code.match_indices("#[ignore");
        found.extend(ignored.map(|(place, _)| at(place, "`#[ignore`", "a test that runs, or none")));
    }
    if !excused(UNSAFE, &file.path) {
        let expected = "unsafe code in the engine's backends, the file mapper and the fuzzer's counters only";
        found.extend(words(&code, "unsafe").map(|place| at(place, "`unsafe`", expected)));
    }
    if !file.path.starts_with(DEVICE) {
        let expected = "instructions of a processor in `penname-engine` only";
        for word in ["std::arch", "core::arch"] {
            found.extend(words(&code, word).map(|place| at(place, &format!("`{word}`"), expected)));
        }
    }
    if is_module(&file.path) {
        found.extend(shape(file));
    }
    found
}

/// Modules of a crate, as opposed to its tests and examples.
fn is_module(path: &str) -> bool {
    (path.starts_with("crates/") || path.starts_with("xtask/")) && path.contains("/src/")
}

fn shape(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    if !file.text.trim_start().starts_with("//!") {
        found.push(Finding::new(&file.path, 1, "no module doc", "`//!` with what this is, first"));
    }
    let n_lines = file.text.lines().count();
    if n_lines > MAX_LINES && !excused(LONG, &file.path) {
        let what = format!("{n_lines} lines");
        found.push(Finding::new(&file.path, n_lines, what, format!("at most {MAX_LINES}, one idea a file")));
    }
    found
}

fn pickles(file: &File) -> Vec<Finding> {
    let is_pickle = |line: &str| PICKLES.iter().any(|reader| line.contains(reader));
    let found = lines(&file.text).filter(|(_, line)| is_pickle(line));
    found.map(|(line, _)| Finding::new(&file.path, line, "a pickle is read", "safetensors")).collect()
}

/// Excuses that nothing needs any more.
fn stale(files: &[File]) -> Vec<Finding> {
    let needed = |path: &str| files.iter().any(|f| f.path == path && f.text.lines().count() > MAX_LINES);
    let unused = LONG.iter().filter(|(path, _)| !needed(path));
    unused
        .map(|(path, _)| Finding::new(path, 1, "an excuse for its length", "none, since it is short"))
        .collect()
}

fn excused(list: &[(&str, &str)], path: &str) -> bool {
    list.iter().any(|(excused, _)| path == *excused || (excused.ends_with('/') && path.starts_with(excused)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;
    use expect_test::{Expect, expect};

    fn check_text(path: &str, text: &str, expected: &Expect) {
        expected.assert_eq(&shown(&check(&[file(path, text)])));
    }

    #[test]
    fn faults_in_code_are_found_and_words_about_them_are_not() {
        let text = "//! About unsafe things.\nfn f() { unsafe { todo!(\"unsafe\") } }\n#[ignore = \"slow\"]\n\
                    fn g() { /* todo!() */ unimplemented!() }\n";
        check_text(
            "crates/token/src/pack.rs",
            text,
            &expect![[r#"
                crates/token/src/pack.rs:2: `todo!`, expected the work itself
                crates/token/src/pack.rs:4: `unimplemented!`, expected the work itself
                crates/token/src/pack.rs:3: `#[ignore`, expected a test that runs, or none
                crates/token/src/pack.rs:2: `unsafe`, expected unsafe code in the engine's backends, the file mapper and the fuzzer's counters only
            "#]],
        );
    }

    #[test]
    fn the_backend_may_be_unsafe() {
        let text = "//! Kernels.\nuse std::arch::x86_64;\nunsafe fn f() {}\n";
        check_text("crates/engine/src/backend/cpu/gemm.rs", text, &expect![""]);
        check_text(
            "crates/infer/src/gemm.rs",
            text,
            &expect![[r#"
                crates/infer/src/gemm.rs:3: `unsafe`, expected unsafe code in the engine's backends, the file mapper and the fuzzer's counters only
                crates/infer/src/gemm.rs:2: `std::arch`, expected instructions of a processor in `penname-engine` only
            "#]],
        );
    }

    #[test]
    fn modules_are_short_and_say_what_they_are() {
        check_text(
            "crates/eval/src/long.rs",
            &"fn f() {}\n".repeat(401),
            &expect![[r#"
                crates/eval/src/long.rs:1: no module doc, expected `//!` with what this is, first
                crates/eval/src/long.rs:401: 401 lines, expected at most 400, one idea a file
            "#]],
        );
        check_text("crates/eval/tests/long.rs", &"fn f() {}\n".repeat(401), &expect![""]);
    }

    #[test]
    fn python_reads_no_pickle() {
        let text = "import torch\nweights = torch.load(path)\n";
        let expected = expect![[r#"
            golden/x/make.py:2: a pickle is read, expected safetensors
        "#]];
        check_text("golden/x/make.py", text, &expected);
    }
}
