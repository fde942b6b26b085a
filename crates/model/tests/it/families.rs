//! `config.json` as the families publish it: what of it is understood, and what is refused by name.

use penname_model::{Config, RopeScaling, Storage};
use serde_json::{Value, json};

/// What the first Llama 3 small enough for a desk says.
fn llama32() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
        "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": true,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3",
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0", "use_cache": true,
        "vocab_size": 128256,
    })
}

fn smollm2() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576,
        "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": true,
        "max_position_embeddings": 8192, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pad_token_id": 2,
        "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_interleaved": false, "rope_scaling": null,
        "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers.js_config": { "kv_cache_dtype": { "q4f16": "float16" } },
        "transformers_version": "4.42.3", "use_cache": true, "vocab_size": 49152,
    })
}

fn mistral() -> Value {
    json!({
        "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
        "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
        "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-5, "rope_theta": 1000000.0, "sliding_window": null,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.42.0.dev0",
        "use_cache": true, "vocab_size": 32768,
    })
}

fn qwen25() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
        "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
        "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21,
        "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
        "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.43.1", "use_cache": true, "use_sliding_window": false,
        "vocab_size": 151936,
    })
}

fn qwen3() -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
        "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-6, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
        "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
        "use_cache": true, "use_sliding_window": false, "vocab_size": 151936,
    })
}

/// As transformers 5 writes it, every layer named and theta among its parameters.
fn qwen3_newer() -> Value {
    let mut config = qwen3();
    for field in ["rope_scaling", "rope_theta", "torch_dtype"] {
        config.as_object_mut().unwrap().remove(field);
    }
    config["dtype"] = json!("bfloat16");
    config["layer_types"] = json!(vec!["full_attention"; 28]);
    config["rope_parameters"] = json!({ "rope_theta": 1000000, "rope_type": "default" });
    config
}

fn read(value: Value) -> Config {
    Config::from_hf_json(value).unwrap()
}

#[test]
fn published_files_are_understood_and_written_again() {
    for published in [llama32(), smollm2(), mistral(), qwen25(), qwen3(), qwen3_newer()] {
        let config = read(published.clone());
        let written = config.to_hf_json(Storage::BF16);
        assert_eq!(written["architectures"], published["architectures"]);
        assert_eq!(read(written), config);
    }
    assert_eq!(read(qwen3_newer()), read(qwen3()));
}

#[test]
fn families_differ_in_what_they_leave_unsaid() {
    let biases = |value| {
        let config = read(value);
        (config.qkv_bias, config.output_bias, config.mlp_bias)
    };
    assert_eq!(biases(qwen25()), (true, false, false));
    assert_eq!(biases(with(qwen3(), "attention_bias", json!(true))), (true, true, false));
    assert_eq!(biases(with(llama32(), "mlp_bias", json!(true))), (false, false, true));
    assert_eq!(read(without(qwen25(), "head_dim")).head_width, 64);
    assert_eq!(read(without(with(qwen3(), "num_attention_heads", json!(8)), "head_dim")).head_width, 128);
    assert_eq!(read(without(mistral(), "rope_theta")).rope_theta, 10_000.0);
    assert!(matches!(read(llama32()).rope_scaling, RopeScaling::Llama3 { .. }));
}

fn with(mut config: Value, field: &str, value: Value) -> Value {
    config[field] = value;
    config
}

fn without(mut config: Value, field: &str) -> Value {
    config.as_object_mut().unwrap().remove(field);
    config
}

/// Each field beside a file that would be understood without it.
#[test]
fn what_changes_the_maths_is_refused_by_name() {
    let of_any: &[(&str, Value)] = &[
        ("activation_function", json!("gelu_new")),
        ("attention_multiplier", json!(0.015625)),
        ("attn_logit_softcapping", json!(50.0)),
        ("embedding_multiplier", json!(12.0)),
        ("final_logit_softcapping", json!(30.0)),
        ("hidden_act", json!("gelu_pytorch_tanh")),
        ("hidden_act", json!("relu2")),
        ("hidden_activation", json!("gelu_pytorch_tanh")),
        ("layer_types", json!(["full_attention", "sliding_attention"])),
        ("logit_scale", json!(0.0625)),
        ("logits_scaling", json!(8.0)),
        ("no_rope_layers", json!([1, 1, 1, 0])),
        ("num_experts", json!(128)),
        ("num_local_experts", json!(8)),
        ("parallel_attn", json!(true)),
        ("partial_rotary_factor", json!(0.5)),
        ("qk_layernorm", json!(true)),
        ("query_pre_attn_scalar", json!(256)),
        ("quantization_config", json!({ "quant_method": "bitsandbytes", "load_in_4bit": true })),
        ("residual_multiplier", json!(0.22)),
        ("rope_scaling", json!({ "type": "dynamic", "factor": 2.0 })),
        ("rope_scaling", json!({ "rope_type": "longrope", "long_factor": [1.0], "short_factor": [1.0] })),
        ("rope_parameters", json!({ "rope_type": "default", "partial_rotary_factor": 0.5 })),
        ("use_qk_norm", json!(true)),
        ("use_sliding_window", json!(true)),
    ];
    for (family, published) in
        [("llama", llama32()), ("mistral", mistral()), ("qwen2", qwen25()), ("qwen3", qwen3())]
    {
        for (field, value) in of_any {
            check(family, published.clone(), field, value.clone());
        }
    }
}

#[test]
fn what_changes_the_maths_of_one_family_is_refused_by_name() {
    check("qwen2", qwen25(), "attention_bias", json!(false));
    check("qwen2", qwen25(), "mlp_bias", json!(true));
    check("qwen3", qwen3(), "mlp_bias", json!(true));
    check("mistral", mistral(), "attention_bias", json!(true));
    check("mistral", mistral(), "sliding_window", json!(4096));
    check("llama", llama32(), "sliding_window", json!(4096));
    // Unsaid is another thing than null here: transformers then assumes a window of 4096.
    let error = Config::from_hf_json(without(mistral(), "sliding_window")).unwrap_err().to_string();
    assert!(error.contains("`sliding_window` is 4096"), "{error}");
    let short = with(without(mistral(), "sliding_window"), "max_position_embeddings", json!(4096));
    assert_eq!(read(short).context, 4096);
}

fn check(family: &str, published: Value, field: &str, value: Value) {
    let said = format!("{family}: {field} {value}");
    let error = Config::from_hf_json(with(published, field, value)).expect_err(&said).to_string();
    assert!(error.contains(field), "{said}: {error}");
}

#[test]
fn other_families_are_refused_by_name() {
    for family in ["gemma2", "phi3", "mixtral", "granite", "olmo2", "mamba", "smollm3", "deepseek_v3"] {
        let error = Config::from_hf_json(with(llama32(), "model_type", json!(family))).unwrap_err();
        assert!(error.to_string().contains(&format!("`model_type` is \"{family}\"")), "{error}");
    }
}
