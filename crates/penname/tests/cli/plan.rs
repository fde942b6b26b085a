//! What training needs, told before anything is loaded.

use serde_json::{Value, json};

use crate::bench::{Bench, result};

#[test]
fn a_shape_is_planned_for_memory_that_is_named() {
    let bench = Bench::new();
    let args = ["plan", "--shape", "gpt2", "--memory", "4GB", "--set", "train.base_weights=nf4"];
    let said = bench.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in ["weights, NF4", "it fits: ", "the longest batch that fits: ", "train.batch_tokens="] {
        assert!(said.out.contains(expected), "no {expected:?} in {}", said.out);
    }
    let (code, objects) = bench.json(&args);
    assert_eq!(code, 0);
    let need = &result(&objects)["need"];
    let parts =
        ["frozen", "trained", "gradients", "optimizer", "activations", "io", "scratch", "copies", "process"];
    let sum: u64 = parts.iter().map(|part| need[part].as_u64().unwrap()).sum();
    assert_eq!(need["total"].as_u64(), Some(sum));
    // Two moments of four bytes, and a gradient of four, for every number that is trained.
    assert_eq!(need["optimizer"].as_u64().unwrap(), 2 * need["gradients"].as_u64().unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let bench = Bench::new();
    let said = bench.run(&["plan", "--shape", "gpt2", "--memory", "200MB"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.contains("it does not fit"), "{}", said.out);
    assert!(said.err.contains("half the `train.batch_tokens`"), "{}", said.err);
}

#[test]
fn a_folder_with_nothing_but_its_configuration_is_enough() {
    let bench = Bench::new();
    let config = json!({
        "model_type": "llama", "vocab_size": 1000, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 3, "num_attention_heads": 2, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        "max_position_embeddings": 512, "tie_word_embeddings": true,
    });
    bench.write("shape/config.json", &config.to_string());
    let (code, objects) =
        bench.json(&["plan", "--shape", "shape", "--memory", "1GB", "--set", "train.method=full"]);
    assert_eq!(code, 0, "{objects:?}");
    let plan = result(&objects);
    assert_eq!(plan["fits"], Value::Bool(true));
    assert_eq!(plan["longest_batch_tokens"].as_u64(), Some(512));
    let said = bench.run(&["plan", "--shape", "nothing", "--memory", "1GB"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("hint: shapes: smollm2-135m, gpt2"), "{}", said.err);
}

#[test]
fn a_base_that_does_not_fit_may_stay_on_disk() {
    let bench = Bench::new();
    let args = ["plan", "--shape", "qwen3-0.6b", "--memory", "2GB", "--set", "train.base_weights=nf4"];
    let small = [&args[..], &["--set", "train.batch_tokens=128"]].concat();
    let (code, objects) = bench.json(&small);
    let resident = result(&objects)["need"].clone();
    assert_eq!((code, resident["on_disk"].as_u64()), (0, Some(0)));
    let (code, objects) = bench.json(&[&small[..], &["--set", "train.base_place=disk"]].concat());
    let plan = result(&objects);
    let need = &plan["need"];
    assert_eq!(code, 0, "{need}");
    let [all, there] = [&resident, need].map(|need| need["frozen"].as_u64().unwrap());
    // All but vectors lies on disk; an embedding and a block of the 28 are there at one time.
    assert!(need["on_disk"].as_u64().unwrap() > all - (1 << 20), "{need}");
    assert!(there < all && there > all - need["on_disk"].as_u64().unwrap(), "{need}");
    let same = |part: &str| assert_eq!(need[part], resident[part], "{part}");
    ["trained", "gradients", "optimizer", "io", "scratch"].into_iter().for_each(same);
    assert!(plan["longest_batch_tokens"].as_u64() > Some(128));
}

#[test]
fn gpt_oss_is_planned_as_it_is_published() {
    let (code, objects) = Bench::new().json(&["plan", "--shape", "gpt-oss-20b", "--memory", "24GB"]);
    assert_eq!(code, 0, "{objects:?}");
    let weights = &result(&objects)["need"]["weights"];
    // 24 layers of 32 experts with (2 · 2880 + 2880) · 2880 numbers of 4.25 bits.
    let experts = 24 * 32 * 3 * 2880 * 2880 * 17 / 32;
    assert_eq!(weights["MXFP4"].as_u64(), Some(experts));
    // Embedding, head and attention in bf16.
    assert!((2_500_000_000..3_700_000_000).contains(&weights["bf16"].as_u64().unwrap()), "{weights}");
}
