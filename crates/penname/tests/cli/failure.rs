//! Failures: kind, hint, exit code.

use std::process::Stdio;

use expect_test::{Expect, expect};

use crate::bench::{Bench, letters};

fn check(bench: &Bench, args: &[&str], code: i32, expected: Expect) {
    let said = bench.run(args);
    assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
    expected.assert_eq(&said.err);
}

#[test]
fn no_voice_here() {
    check(
        &Bench::new(),
        &["prepare"],
        2,
        expect![[r#"
            error: this folder, and those above it, hold no voice
              because: there is no `penname.yaml` in `ROOT/work`
            hint: `penname new NAME` begins a voice in a folder of its own
        "#]],
    );
}

#[test]
fn no_writing() {
    let bench = Bench::with_writing(&[]);
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 3);
    assert!(
        said.err.contains("\nhint: put plain text, Markdown or JSON into the folder `writing`"),
        "{}",
        said.err
    );
    penname_ledger::write::remove_folder(&bench.path("writing")).unwrap();
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("error: writing `./writing` does not exist"), "{}", said.err);
}

#[test]
fn nothing_prepared() {
    let bench = Bench::with_writing(&[]);
    for thing in ["account", "issues", "document", "example"] {
        check(
            &bench,
            &["show", thing],
            3,
            expect![[r#"
                error: nothing was prepared yet
                hint: run `penname prepare` first
            "#]],
        );
    }
}

#[test]
fn what_was_prepared_is_damaged() {
    let bench = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench.write("data/corpus/train.jsonl", "{");
    let said = bench.run(&["show", "account"]);
    assert_eq!(said.code, 3);
    assert!(said.err.starts_with("error: what was prepared is damaged\n"), "{}", said.err);
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert_eq!(bench.run(&["show", "account"]).code, 0);
}

#[test]
fn failures_are_json_where_that_is_wanted() {
    let bench = Bench::new();
    let (code, objects) = bench.json(&["prepare"]);
    assert_eq!(code, 2);
    let error = objects.last().unwrap();
    assert_eq!((&error["event"], &error["kind"]), (&"error".into(), &"usage".into()));
    assert_eq!(error["exit_code"], 2);
    assert!(error["hints"][0].is_string() && error["causes"][0].is_string());
}

#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "a test of what may not be written")]
fn a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    let set = |mode| std::fs::set_permissions(&bench.here, std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    // The superuser may write anywhere; there is nothing to be seen then.
    let is_super = std::fs::create_dir(bench.path("probe")).is_ok();
    let said = bench.run(&["prepare"]);
    set(0o755);
    if is_super {
        return;
    }
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.err.contains("permission denied") && said.err.contains("hint: check who owns"),
        "{}",
        said.err
    );
}

#[cfg(target_os = "linux")]
#[test]
#[expect(clippy::disallowed_methods, reason = "a disk that is full")]
fn a_full_disk_behind_stdout_is_told_and_a_reader_that_has_gone_is_not() {
    let bench = Bench::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.command(&["settings"]).stdout(full).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.starts_with("error: stdout cannot be written to\n"), "{err}");

    let mut child = bench
        .command(&["settings", "--origin"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
