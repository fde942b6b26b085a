//! From a new folder to an account that adds up.

use serde_json::Value;

use crate::bench::{Bench, letters, result};

fn with_letters(bench: &Bench, n: usize) {
    letters(n).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
}

#[test]
fn every_character_is_accounted_for() {
    let bench = Bench::with_writing(&[("spaces.md", "# Tea\n\n\n\n  Warm the pot first,   always.  \n")]);
    with_letters(&bench, 12);
    let (code, objects) = bench.json(&["prepare"]);
    assert_eq!(code, 0);
    let (code, shown) = bench.json(&["show", "account"]);
    assert_eq!(code, 0);
    for value in [result(&objects), result(&shown)] {
        let rows = value["rows"].as_array().unwrap();
        let sum: i64 = rows.iter().map(|row| row["chars"].as_i64().unwrap()).sum();
        assert_eq!(sum, value["account"]["given"].as_i64().unwrap());
        let percent: f64 = rows.iter().map(|row| row["percent"].as_f64().unwrap()).sum();
        assert!((percent - 100.0).abs() < 1e-6, "{percent}");
    }
    let table = bench.run(&["show", "account"]).out;
    let last: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!((last[0], &last[last.len() - 2..]), ("given", &["100.00", "%"][..]), "{table}");
}

#[test]
fn the_second_time_there_is_nothing_to_do() {
    let bench = Bench::with_writing(&[]);
    with_letters(&bench, 12);
    let first = bench.run(&["prepare"]);
    assert!(first.err.contains("prepare: done in"), "{}", first.err);
    let second = bench.run(&["prepare"]);
    assert!(second.err.starts_with("prepare: already done, "), "{}", second.err);
    assert_eq!(first.out, second.out);
    bench.write(
        "writing/letter-01.txt",
        "Q: Why is the sky so blue today?\n\nA: Because it has been washed.\n",
    );
    let shown = bench.run(&["show", "account"]);
    assert!(shown.err.contains("warning: the writing or its settings have changed since"), "{}", shown.err);
    assert!(bench.run(&["prepare"]).err.contains("prepare: done in"));
}

#[test]
fn documents_are_listed_and_shown() {
    let bench = Bench::with_writing(&[]);
    with_letters(&bench, 12);
    assert_eq!(bench.run(&["prepare", "--quiet"]).err, "");
    let list = bench.run(&["show", "document"]).out;
    assert_eq!(list.lines().count(), 13, "{list}");
    let one = bench.run(&["show", "document", "3"]).out;
    assert!(one.contains("letter-02.txt") && one.contains("kettle 2 wants descaling"), "{one}");
    let said = bench.run(&["show", "document", "99"]);
    assert_eq!(said.code, 2);
    assert_eq!(said.err, "error: there is no document 99, expected 1 to 12\n");
}

#[test]
fn hostile_text_commands_no_terminal() {
    let bench = Bench::with_writing(&[]);
    with_letters(&bench, 12);
    bench.write(
        "writing/esc\u{1b}[2J.txt",
        "Q: What is it?\n\nA: It is \u{1b}]0;owned\u{7} a kettle, and it sings.\n",
    );
    bench.run(&["prepare"]);
    for args in [&["show", "document"][..], &["show", "document", "1"], &["prepare"], &["show", "issues"]] {
        let said = bench.run(args);
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{args:?}: {said:?}");
    }
}

#[test]
fn folders_may_have_any_name() {
    for name in ["two words", "Ида 🖋", "a'b\"c", "-dash"] {
        let mut bench = Bench::new();
        let said = bench.run(&["new", "--", name]);
        assert_eq!(said.code, 0, "{said:?}");
        let dir = bench.path(name);
        // From outside, by its name, and from deep inside.
        bench.here = dir.clone();
        with_letters(&bench, 12);
        bench.here = dir.parent().unwrap().to_path_buf();
        assert_eq!(bench.run(&["prepare", &format!("--project={name}")]).code, 0, "{name}");
        bench.here = dir.join("writing");
        let (code, objects) = bench.json(&["settings", "voice.name"]);
        assert_eq!(code, 0);
        assert_eq!(result(&objects)["settings"][0]["value"], Value::from(name));
        assert_eq!(bench.run(&["show", "account"]).code, 0, "{name}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let bench = Bench::with_writing(&[]);
    let said = bench.run(&["new", "."]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("`./penname.yaml` is there already"), "{}", said.err);
    bench.write("taken", "a file");
    assert_eq!(bench.run(&["new", "taken"]).code, 2);
    bench.write("half/.gitignore", "mine\n");
    assert_eq!(bench.run(&["new", "half"]).code, 0);
    assert_eq!(std::fs::read_to_string(bench.path("half/.gitignore")).unwrap(), "mine\n");
    // A slip leaves nothing behind.
    assert_eq!(bench.run(&["new", "slip", "--recipe", "novel"]).code, 2);
    assert!(!bench.path("slip").exists());
}

#[test]
fn a_source_is_tried_and_nothing_is_kept() {
    let bench = Bench::with_writing(&[]);
    with_letters(&bench, 12);
    let tried = bench.run(&["prepare", "--limit", "1"]);
    assert_eq!(tried.code, 0, "{}", tried.err);
    assert!(tried.out.starts_with("document 1"), "{}", tried.out);
    assert!(tried.out.contains("beyond the limit"), "{}", tried.out);
    assert!(!tried.out.contains("document 2"), "{}", tried.out);
    assert!(bench.run(&["prepare"]).err.contains("prepare: done in"));
}
