//! Golden models as GGUF converters write them, under their names and in their layout. It is done by hand,
//! so that nothing our own writer does is taken for granted.

use std::collections::BTreeMap;
use std::path::Path;

use penname_model::merge::save_trained;
use penname_model::weights::Outgoing;
use penname_model::weights::gguf::{ALL, Array, Kind, Metadata, Value, write_gguf};
use penname_model::{Architecture, Checkpoint, Config, RopeScaling, Storage};

use crate::golden::{Golden, losses};

/// A tensor's shape, and its numbers.
type Tensor = (Vec<usize>, Vec<f32>);
type Tensors = BTreeMap<String, Tensor>;

/// Asserts that a model is the same read from a file of this kind; hands it back as that file.
pub(crate) fn assert_same_from_a_file(golden: Golden, path: &Path) -> Golden {
    save(&golden, path);
    let checkpoint = Checkpoint::open(path).unwrap();
    assert_eq!(checkpoint.config().unwrap(), golden.config);
    let expected = losses(&golden);
    let from_file = Golden { checkpoint, ..golden };
    assert_eq!(losses(&from_file), expected, "{}", from_file.config.model_type);
    from_file
}

/// And from there back into a folder.
pub(crate) fn assert_same_there_and_back(golden: Golden) {
    let dir = tempfile::tempdir().unwrap();
    let expected = losses(&golden);
    let from_file = assert_same_from_a_file(golden, &dir.path().join("tiny.gguf"));
    let out = dir.path().join("folder");
    save_trained(&from_file.checkpoint, &from_file.config, &BTreeMap::new(), &out).unwrap();
    let back = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..from_file };
    assert_eq!(losses(&back), expected, "{}", back.config.model_type);
}

fn save(golden: &Golden, path: &Path) {
    let known = ALL.iter().find(|known| known.model_type == golden.config.model_type).unwrap();
    let architecture = Architecture::find(&golden.config.model_type).unwrap();
    let mut tensors = Tensors::new();
    for name in golden.checkpoint.names() {
        let mut values = Vec::new();
        golden.checkpoint.read_f32(name, &mut values).unwrap();
        let tensor = (golden.checkpoint.info(name).unwrap().shape.clone(), values);
        if let Some((layer, rest)) = name.split_once(".mlp.experts.") {
            add_expert(&mut tensors, layer, rest, tensor);
        } else {
            let tensor = if architecture.turns(name) { turned(tensor) } else { tensor };
            tensors.insert(known.gguf_name(name).unwrap(), tensor);
        }
    }
    let outgoing = tensors.iter().map(|(name, (shape, values))| {
        Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, values)
    });
    write_gguf(path, &metadata(known.name, &golden.config), &outgoing.collect::<Vec<_>>()).unwrap();
}

/// (in, out) as (out, in).
fn turned((mut shape, values): Tensor) -> Tensor {
    let n_out = shape[1];
    let column = |n| values.iter().skip(n).step_by(n_out).copied().collect::<Vec<f32>>();
    shape.reverse();
    (shape, (0..n_out).flat_map(column).collect())
}

/// Adds what a layer has for its experts, or for one of them, to the tensors of all.
fn add_expert(tensors: &mut Tensors, layer: &str, rest: &str, (shape, values): Tensor) {
    let block = layer.replace("model.layers.", "blk.");
    let mut add = |part: &str, leaf: &str, shape: Vec<usize>, values: Vec<f32>| {
        let slot = tensors.entry(format!("{block}.ffn_{part}_exps.{leaf}")).or_default();
        slot.0 = if slot.0.is_empty() { shape } else { [&[slot.0[0] + shape[0]], &shape[1..]].concat() };
        slot.1.extend(values);
    };
    if let [_, part, "weight"] = *rest.split('.').collect::<Vec<_>>() {
        // Names are in alphabetical order: so are experts, of which there are less than ten.
        return add(part.trim_end_matches("_proj"), "weight", [&[1], &shape[..]].concat(), values);
    }
    let (leaf, n_in) = if rest.ends_with("_bias") { ("bias", 1) } else { ("weight", shape[1]) };
    let (experts, n_out) = (shape[0], shape[shape.len() - 1]);
    let parts: &[(&str, usize)] =
        if rest.starts_with("gate_up") { &[("gate", 0), ("up", 1)] } else { &[("down", 0)] };
    for (part, first) in parts {
        let outputs = (*first..n_out).step_by(parts.len());
        let places = (0..experts).flat_map(|e| {
            outputs.clone().flat_map(move |n| (0..n_in).map(move |k| (e * n_in + k) * n_out + n))
        });
        let of_part = places.map(|at| values[at]).collect();
        let mut shape = vec![experts, n_out / parts.len(), n_in];
        shape.truncate(if leaf == "bias" { 2 } else { 3 });
        add(part, leaf, shape, of_part);
    }
}

fn metadata(architecture: &str, config: &Config) -> Metadata {
    let mut metadata = Metadata::default();
    for (key, value) in shape(config).into_iter().chain(stretched(config)) {
        metadata.insert(format!("{architecture}.{key}"), value).unwrap();
    }
    let tokens: Vec<_> = (0..config.vocab_size).map(|id| format!("t{id}")).collect();
    let types = std::iter::repeat_n(1i32.to_le_bytes(), config.vocab_size).flatten().collect();
    for (key, value) in [
        ("general.architecture", Value::Text(architecture.to_owned())),
        ("tokenizer.ggml.model", Value::Text("gpt2".to_owned())),
        ("tokenizer.ggml.tokens", Value::Array(Array::Texts(tokens))),
        ("tokenizer.ggml.token_type", Value::Array(Array::Numbers { kind: Kind::I32, bytes: types })),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
    ] {
        metadata.insert(key, value).unwrap();
    }
    metadata
}

fn count(n: usize) -> Value {
    Value::U32(n as u32)
}

fn shape(config: &Config) -> Vec<(&'static str, Value)> {
    let mut entries = vec![
        ("block_count", count(config.n_layers)),
        ("context_length", count(config.context)),
        ("embedding_length", count(config.width)),
        ("feed_forward_length", count(config.feed_forward)),
        ("attention.head_count", count(config.n_heads)),
    ];
    if config.has_learned_positions() {
        entries.push(("attention.layer_norm_epsilon", Value::F64(config.norm_eps)));
        return entries;
    }
    entries.extend([
        ("attention.head_count_kv", count(config.n_kv_heads)),
        ("attention.key_length", count(config.head_width)),
        ("attention.value_length", count(config.head_width)),
        ("attention.layer_norm_rms_epsilon", Value::F64(config.norm_eps)),
        ("rope.freq_base", Value::F32(config.rope_theta as f32)),
    ]);
    if let Some(experts) = &config.experts {
        entries.extend([
            ("expert_count", count(experts.count)),
            ("expert_used_count", count(experts.per_token)),
            ("expert_feed_forward_length", count(experts.width)),
        ]);
    }
    entries
}

/// How gpt-oss sees far.
fn stretched(config: &Config) -> Vec<(&'static str, Value)> {
    let RopeScaling::Yarn { factor, beta_fast, original_context, .. } = config.rope_scaling else {
        return Vec::new();
    };
    vec![
        ("attention.sliding_window", count(config.window(0).unwrap())),
        ("rope.scaling.type", Value::Text("yarn".to_owned())),
        ("rope.scaling.factor", Value::F32(factor as f32)),
        ("rope.scaling.yarn_beta_fast", Value::F32(beta_fast as f32)),
        ("rope.scaling.original_context_length", count(original_context)),
    ]
}
