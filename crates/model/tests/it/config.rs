//! `config.json`: what is understood, what is refused and how that is said.

use penname_model::{Config, RopeScaling, Storage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::tiny;

/// As transformers 4 wrote them.
fn older() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009],
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 2048,
        "initializer_range": 0.02,
        "intermediate_size": 8192,
        "max_position_embeddings": 131072,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 16,
        "num_key_value_heads": 8,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0",
        "use_cache": true,
        "vocab_size": 128256,
    })
}

fn with(changes: Value) -> Value {
    let mut config = older();
    for (field, value) in changes.as_object().unwrap() {
        config[field] = value.clone();
    }
    config
}

fn without(field: &str) -> Value {
    let mut config = older();
    config.as_object_mut().unwrap().remove(field);
    config
}

#[test]
fn an_older_file_is_understood() {
    let config = Config::from_hf_json(older()).unwrap();
    assert_eq!((config.n_heads, config.n_kv_heads, config.head_width), (32, 8, 64));
    assert_eq!((config.query_width(), config.kv_width()), (2048, 512));
    assert_eq!(config.eos, [128001, 128008, 128009]);
    assert!(config.tied && !config.qkv_bias);
}

#[test]
fn a_newer_file_says_the_same() {
    let mut newer = with(json!({ "rope_parameters": older()["rope_scaling"], "dtype": "bfloat16" }));
    newer["rope_parameters"]["rope_theta"] = json!(500000.0);
    for field in ["rope_scaling", "rope_theta", "torch_dtype"] {
        newer.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(Config::from_hf_json(newer).unwrap(), Config::from_hf_json(older()).unwrap());
}

#[test]
fn what_is_left_out_has_its_published_default() {
    let read = |value| Config::from_hf_json(value).unwrap();
    assert_eq!(read(without("rope_theta")).rope_theta, 10_000.0);
    assert_eq!(read(without("num_key_value_heads")).n_kv_heads, 32);
    assert_eq!(read(without("head_dim")).head_width, 64);
    assert!(!read(without("tie_word_embeddings")).tied);
    assert_eq!(read(with(json!({ "rope_scaling": null }))).rope_scaling, RopeScaling::None);
    assert!(read(with(json!({ "eos_token_id": null }))).eos.is_empty());
}

fn check(value: Value, expected: &str) {
    assert_eq!(Config::from_hf_json(value).unwrap_err().to_string(), expected);
}

#[test]
fn what_changes_the_maths_is_refused_by_name() {
    check(json!([]), "`config.json` is [], expected an object");
    check(
        with(json!({ "model_type": "mamba" })),
        "`model_type` is \"mamba\", expected one of: gpt2, llama, mistral, qwen2, qwen3, qwen3_moe, gpt_oss",
    );
    check(with(json!({ "hidden_act": "gelu" })), "`hidden_act` is \"gelu\", expected \"silu\" or \"swish\"");
    check(
        with(json!({ "sliding_window": 4096 })),
        "`sliding_window` is 4096, expected null, or at least the 131072 of max_position_embeddings",
    );
    check(with(json!({ "rope_interleaved": true })), "`rope_interleaved` is true, expected false");
    check(with(json!({ "pretraining_tp": 2 })), "`pretraining_tp` is 2, expected 1");
    check(
        with(json!({ "quantization_config": { "bits": 4 } })),
        "`quantization_config` is {\"bits\":4}, expected nothing",
    );
    check(
        with(json!({ "logit_softcap": 30 })),
        "`logit_softcap` is not known and may change what the model computes",
    );
    check(
        with(json!({ "rope_scaling": { "rope_type": "dynamic", "factor": 4 } })),
        "`rope_scaling.rope_type` is \"dynamic\", expected default, linear, llama3 or yarn",
    );
    check(
        with(json!({ "rope_scaling": { "type": "linear", "factor": 4, "beta": 1 } })),
        "`rope_scaling.beta` is not known and may change what the model computes",
    );
    check(with(json!({ "rope_scaling": { "type": "linear" } })), "`rope_scaling.factor` is missing");
}

#[test]
fn sizes_that_no_file_has_earned_are_refused() {
    check(with(json!({ "num_hidden_layers": 65_537 })), "`number of layers` is 65537, expected 1 to 65536");
    check(with(json!({ "head_dim": 65_538 })), "`head width` is 65538, expected 1 to 65536");
    // Found by chance: every other of two billion layers was listed before their number was looked at.
    let dense = json!({
        "model_type": "qwen3_moe", "hidden_act": "silu", "vocab_size": 96, "hidden_size": 32,
        "intermediate_size": 20, "num_hidden_layers": u64::MAX / 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 12, "max_position_embeddings": 128, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0, "num_experts": 7, "num_experts_per_tok": 3, "moe_intermediate_size": 1,
        "decoder_sparse_step": 2,
    });
    check(dense, "`number of layers` is 9223372036854775807, expected 1 to 65536");
}

#[test]
fn contradictions_are_refused() {
    check(
        with(json!({ "rope_parameters": { "rope_theta": 1e4 } })),
        "`rope_theta` is 10000.0, expected 500000 everywhere",
    );
    check(
        with(json!({ "rope_parameters": { "rope_type": "linear", "factor": 2.0 } })),
        "`rope_scaling` is {\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,\"h…, \
         expected what rope_parameters says",
    );
    check(
        with(json!({ "num_key_value_heads": 5 })),
        "`number of key and value heads` is 5, expected a divisor of the 32 heads",
    );
    check(with(json!({ "head_dim": 63 })), "`head width` is 63, expected an even number");
    check(with(json!({ "num_hidden_layers": 0 })), "`number of layers` is 0, expected 1 to 65536");
    check(with(json!({ "hidden_size": -1 })), "`hidden_size` is -1, expected a count");
    check(with(json!({ "vocab_size": 128000 })), "`special token id` is 128000, expected less than 128000");
    check(with(json!({ "rms_norm_eps": 0 })), "`norm epsilon` is 0, expected a positive number");
    check(without("rms_norm_eps"), "`rms_norm_eps` is missing");
}

/// What transformers computes in `f32` for this scaling, theta 500000 and heads of 64. Its own
/// rounding is some units in the last place.
#[test]
fn llama3_frequencies_equal_those_of_transformers() {
    let config = Config::from_hf_json(older()).unwrap();
    let found = config.rope_frequencies();
    assert_eq!(found.len(), 32);
    let expected = [
        (0, 1.0),
        (1, 0.663601279),
        (14, 0.00321144611),
        (15, 0.00129054801),
        (16, 0.000429556705),
        (17, 9.70828623e-05),
        (18, 1.94616387e-05),
        (31, 9.41830649e-08),
    ];
    for (pair, expected) in expected {
        assert!((found[pair] / expected - 1.0f64).abs() < 2e-6, "pair {pair}: {} {expected}", found[pair]);
    }
}

fn scaling() -> impl Strategy<Value = RopeScaling> {
    prop_oneof![
        Just(RopeScaling::None),
        (0.5f64..64.0).prop_map(|factor| RopeScaling::Linear { factor }),
        (1.0f64..64.0, 0.5f64..2.0, 2.5f64..8.0, 1usize..1 << 20).prop_map(
            |(factor, low, high, original)| {
                RopeScaling::Llama3 {
                    factor,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_context: original,
                }
            }
        ),
    ]
}

proptest! {
    #[test]
    fn written_and_read_again_it_is_the_same(
        scaling in scaling(),
        groups in 1usize..8,
        kv in 1usize..8,
        half_width in 1usize..128,
        (tied, attention_bias, mlp_bias) in any::<(bool, bool, bool)>(),
        eos in prop::collection::vec(0u32..40, 0..4),
        norm_eps in 1e-9f64..1e-2,
    ) {
        let config = Config {
            n_heads: groups * kv,
            n_kv_heads: kv,
            head_width: 2 * half_width,
            rope_scaling: scaling,
            qkv_bias: attention_bias,
            output_bias: attention_bias,
            tied,
            mlp_bias,
            eos,
            norm_eps,
            ..tiny::config()
        };
        prop_assert_eq!(Config::from_hf_json(config.to_hf_json(Storage::BF16)).unwrap(), config);
    }
}
