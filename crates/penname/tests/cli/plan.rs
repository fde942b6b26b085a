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
