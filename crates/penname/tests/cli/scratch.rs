//! A model from nothing, and from that one that answers: what seed 004 wanted, and the mistakes that
//! were made on the way there.

use serde_json::Value;

use crate::bench::{Bench, Said, letters, result};

/// Sizes with which a model is made in seconds.
const TINY: &str = "\
base: scratch
template: text
model: {depth: 1, width: 32, heads: 2, context: 256}
tokenizer: {size: 400}
train: {steps: 40, learning_rate: 1e-2, batch_examples: 8, batch_tokens: 512, evaluate_every: 10, patience: 0, precision: f32}
corpus: {compose: {continue_prompt: \"{text}\\n\"}, dedupe: {near: false}}
write: {max_tokens: 8}
evaluate: {questions: 2}
";

/// A voice whose writing is running text, no two files of it alike.
pub(crate) fn begun() -> Bench {
    let bench = Bench::with_writing(&[]);
    for at in 0..12 {
        let line = |n: usize| {
            let sorts = ["copper", "tin", "iron", "glass", "clay"];
            format!(
                "The {} kettle of house {} sings at {} o'clock.",
                sorts[(at + n) % 5],
                at * 7 + n,
                n % 12 + 1
            )
        };
        let text: Vec<String> = (0..12).map(line).collect();
        bench.write(&format!("writing/day-{at:02}.txt"), &text.join("\n"));
    }
    bench.write("penname.yaml", TINY);
    bench
}

fn done(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_model_is_made_of_writing_alone() {
    let bench = begun();
    let said = bench.run(&["train", "--offline"]);
    done(&said);
    for told in
        ["new model: ", "tokenizer: ", "width: 32 wide, 2 heads of 16", "training starts from nothing"]
    {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
    let names = ["model.safetensors", "config.json", "tokenizer.json", "tokenizer.model", "tokenizer.bin"];
    for folder in ["data/base", "runs/run-1/adapter"] {
        names.iter().for_each(|name| assert!(bench.path(folder).join(name).is_file(), "{folder}/{name}"));
    }
    // Nothing is made twice, and what was trained writes.
    let again = bench.run(&["train", "--offline"]);
    done(&again);
    assert!(again.err.contains("run `run-1` was made from the same writing"), "{}", again.err);
    done(&bench.run(&["write", "The copper", "--greedy", "--offline"]));
    assert_eq!(bench.run(&["resume", "--offline"]).code, 2, "there is nothing to go on with");
}

#[test]
fn the_same_writing_and_seed_make_the_same_model() {
    let digest = |seed: &str| {
        let bench = begun();
        done(&bench.run(&["train", "--offline", "--seed", seed]));
        std::fs::read(bench.path("runs/run-1/adapter/model.safetensors")).unwrap()
    };
    let first = digest("3");
    assert!(first == digest("3"));
    assert!(first != digest("4"));
}

#[test]
fn a_shard_that_was_changed_is_not_trained_on() {
    let bench = begun();
    done(&bench.run(&["train", "--offline"]));
    let path = bench.path("data/tokens/train.shard");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[200] ^= 1;
    penname_ledger::write::bytes(&path, &bytes).unwrap();
    // A file beside those the manifest names is none of its business.
    bench.write("data/tokens/zz.bin", "left over");
    let said = bench.run(&["train", "--offline", "--run", "second"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("output `train.shard` has digest"), "{}", said.err);
}

#[test]
fn dialogues_are_learned_from_the_model_and_begin_anew() {
    let base = begun();
    done(&base.run(&["train", "--offline"]));
    let talk = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| talk.write(&format!("writing/{name}"), text));
    let settings = |base: &str| {
        format!(
            "base: {base}\ntemplate: q-a\ntrain: {{method: full, learning_rate: 1e-3, steps: 8, batch_examples: 3, \
             batch_tokens: 256, patience: 0, precision: f32}}\ncorpus: {{dedupe: {{near: false}}}}\n"
        )
    };
    let here = base.here.display().to_string();
    talk.write("penname.yaml", &settings(&here));
    // Another number of examples in a step than the model was made with: it is nobody's business.
    let (code, objects) = talk.json(&["train", "--offline"]);
    assert_eq!(code, 0, "{objects:?}");
    assert_eq!(result(&objects)["steps"].as_u64(), Some(8));
    let voice: Value =
        serde_json::from_slice(&std::fs::read(talk.path("runs/run-1/adapter/voice.json")).unwrap()).unwrap();
    assert!(voice["template"].as_str().unwrap().contains("'Q: '"), "{voice}");
    // A run's folder leads to the same model, and a folder without one says so.
    let run = base.path("runs/run-1").display().to_string();
    done(&talk.run(&["show", "base", "--offline", "--base", &run]));
    let empty = Bench::with_writing(&[]);
    let said = talk.run(&["show", "base", "--offline", "--base", &empty.here.display().to_string()]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("no model was trained to its end in"), "{}", said.err);
}

#[test]
fn a_model_is_not_read_with_another_tokenizer() {
    let bench = begun();
    done(&bench.run(&["train", "--offline"]));
    let other = begun();
    done(&other.run(&["tokenizer", "train", "--set", "tokenizer.size=330", "--out", "other", "--offline"]));
    let file = other.path("other/tokenizer.model").display().to_string();
    let said = bench.run(&[
        "show",
        "base",
        "--offline",
        "--base",
        "runs/run-1/adapter",
        "--set",
        &format!("tokenizer.file={file}"),
    ]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("with which the model was trained"), "{}", said.err);
}

#[test]
fn a_tokenizer_is_learned_from_what_is_named_and_nothing_else() {
    let bench = begun();
    let named =
        ["tokenizer", "train", "writing/day-00.txt", "writing/day-01.txt", "--set", "tokenizer.size=330"];
    let (code, objects) = bench.json(&named);
    assert_eq!(code, 0, "{objects:?}");
    let first = std::fs::read(bench.path("tokenizer/tokenizer.model")).unwrap();
    bench.write("writing/zz.txt", "Quite another text, about aardvarks and zeppelins.");
    let again = bench.run(&[&named[..], &["--out", "again"]].concat());
    done(&again);
    assert!(std::fs::read(bench.path("again/tokenizer.model")).unwrap() == first);
    bench.write("taken/notes.txt", "mine");
    let said = bench.run(&[&named[..], &["--out", "taken"]].concat());
    assert_eq!(said.code, 2, "{said:?}");
    assert!(bench.path("taken/notes.txt").is_file());
    assert_eq!(bench.run(&["tokenizer", "train", "--set", "tokenizer.kind=words"]).code, 2);
    let (code, objects) =
        bench.json(&["tokenizer", "train", "--set", "tokenizer.kind=bytes", "--out", "bytes"]);
    assert_eq!(code, 0);
    assert_eq!(result(&objects)["files"].as_array().unwrap().len(), 2);
}

#[test]
fn llama2c_s_shards_go_out_and_come_in_by_name() {
    let bench = begun();
    done(&bench.run(&["tokenizer", "shards", "--out", "shards", "--offline"]));
    let n_bytes = |name: &str| std::fs::metadata(bench.path("shards").join(name)).unwrap().len();
    assert!(n_bytes("data01.bin") > n_bytes("data00.bin") && n_bytes("data00.bin") > 0);
    let (code, objects) = bench.json(&["train", "--offline", "--set", "train.shards=[shards/data01.bin]"]);
    assert_eq!(code, 0, "{objects:?}");
    let plain = begun();
    let (_, without) = plain.json(&["train", "--offline"]);
    assert_ne!(result(&objects)["best_loss_nats"], result(&without)["best_loss_nats"]);
    let said = bench.run(&["train", "--offline", "--set", "train.shards=[shards/gone.bin]", "--run", "x"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("gone.bin"), "{}", said.err);
    let said =
        bench.run(&["train", "--set", "train.shards=[a.bin]", "--set", "train.learn=answers", "--offline"]);
    assert_eq!(said.code, 2, "{said:?}");
}
