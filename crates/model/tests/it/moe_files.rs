//! Mixtures of experts in files: blocks, adapters, merged models, and configurations.

use std::collections::BTreeMap;

use penname_model::merge::save_trained;
use penname_model::peft::{load_adapter, save_adapter};
use penname_model::{Checkpoint, Config, Keeping, Method, Parameters, Purpose, Quantizer, Storage};
use serde_json::{Value, json};

use crate::golden::{cpu, folder, full, golden, merged, network};
use crate::golden_moe::{QWEN, TRAINED, WITH_PAIRS};

#[test]
fn an_adapter_goes_out_as_it_came_in() {
    for name in WITH_PAIRS {
        let (config, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
        assert_eq!(config.target_parameters.len(), 2);
        let shapes = ["gate_up_proj", "down_proj"].map(|parameter| {
            let pair = &pairs[&format!("model.layers.1.mlp.experts.{parameter}")];
            (pair.rank, pair.n_in, pair.n_out)
        });
        let expected = match name {
            "gpt_oss/mxfp4" => [(16, 32, 64), (16, 32, 32)],
            _ => [(24, 32, 40), (24, 20, 32)],
        };
        assert_eq!(shapes, expected);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("adapter");
        save_adapter(&out, &config, &pairs).unwrap();
        let names = |dir: &std::path::Path| {
            let saved = Checkpoint::open(dir.join("adapter_model.safetensors")).unwrap();
            saved.names().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&out), names(&folder(name).join("adapter")));
        assert_eq!(load_adapter(&out).unwrap(), (config, pairs));
    }
}

/// Codes and exponents of two tensors are one, worth what transformers makes of them.
#[test]
fn blocks_are_worth_what_transformers_decodes() {
    let golden = golden("gpt_oss/mxfp4");
    let decoded = Checkpoint::open(folder("gpt_oss/mxfp4").join("decoded.safetensors")).unwrap();
    let mut n_tensors = 0;
    for name in decoded.names() {
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        golden.checkpoint.read_f32(name, &mut found).unwrap();
        decoded.read_f32(name, &mut expected).unwrap();
        let shape = &golden.checkpoint.info(name).unwrap().shape;
        let [n_out, n_in] = [shape[1], shape[2]];
        for (at, value) in found.iter().enumerate() {
            let (expert, n, k) = (at / (n_out * n_in), at / n_in % n_out, at % n_in);
            assert_eq!(*value, expected[(expert * n_in + k) * n_out + n], "{name} {at}");
        }
        n_tensors += 1;
    }
    assert_eq!(n_tensors, 4);
}

#[test]
fn experts_stay_as_they_are_stored() {
    let golden = golden("gpt_oss/mxfp4");
    let kept = |keeping: Keeping| {
        let net = network(&golden.config, Method::Frozen, Purpose::Loss);
        Parameters::load(&golden.checkpoint, &net, keeping, &mut cpu()).unwrap().kept
    };
    assert_eq!(kept(Keeping::Stored)["MXFP4"], 4);
    assert_eq!(kept(Keeping::Rounded).get("MXFP4"), None);
    // Four maps of attention and two of experts a layer; routers and embeddings are left as they are.
    assert_eq!(kept(Keeping::Quantized(Quantizer::Q8_0))["Q8_0"], 2 * 6);
    let message = {
        let net = network(&golden.config, full(), Purpose::Loss);
        Parameters::load(&golden.checkpoint, &net, Keeping::Stored, &mut cpu()).unwrap_err().to_string()
    };
    assert!(message.contains("mlp.experts.gate_up_proj") && message.contains("MXFP4"), "{message}");
}

fn config_of(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder(name).join("config.json")).unwrap()).unwrap()
}

#[test]
fn a_configuration_goes_out_as_it_came_in() {
    for name in TRAINED.into_iter().chain(["gpt_oss/mxfp4"]) {
        let config = Config::from_hf_json(config_of(name)).unwrap();
        let written = config.to_hf_json(Storage::BF16);
        assert_eq!(Config::from_hf_json(written).unwrap(), config, "{name}");
    }
}

#[test]
fn a_bad_configuration_is_refused_by_name() {
    let check = |name: &str, field: &str, value: Value, expected: &str| {
        let mut config = config_of(name);
        config[field] = value;
        let message = Config::from_hf_json(config).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let (qwen, oss) = (QWEN[0], "gpt_oss/mxfp4");
    check(qwen, "num_experts_per_tok", json!(7), "`experts a token` is 7, expected 1 to 6");
    check(qwen, "num_experts", json!(0), "number of experts");
    check(qwen, "mlp_only_layers", json!(["0"]), "mlp_only_layers");
    check(qwen, "decoder_sparse_step", json!(0), "decoder_sparse_step");
    check(qwen, "output_router_logits", json!(true), "output_router_logits");
    check(qwen, "shared_expert_intermediate_size", json!(64), "shared_expert_intermediate_size");
    check(qwen, "use_sliding_window", json!(true), "use_sliding_window");
    check(oss, "layer_types", json!(["full_attention"]), "layer_types");
    check(oss, "layer_types", json!(["full_attention", "chunked_attention"]), "chunked_attention");
    check(oss, "experts_per_token", json!(3), "experts_per_token");
    check(oss, "sliding_window", json!(0), "sliding window");
    check(oss, "swiglu_limit", json!(-1.0), "limit of the experts' gates");
    check(oss, "hidden_act", json!("gelu"), "hidden_act");
    check(oss, "attention_bias", json!(false), "attention_bias");
    check(oss, "quantization_config", json!({ "quant_method": "awq" }), "quant_method");
    check(
        oss,
        "rope_scaling",
        json!({ "rope_type": "yarn", "factor": 4.0 }),
        "original_max_position_embeddings",
    );
    let scaling =
        json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "mscale": 1 });
    check(oss, "rope_scaling", scaling, "mscale");
}

#[test]
fn steps_and_exceptions_leave_layers_without_experts() {
    let mut config = config_of(QWEN[0]);
    config["num_hidden_layers"] = json!(6);
    config["decoder_sparse_step"] = json!(2);
    config["mlp_only_layers"] = json!([3]);
    let experts = Config::from_hf_json(config).unwrap().experts.unwrap();
    assert_eq!(experts.dense, [0, 2, 3, 4]);
}

#[test]
fn half_of_a_quantized_tensor_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let name = "model.layers.0.mlp.experts.down_proj";
    let check = |halves: &[(&str, &[usize])], expected: &str| {
        let bytes = vec![0u8; 4096];
        let views = halves.iter().map(|(end, shape)| {
            let n = shape.iter().product::<usize>();
            let view =
                safetensors::tensor::TensorView::new(safetensors::Dtype::U8, shape.to_vec(), &bytes[..n]);
            (format!("{name}{end}"), view.unwrap())
        });
        #[expect(clippy::disallowed_methods, reason = "a test lays out its own input")]
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let message = Checkpoint::open(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(&[("_blocks", &[2, 4, 1, 16])], "down_proj_scales");
    check(&[("_scales", &[2, 4, 1])], "down_proj_blocks");
    check(&[("_blocks", &[2, 4, 1, 15]), ("_scales", &[2, 4, 1])], "down_proj_blocks");
    check(&[("_blocks", &[2, 4, 1, 16]), ("_scales", &[2, 4, 2])], "down_proj_scales");
    check(&[("", &[2, 4])], "U8");
}

/// What is merged lies in the folder as its publisher lays it out, and computes what the adapter computes.
#[test]
fn a_merged_model_computes_what_the_adapter_computes() {
    for name in WITH_PAIRS {
        let (_dir, merged) = merged(name);
        let names = |checkpoint: &Checkpoint| checkpoint.names().map(str::to_owned).collect::<Vec<_>>();
        let published = if name == QWEN[0] { name } else { "gpt_oss/fused" };
        assert_eq!(names(&merged.checkpoint), names(&Checkpoint::open(folder(published)).unwrap()));
    }
}

#[test]
fn trained_experts_lie_in_the_file_as_published() {
    let check = |name: &str, parameter: &str, tensor: &str, place: usize, expected: f32| {
        let golden = golden(name);
        let shape = &golden.config.experts.as_ref().unwrap();
        let n = shape.count * 2 * shape.width * golden.config.width;
        let trained = BTreeMap::from([(parameter.to_owned(), (0..n).map(|x| x as f32).collect())]);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("trained");
        save_trained(&golden.checkpoint, &golden.config, &trained, &out).unwrap();
        let (saved, mut stored) = (Checkpoint::open(&out).unwrap(), Vec::new());
        saved.read_f32(tensor, &mut stored).unwrap();
        assert_eq!(stored[place], expected, "{tensor}");
    };
    let parameter = "model.layers.1.mlp.experts.gate_up_proj";
    // Row 3, column 5 of expert 2's second half: outputs 20.. of 40, each of 32 inputs.
    let row = 2 * 40 + 20 + 3;
    check(
        QWEN[0],
        parameter,
        "model.layers.1.mlp.experts.2.up_proj.weight",
        3 * 32 + 5,
        (row * 32 + 5) as f32,
    );
    // Input 5, output 9 of expert 2, of 32 inputs and 64 outputs.
    check("gpt_oss/fused", parameter, parameter, (2 * 32 + 5) * 64 + 9, ((2 * 64 + 9) * 32 + 5) as f32);
}
