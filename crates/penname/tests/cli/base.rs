//! With and without a base model.

use serde_json::Value;

use crate::bench::{Bench, letters, result};
use crate::tiny;

fn prepared() -> Bench {
    let bench = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench
}

#[test]
fn offline_without_a_base_says_what_to_do() {
    let said = prepared().run(&["show", "example", "--offline"]);
    assert_eq!((said.code, said.out.as_str()), (5, ""));
    assert!(said.err.contains("and the network may not be used"), "{}", said.err);
    assert!(said.err.contains("\nhint: fetch `"), "{}", said.err);
}

#[test]
fn the_learned_part_of_an_example_is_marked() {
    let bench = prepared();
    tiny::write_base(&bench.path("bases/tiny one"));
    bench.write("penname.yaml", "base: bases/tiny one\n");
    let said = bench.run(&["show", "example", "1", "--offline"]);
    assert_eq!(said.code, 0, "{said:?}");
    let (before, rest) = said.out.split_once('⟦').unwrap();
    let (learned, after) = rest.split_once('⟧').unwrap();
    assert!(before.ends_with("<|im_start|>assistant\n"), "{before}");
    assert!(learned.starts_with("Dear friend, kettle"), "{learned}");
    assert!(learned.ends_with("before breakfast.<|im_end|>"), "{learned}");
    assert_eq!(after.trim(), "");

    let (code, objects) = bench.json(&["show", "example", "1", "--held-out"]);
    assert_eq!(code, 0);
    let sequence = &result(&objects)["sequences"][0];
    let trained =
        sequence["mask"].as_array().unwrap().iter().filter(|&mask| *mask == Value::Bool(true)).count();
    assert_eq!(sequence["trained"].as_u64(), Some(trained as u64));
    // In this vocabulary every byte is a token, so the counts can be told from the text.
    assert_eq!(sequence["ids"].as_array().unwrap().len() as u64, sequence["tokens"].as_u64().unwrap());
}

#[test]
fn ids_are_those_of_the_text() {
    let bench = prepared();
    tiny::write_base(&bench.path("tiny"));
    let said = bench.run(&["show", "example", "--ids", "--base", "tiny"]);
    assert_eq!(said.code, 0, "{said:?}");
    let learned = said.out.split_once('⟦').unwrap().1.split_once('⟧').unwrap().0;
    let ids: Vec<u32> = learned.split(' ').map(|id| id.parse().unwrap()).collect();
    // Three control tokens come before the bytes.
    assert_eq!(&ids[..4], b"Dear".map(|byte| u32::from(byte) + 3));
    assert_eq!(ids.last(), Some(&2));
}

#[test]
fn an_example_too_long_says_so() {
    let bench = prepared();
    tiny::write_base(&bench.path("tiny"));
    let said = bench.run(&["show", "example", "--base", "tiny", "--set", "train.batch_tokens=20"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.starts_with("error: example 1 cannot be learned from\n  because: "), "{}", said.err);
}

#[test]
fn templates_are_the_model_s_own_or_those_named() {
    let bench = prepared();
    tiny::write_base(&bench.path("tiny"));
    bench.write("mine.jinja", "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
    bench.write("penname.yaml", "base: tiny\n");
    let check = |template: &str, expected: &str| {
        let set = format!("template={template}");
        let said = bench.run(&["show", "template", "--set", &set]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.starts_with(expected), "{}", said.out);
        assert!(said.out.contains("a reply ends at: <|im_end|> (2)"), "{}", said.out);
    };
    check("", "template: the base model's own, ");
    check("q-a", "template: q-a, ");
    check("mine.jinja", "template: mine.jinja, ");
    let said = bench.run(&["show", "template", "--set", "template=gone.jinja"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("hint: built-in templates: chatml"), "{}", said.err);
    assert_eq!(bench.run(&["show", "template", "--set", "template=qa"]).code, 2);
}

#[test]
fn the_shape_of_the_base_is_told() {
    let bench = prepared();
    tiny::write_base(&bench.path("tiny"));
    let (code, objects) = bench.json(&["show", "base", "--base", "./tiny"]);
    assert_eq!(code, 0);
    let base = result(&objects);
    assert_eq!((base["layers"].as_u64(), base["vocabulary"].as_u64()), (Some(1), Some(259)));
    let said = bench.run(&["show", "base", "--base", "./gone"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn the_doctor_opens_no_connection_and_makes_no_mess() {
    let bench = prepared();
    let (code, objects) = bench.json(&["doctor"]);
    assert_eq!(code, 0);
    let findings = result(&objects).as_array().unwrap();
    let found = |what: &str| findings.iter().find(|one| one["what"] == what).unwrap();
    assert_eq!(found("base")["verdict"], "note");
    assert_eq!(found("cache")["verdict"], "ok");
    let left: Vec<_> = std::fs::read_dir(bench.home().join(".cache/penname")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_doctor_finds_a_cache_that_cannot_be_written() {
    let mut bench = Bench::new();
    bench.write("in-the-way", "a file");
    let cache = bench.path("in-the-way/cache").display().to_string();
    bench.set("PENNAME_HOME", &cache);
    let said = bench.run(&["doctor"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.contains("set PENNAME_HOME to a folder that can be written"), "{}", said.out);
}

#[test]
fn a_base_is_asked_before_anything_is_trained_and_without_a_project() {
    let bench = Bench::new();
    let text: String = letters(8).into_iter().map(|(_, text)| text).collect();
    tiny::write_taught_base(&bench.path("tiny"), &text);
    let asked = [
        "write",
        "--from-base",
        "--base",
        "tiny",
        "--greedy",
        "--set",
        "template=q-a",
        "--set",
        "write.max_tokens=6",
    ];
    let said = bench.run(&[&asked[..], &["Hello"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.trim().is_empty(), "{said:?}");
    assert_eq!(said.out, bench.run(&[&asked[..], &["Hello"]].concat()).out);
    let said = bench.run(&["write", "--base", "tiny", "Hello"]);
    assert_ne!(said.code, 0, "a voice needs a project: {said:?}");
}
