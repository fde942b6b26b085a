//! What is known of a corpus, and what is taken out of it: `stats`, `forget`, rights.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::bench::{Bench, letters, result};
use crate::tiny;

const CHAT: &str = "\
31/01/2024, 09:00 - Bob Ray: is the kettle mended, or does it sing as it did?
31/01/2024, 09:01 - Ann: it sings a third too high, and I have stopped minding
31/01/2024, 20:00 - Cy: rain again, they say, and a wind to go with it
31/01/2024, 20:01 - Ann: then the kettle and I stay in and are none the worse
";

/// Everything on disk below a folder, as one text.
fn all_of(dir: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = || String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        text += &if path.is_dir() { all_of(&path) } else { file() };
    }
    text
}

fn with_chat() -> Bench {
    let bench = Bench::with_writing(&[("chat.txt", CHAT)]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    bench.write("penname.yaml", "corpus: {voice: [Ann]}\n");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench
}

#[test]
fn numbers_of_a_corpus_are_told_and_add_up() {
    let bench = with_chat();
    let (code, objects) = bench.json(&["stats"]);
    assert_eq!(code, 0);
    let stats = result(&objects);
    let all = &stats["all"];
    assert_eq!((&all["read"]["documents"], &all["files"]), (&json!(14), &json!(13)));
    let sum: i64 =
        stats["account"].as_array().unwrap().iter().map(|row| row["chars"].as_i64().unwrap()).sum();
    assert_eq!(sum, stats["given"].as_i64().unwrap());
    assert_eq!(all["time"]["dated"], json!(2));
    let said = bench.run(&["stats", "--source", "files"]);
    assert!(
        said.out.contains("learned") && said.out.contains("rights") && said.out.contains('█'),
        "{}",
        said.out
    );
    let said = bench.run(&["stats", "--source", "tweets"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("sources: files"), "{}", said.err);
}

#[test]
fn numbers_are_drawn_on_a_page_that_asks_for_nothing() {
    let bench = with_chat();
    let said = bench.run(&["stats", "--html", "stats.html"]);
    assert_eq!(said.code, 0, "{said:?}");
    let html = fs::read_to_string(bench.path("stats.html")).unwrap();
    for part in [
        "Where every character went",
        "Splits",
        "Length of a document",
        "Over time",
        "held out for measuring",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    for word in ["<script", "http:", "https:", "url(", "<link", "<img"] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.matches("<svg").count() >= 3);
    assert_eq!(bench.run(&["stats", "--html", "x.html", "--source", "files"]).code, 2);
}

#[test]
fn somebody_is_forgotten_everywhere_but_in_what_is_yours() {
    let bench = with_chat();
    assert!(all_of(&bench.path("data")).contains("Bob Ray"), "the corpus knows who speaks");
    let said = bench.run(&["forget", "--author", "bob ray"]);
    assert_eq!(said.code, 0, "{said:?}");
    for part in
        ["1 document of the corpus had it", "removed data/corpus", "left in writing/chat.txt, which is yours"]
    {
        assert!(said.out.contains(part), "{part} in {}", said.out);
    }
    assert!(!bench.path("data/corpus").exists());
    assert_eq!(fs::read_to_string(bench.path("writing/chat.txt")).unwrap(), CHAT);
    let said = bench.run(&["prepare"]);
    assert!(said.out.contains("dropped: forgotten"), "{}", said.out);
    let data = all_of(&bench.path("data"));
    assert!(!data.contains("Bob Ray") && !data.contains("third too high") && data.contains("none the worse"));
    assert!(!fs::read_to_string(bench.path("forgotten.jsonl")).unwrap().to_lowercase().contains("bob"));
    assert!(bench.run(&["prepare"]).err.contains("already done"));

    let (_, objects) = bench.json(&["forget", "--list"]);
    assert_eq!(result(&objects)[0]["what"], json!("author"));
    assert_eq!(bench.run(&["forget", "--author", "Dora", "--undo"]).code, 2);
    assert_eq!(bench.run(&["forget", "--author", "@Bob Ray", "--undo"]).code, 0);
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert!(all_of(&bench.path("data")).contains("third too high"));
    let said = bench.run(&["forget", "--list"]);
    assert!(said.out.contains("nothing is forgotten"), "{}", said.out);
}

#[test]
fn nothing_named_is_an_error_and_nobody_found_is_none() {
    let bench = with_chat();
    assert_eq!(bench.run(&["forget"]).code, 2);
    assert_eq!(bench.run(&["forget", "--author", "  "]).code, 2);
    assert_eq!(bench.run(&["forget", "--undo"]).code, 2);
    assert_eq!(bench.run(&["forget", "--text-of", "nowhere.txt"]).code, 2);
    let said = bench.run(&["forget", "--author", "Dora"]);
    assert!(said.code == 0 && said.out.contains("it stands nowhere now"), "{said:?}");
    assert!(bench.path("data/corpus").exists());
    // A torn line would let somebody back in: nothing is prepared then.
    let record = fs::read_to_string(bench.path("forgotten.jsonl")).unwrap();
    bench.write("forgotten.jsonl", &(record + "{\"what\":\"auth"));
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("keeps somebody out"), "{}", said.err);
}

#[test]
fn runs_and_exports_say_what_they_learned_and_doctor_names_them() {
    let bench = with_chat();
    let text: String = letters(24).into_iter().map(|(_, text)| text).collect();
    tiny::write_taught_base(&bench.path("tiny"), &text);
    let rights = "rights: [{basis: own, train: yes, publish: yes}, {place: .txt, publish: no}]";
    bench.write(
        "penname.yaml",
        &format!(
            "base: tiny\ncorpus: {{voice: [Ann], {rights}, split: {{min_examples: 2}}}}\n\
                  train: {{steps: 40, learning_rate: 0.01, patience: 0}}\n"
        ),
    );
    let said = bench.run(&["train", "--offline"]);
    assert_eq!(said.code, 0, "{said:?}");
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(bench.path(name)).unwrap()).unwrap() };
    assert_eq!(read("runs/run-1/rights.json")["rights"]["publish"], json!("no"));
    let manifest = read("runs/run-1/manifest.json");
    assert!(manifest["choices"].as_array().unwrap().iter().any(|choice| choice["what"] == "rights"));
    assert!(manifest["outputs"]["learned.jsonl"].is_object());
    let said = bench.run(&["export", "peft"]);
    assert!(said.code == 0 && said.err.contains("may not be given away"), "{said:?}");
    let said = bench.run(&["show", "example", "1"]);
    assert!(said.out.contains("train "), "{}", said.out);

    let said = bench.run(&["forget", "--author", "Bob Ray"]);
    assert!(said.out.contains("run `run-1` has learned"), "{}", said.out);
    assert!(said.out.contains("export `peft` was made of such a run"), "{}", said.out);
    let said = bench.run(&["doctor"]);
    assert!(said.out.contains("run `run-1` has learned"), "{}", said.out);
    // A run after it has not.
    assert_eq!(bench.run(&["train", "--offline", "--run", "clean"]).code, 0);
    penname_ledger::write::remove_file(&bench.path("runs/run-1/learned.jsonl")).unwrap();
    let said = bench.run(&["doctor"]);
    assert!(said.out.contains("run `run-1` may have") && !said.out.contains("`clean`"), "{}", said.out);
}

#[test]
fn what_may_not_be_learned_is_not_and_has_its_row() {
    let bench = with_chat();
    bench.write("penname.yaml", "corpus: {voice: [Ann], rights: [{place: chat.txt, train: no}]}\n");
    let said = bench.run(&["prepare"]);
    assert!(said.out.contains("rights do not allow learning"), "{}", said.out);
    assert!(!all_of(&bench.path("data")).contains("third too high"));
}
