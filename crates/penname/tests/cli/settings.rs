//! Where values come from, and what is refused.

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::bench::{Bench, result};

/// The row of one setting or place.
fn row(bench: &Bench, args: &[&str], key: &str) -> (Value, String) {
    let (code, objects) = bench.json(&[&["settings", "--origin"], args].concat());
    assert_eq!(code, 0);
    let value = result(&objects);
    let rows = ["settings", "environment"].into_iter().flat_map(|part| value[part].as_array().unwrap());
    let row = rows.clone().find(|row| row["key"] == key).unwrap();
    (row["value"].clone(), row["origin"].as_str().unwrap().to_owned())
}

#[test]
fn every_layer_is_named() {
    let mut bench = Bench::with_writing(&[]);
    bench.write("penname.yaml", "recipe: book\neffort: quick\ntrain:\n  rank: 5\n");
    let check = |bench: &Bench, args: &[&str], key: &str, value: Value, origin: &str| {
        assert_eq!(row(bench, args, key), (value, origin.to_owned()), "{key}");
    };
    check(&bench, &[], "train.clip", 1.into(), "built-in");
    check(&bench, &[], "train.epochs", 1.into(), "effort quick");
    check(&bench, &[], "train.alpha", 64.into(), "recipe book");
    check(&bench, &[], "train.rank", 5.into(), "penname.yaml:4:9");
    check(&bench, &["--set", "train.rank=6"], "train.rank", 6.into(), "--set train.rank");
    check(&bench, &["--set", "seed=1", "--seed", "7"], "seed", 7.into(), "--seed");
    check(&bench, &["--base", "./x.gguf"], "base", "./x.gguf".into(), "--base");
    check(&bench, &["--effort", "thorough"], "evaluate.questions", 64.into(), "effort thorough");
    check(&bench, &[], "hub.endpoint", "https://huggingface.co".into(), "built-in");
    bench.set("HF_ENDPOINT", "https://user:secret@mirror.example");
    check(&bench, &[], "hub.endpoint", "mirror.example".into(), "environment HF_ENDPOINT");
    bench.set("PENNAME_HOME", "/elsewhere");
    check(&bench, &[], "cache", "/elsewhere".into(), "environment PENNAME_HOME");
}

#[test]
fn secrets_are_never_shown() {
    let mut bench = Bench::new();
    bench.set("HF_TOKEN", "hf_verysecret");
    bench.set("HTTPS_PROXY", "http://me:hf_verysecret@proxy.example:1");
    for args in [&["settings", "--origin"][..], &["settings", "--json"], &["doctor", "--offline"]] {
        let said = bench.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!format!("{said:?}").contains("verysecret"), "{said:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let bench = Bench::with_writing(&[]);
    let check = |file: &str, args: &[&str], expected: Expect| {
        bench.write("penname.yaml", file);
        let said = bench.run(&[&["settings"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        expected.assert_eq(&said.err);
    };
    check(
        "train:\n  rnk: 8\n",
        &[],
        expect![[r#"
            error: unknown setting `train.rnk` (penname.yaml:2:3)
            hint: did you mean `train.rank`?
        "#]],
    );
    check(
        "",
        &["--set", "learning_rate=1"],
        expect![[r#"
            error: unknown setting `learning_rate` (--set learning_rate)
            hint: did you mean `train.learning_rate`?
        "#]],
    );
    check(
        "write: {temperature: warm}\n",
        &[],
        expect![[r#"
            error: setting `write.temperature` is "warm" (penname.yaml:1:22), expected auto, or a number from 0 to 10
        "#]],
    );
    check(
        "train.rank: 8\ntrain:\n  rank: 9\n",
        &[],
        expect![[r#"
            error: setting `train.rank` is given twice (penname.yaml:3:9)
        "#]],
    );
    check(
        "recipe: novel\n",
        &[],
        expect![[r#"
            error: unknown recipe `novel`, expected one of advice-column, blog, book, book-overlap, book-questions, column-and-forum, short-replies, tiny-dialogue, tiny-from-scratch, tweet-replies
        "#]],
    );
    check(
        "voice: {persona: a: b}\n",
        &[],
        expect![[r#"
            error: `penname.yaml` is not YAML that can be read: while parsing a flow mapping, did not find expected ',' or '}' at line 1, column 19
            hint: a text that holds `: ` or `#` needs quotes
        "#]],
    );
}

#[test]
fn what_the_corpus_refuses_has_a_place_too() {
    let bench = Bench::with_writing(&[]);
    bench.write("penname.yaml", "corpus: {format: {.txt: novel}}\n");
    let said = bench.run(&["settings"]);
    assert_eq!(said.code, 2);
    let start = "error: setting `corpus.format` is `novel` (penname.yaml:1:18), expected one of ";
    assert!(said.err.starts_with(start), "{}", said.err);
}

#[test]
fn the_reference_page_is_made_from_the_list() {
    let said = Bench::new().run(&["settings", "--reference"]);
    assert_eq!(said.code, 0);
    assert!(
        said.out
            .contains("| `train.rank` | `16` | a whole number from 1 to 4096 | rank of the low-rank pairs |")
    );
}

#[test]
fn a_section_can_be_asked_for() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["settings", "evaluate"]).out, "evaluate.questions  24\n");
    let said = bench.run(&["settings", "evaluat"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("did you mean `evaluate`?"), "{}", said.err);
}
