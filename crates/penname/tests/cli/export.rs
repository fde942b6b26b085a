//! What was trained, in the formats other programs read: put in place whole, checked, never over
//! somebody else's files.

use std::collections::BTreeMap;
use std::fs;

use penname_model::peft::load_adapter;
use penname_model::weights::gguf::{Gguf, Tokenizer as InGguf};
use penname_token::Tokenizer;
use penname_token::sentencepiece::Model;
use serde_json::Value;

use crate::bench::{Bench, letters, result};
use crate::tiny;

/// A project with a voice, trained for a moment.
fn trained(train: &str) -> Bench {
    let bench = Bench::with_writing(&[]);
    let letters = letters(24);
    letters.iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    let text: String = letters.into_iter().map(|(_, text)| text).collect();
    tiny::write_taught_base(&bench.path("tiny"), &text);
    bench.write(
        "penname.yaml",
        &format!("base: tiny\nvoice: {{persona: Be kind.}}\ntrain: {{steps: 40, learning_rate: 0.01, evaluate_every: 20, {train}}}\n"),
    );
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = bench.run(&["train"]);
    assert_eq!(said.code, 0, "{said:?}");
    bench
}

fn names(bench: &Bench, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(bench.path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_format_is_written_checked_and_found_again() {
    let bench = trained("rank: 4");
    let formats = bench.json(&["export"]);
    for format in result(&formats.1)["models"].as_array().unwrap() {
        let name = format["name"].as_str().unwrap();
        let (code, objects) = bench.json(&["export", name, "--offline"]);
        assert_eq!(code, 0, "{name}: {objects:?}");
        let value = result(&objects);
        assert_eq!(value["found"], Value::Bool(false), "{name}");
        assert!(value["measures"]["relative logit difference"].as_f64().unwrap() < 0.05, "{name}: {value}");
        assert!(bench.path(&format!("exports/{name}/manifest.json")).is_file(), "{name}");
        let (code, objects) = bench.json(&["export", name]);
        assert_eq!((code, &result(&objects)["found"]), (0, &Value::Bool(true)), "{name}");
    }
    let (_, objects) = bench.json(&["export", "gguf", "--storage", "q4_0", "--to", "small"]);
    let measures = &result(&objects)["measures"];
    assert!(measures["relative rounding of weights"].as_f64().unwrap() > 0.0, "{objects:?}");
    // Nothing hidden stays behind.
    assert!(
        names(&bench, "exports").iter().all(|name| !name.starts_with('.')),
        "{:?}",
        names(&bench, "exports")
    );

    let file = fs::read(bench.path("exports/gguf/model.gguf")).unwrap();
    let tokenizer = InGguf::from_metadata(&Gguf::parse(&file).unwrap().metadata).unwrap().unwrap();
    assert_eq!((tokenizer.model.as_str(), tokenizer.pre.as_deref()), ("gpt2", Some("gpt-2")));
    assert_eq!((tokenizer.tokens.len(), tokenizer.eos, tokenizer.add_bos), (259, Some(2), Some(false)));
    assert!(tokenizer.chat_template.unwrap().contains("im_start"));

    let modelfile = fs::read_to_string(bench.path("exports/ollama/Modelfile")).unwrap();
    assert!(modelfile.contains("\nFROM ./model.gguf\n"), "{modelfile}");
    assert!(modelfile.contains(r#"{{ "<|im_start|>user\n" }}{{ .Content }}"#), "{modelfile}");
    assert!(modelfile.contains("\nSYSTEM \"\"\"Be kind.\"\"\"\n"), "{modelfile}");
    assert!(modelfile.contains("\nPARAMETER stop \"<|im_end|>\"\n"), "{modelfile}");
}

#[test]
fn other_people_s_files_stay() {
    let bench = trained("rank: 2");
    bench.write("mine/model.gguf", "not yours");
    let said = bench.run(&["export", "gguf", "--to", "mine"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("was not exported by penname"), "{}", said.err);
    assert_eq!(fs::read(bench.path("mine/model.gguf")).unwrap(), b"not yours");

    // An export of its own is replaced by another order, unless a stranger has moved in.
    assert_eq!(bench.run(&["export", "gguf", "--to", "out"]).code, 0);
    assert_eq!(bench.run(&["export", "gguf", "--to", "out", "--storage", "f16"]).code, 0);
    bench.write("out/notes.txt", "mine");
    let said = bench.run(&["export", "gguf", "--to", "out"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("holds `notes.txt`"), "{}", said.err);
}

#[test]
fn an_adapter_made_elsewhere_is_exported_beside_its_base() {
    let bench = trained("rank: 4, rslora: true");
    assert_eq!(bench.run(&["export", "gguf-lora"]).code, 0);
    let args =
        ["export", "peft", "--adapter", "exports/gguf-lora/adapter.gguf", "--base", "tiny", "--to", "back"];
    let said = bench.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    let scaled = |folder: &str| -> BTreeMap<String, Vec<f32>> {
        let (config, pairs) = load_adapter(&bench.path(folder)).unwrap();
        let product = |(module, pair): (&String, &penname_model::peft::Pair)| {
            let mut weight = vec![0.0; pair.n_in * pair.n_out];
            penname_model::merge::merge(&mut weight, pair, config.scale_for(module) as f32);
            (module.clone(), weight)
        };
        pairs.iter().map(product).collect()
    };
    let (ours, back) = (scaled("runs/run-1/adapter"), scaled("back"));
    assert!(ours.keys().eq(back.keys()));
    for (module, expected) in &ours {
        let apart = expected.iter().zip(&back[module]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-6, "{module}: {apart}");
    }
}

#[test]
fn a_voice_trained_in_full_leaves_whole() {
    let bench = trained("method: full");
    let said = bench.run(&["export", "peft"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("hint: export the whole model"), "{}", said.err);
    let said = bench.run(&["export", "merged"]);
    assert_eq!(said.code, 0, "{said:?}");
    let expected = [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names(&bench, "exports/merged"), expected);
    // What was written is a base like any other.
    let said = bench.run(&["export", "gguf", "--from-base", "--base", "exports/merged", "--to", "again"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn words_that_mean_nothing_are_refused() {
    let bench = Bench::with_writing(&[]);
    let check = |args: &[&str], expected: &str| {
        let said = bench.run(args);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(expected), "{}", said.err);
    };
    check(&["export", "onnx"], "hint: formats: peft, merged, gguf");
    check(&["export", "gguf"], "no run has been trained to its end here");
    check(&["export", "gguf", "--adapter", "x", "--from-base"], "cannot be used with");
    check(&["export", "gguf", "--python", "x"], "--verify");
}

/// Pieces leave in three files, each of which its readers take alone: all say the same ids and texts.
#[test]
fn pieces_leave_in_every_form_and_say_the_same() {
    let bench = crate::scratch::begun();
    let said = bench.run(&["train", "--offline"]);
    assert_eq!(said.code, 0, "{said:?}");
    for format in ["merged", "llama2c", "llama2c-v1", "gguf"] {
        let said = bench.run(&["export", format, "--offline"]);
        assert_eq!(said.code, 0, "{format}: {said:?}");
    }
    let said = bench.run(&["export", "llama2c", "--storage", "q8_0", "--to", "exports/int8", "--offline"]);
    assert_eq!(said.code, 0, "{said:?}");
    let trained = fs::read(bench.path("runs/run-1/adapter/tokenizer.json")).unwrap();
    let trained = Tokenizer::from_json(&trained).unwrap();
    for folder in ["exports/merged", "exports/llama2c", "exports/llama2c-v1", "exports/int8"] {
        let read = |name: &str| fs::read(bench.path(folder).join(name)).unwrap();
        let json = Tokenizer::from_json(&read("tokenizer.json")).unwrap();
        let models =
            [Model::from_bytes(&read("tokenizer.model")), Model::from_llama2c(&read("tokenizer.bin"))];
        let pieces = models.map(|model| Tokenizer::from_sentencepiece(model.unwrap()).unwrap());
        for text in
            ["The copper kettle of house 12", "  two  spaces\nand a line", "Größe – 東京 \u{1f600}", "x"]
        {
            let expected = trained.encode(text).unwrap();
            assert!(!expected.is_empty());
            for (found, of) in pieces.iter().chain([&json]).zip(["model", "bin", "json"]) {
                assert_eq!(found.encode(text).unwrap(), expected, "{folder}/tokenizer.{of}: {text:?}");
                assert_eq!(found.decode(&expected), trained.decode(&expected), "{folder}/tokenizer.{of}");
            }
        }
        assert_eq!(json.hash(), trained.hash(), "{folder}");
    }
    let file = fs::read(bench.path("exports/gguf/model.gguf")).unwrap();
    let inside = InGguf::from_metadata(&Gguf::parse(&file).unwrap().metadata).unwrap().unwrap();
    assert_eq!((inside.model.as_str(), inside.tokens.len()), ("llama", trained.vocab_size()));
}

/// A program that cannot be asked is named, and nothing is put in place that was to be verified.
#[cfg(unix)]
#[test]
fn an_engine_that_is_not_here_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = trained("rank: 2");
    #[expect(clippy::disallowed_methods, reason = "a test lays out its own programs")]
    let program = |name: &str, text: &str| {
        bench.write(name, text);
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        bench.path(name).display().to_string()
    };
    let none = program("none", "#!/bin/sh\nexit 1\n");
    let check = |args: &[&str], expected: &str| {
        let said = bench.run(&[&["export", "--verify", "--python"], args].concat());
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(expected), "{}", said.err);
        assert!(!bench.path("exports").exists() || names(&bench, "exports").is_empty(), "{said:?}");
    };
    check(&[&none, "gguf"], "is without xllamacpp, and no `llama-server` is on the path");
    check(&[&none, "merged"], "is without torch, transformers or peft");
    check(&[&none, "llama2c"], "no program here that could be asked about `llama2c`");

    // One that talks nonsense has not verified anything.
    let babbles = program("babbles", "#!/bin/sh\necho '{}'\necho trouble >&2\n");
    let said = bench.run(&["export", "gguf", "--verify", "--python", &babbles]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("could not be asked") && said.err.contains("trouble"), "{}", said.err);
}
