//! Decisions about examples, from the terminal to what is learned.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{Bench, Said, letters, result};

/// A voice with twelve letters, prepared.
fn prepared() -> Bench {
    let bench = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench
}

/// Runs with lines typed.
fn typed(bench: &Bench, args: &[&str], lines: &str) -> Said {
    let mut command = bench.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn status(bench: &Bench) -> Value {
    let (code, objects) = bench.json(&["review", "--status"]);
    assert_eq!(code, 0);
    result(&objects).clone()
}

/// Answers that are learned or held out.
fn answers(bench: &Bench) -> Vec<String> {
    let lines = ["train", "held_out"]
        .map(|name| std::fs::read_to_string(bench.path(&format!("data/corpus/{name}.jsonl"))).unwrap());
    let answer = |line: &str| -> String {
        let example: Value = serde_json::from_str(line).unwrap();
        example["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
    };
    lines.iter().flat_map(|text| text.lines()).map(answer).collect()
}

#[test]
fn what_is_decided_is_learned_so() {
    let bench = prepared();
    let before = answers(&bench);
    assert_eq!(before.len(), 12);
    let said =
        typed(&bench, &["review"], "k\nf pers\nd\nzz\ne\nDear friend, that kettle is gone.\nu\nd\nq\n");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("1 of 12") && said.out.contains("letter-00.txt, document 1, example 1"),
        "{}",
        said.out
    );
    assert!(said.err.contains("flags: personal data"), "{}", said.err);
    assert!(said.err.contains("`zz` is no answer"), "{}", said.err);
    assert!(said.err.contains("3 of 12 examples decided: 1 kept, 2 dropped, 0 changed"), "{}", said.err);
    let record = std::fs::read_to_string(bench.path("review/decisions.jsonl")).unwrap();
    let rows: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = rows.iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["keep", "drop", "edit", "undo", "drop"]);
    assert_eq!(rows[1]["flags"], serde_json::json!(["personal data"]));

    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("left out in review"), "{}", said.out);
    assert_eq!(answers(&bench).len(), 10);
    assert!(bench.run(&["prepare"]).err.contains("already done"));
    // What was dropped is still there to be decided about.
    let now = status(&bench);
    assert_eq!((&now["examples"], &now["dropped"], &now["open"]), (&12.into(), &2.into(), &9.into()));
}

#[test]
fn changed_words_are_learned_and_other_writing_makes_them_stale() {
    let bench = prepared();
    let said = typed(&bench, &["review", "--sample", "1"], "e\nDear friend, buy a new one.\n");
    assert!(said.err.contains("1 changed"), "{said:?}");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert!(answers(&bench).contains(&"Dear friend, buy a new one.".to_owned()));

    let (name, text) = &letters(1)[0];
    bench.write(&format!("writing/{name}"), &text.replace("vinegar", "lemon juice"));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    let now = status(&bench);
    assert_eq!((&now["changed"], &now["stale"]), (&0.into(), &1.into()));
    assert!(answers(&bench).iter().any(|answer| answer.contains("lemon juice")));
    let said = typed(&bench, &["review", "--which", "stale"], "q\n");
    assert!(said.out.contains("in other words: decide again"), "{}", said.out);
}

#[test]
fn an_editor_of_ones_own_is_used() {
    let mut bench = prepared();
    bench.set("EDITOR", "sed -i s/kettle/samovar/");
    let said = typed(&bench, &["review", "--sample", "1"], "e\n");
    assert!(said.err.contains("1 changed"), "{said:?}");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert!(answers(&bench).iter().any(|answer| answer.contains("samovar")));
}
