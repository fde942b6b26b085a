//! GGUF: every type of value, there and back, and what the metadata mean.

use penname_model::weights::Outgoing;
use penname_model::weights::gguf::{Array, Gguf, Kind, Metadata, Tokenizer, Value, write_gguf};
use penname_model::{Checkpoint, RopeScaling, Storage};
use proptest::prelude::*;

use crate::tiny;

fn array() -> impl Strategy<Value = Array> {
    let kinds = [Kind::U8, Kind::I8, Kind::U16, Kind::I16, Kind::U32, Kind::I32, Kind::U64, Kind::I64];
    let numbers = (prop::sample::select(kinds.to_vec()), prop::collection::vec(any::<[u8; 8]>(), 0..5))
        .prop_map(|(kind, wide)| {
            let bytes = wide.iter().flat_map(|bytes| &bytes[..kind.width()]).copied().collect();
            Array::Numbers { kind, bytes }
        });
    let flat = prop_oneof![numbers, prop::collection::vec(any::<String>(), 0..5).prop_map(Array::Texts)];
    flat.prop_recursive(3, 12, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Array::Arrays))
}

fn value() -> impl Strategy<Value = Value> {
    let whole = prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
    ];
    prop_oneof![
        whole,
        (-1e30f32..1e30).prop_map(Value::F32),
        (-1e300f64..1e300).prop_map(Value::F64),
        any::<bool>().prop_map(Value::Bool),
        any::<String>().prop_map(Value::Text),
        array().prop_map(Value::Array),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn metadata_return_as_written(values in prop::collection::btree_map("[a-z.]{1,12}", value(), 0..12)) {
        let mut metadata = Metadata::default();
        for (key, value) in values {
            metadata.insert(format!("x.{key}"), value).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        let data = [1.0, -2.5, 0.0];
        let tensors = [
            Outgoing::from_values("a", [3], Storage::F32, &data),
            Outgoing::from_values("b", [3, 1, 1], Storage::F16, &data),
        ];
        write_gguf(&path, &metadata, &tensors).unwrap();
        let file = std::fs::read(&path).unwrap();
        let found = Gguf::parse(&file).unwrap();
        prop_assert_eq!(&found.metadata, &metadata);
        prop_assert_eq!(found.tensors.len(), 2);
        for (tensor, shape) in found.tensors.iter().zip([vec![3], vec![3, 1, 1]]) {
            prop_assert_eq!(&tensor.info.shape, &shape);
            let mut values = [0.0; 3];
            tensor.info.dtype.format().decode(&file[tensor.bytes.clone()], &mut values);
            prop_assert_eq!(values, data);
        }
    }
}

#[test]
fn alignment_is_honoured() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    for alignment in [1u32, 8, 256] {
        let mut metadata = tiny::metadata();
        metadata.insert("general.alignment", Value::U32(alignment)).unwrap();
        tiny::write_gguf(&path, &metadata, Storage::F16);
        let found = Gguf::parse(&std::fs::read(&path).unwrap()).unwrap();
        assert!(found.tensors.iter().all(|tensor| tensor.bytes.start.is_multiple_of(alignment as usize)));
        Checkpoint::open(&path).unwrap();
    }
}

/// Opens the tiny model with one value changed, added, or (with `None`) taken away.
fn open_with(key: &str, value: Option<Value>) -> Result<penname_model::Config, String> {
    let mut metadata = Metadata::default();
    for (name, value) in tiny::metadata().iter().filter(|(name, _)| *name != key) {
        metadata.insert(name, value.clone()).unwrap();
    }
    if let Some(value) = value {
        metadata.insert(key, value).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    tiny::write_gguf(&path, &metadata, Storage::F32);
    let opened = Checkpoint::open(&path).and_then(|checkpoint| checkpoint.config());
    opened.map_err(|error| error.cause().to_string())
}

fn check(key: &str, value: Option<Value>, expected: &str) {
    assert_eq!(open_with(key, value).unwrap_err(), expected);
}

#[test]
fn what_changes_the_maths_is_refused_by_name() {
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let count = |n| Some(Value::U32(n));
    check(
        "general.architecture",
        text("mamba"),
        "architecture `mamba` is not known, expected one of: llama, gpt2, qwen2, qwen3, qwen3moe, gpt-oss",
    );
    check("general.architecture", None, "`general.architecture` is missing");
    check("llama.block_count", None, "`llama.block_count` is missing");
    check("llama.block_count", text("two"), "`llama.block_count` is \"two\", expected a count");
    check("llama.block_count", Some(Value::I32(-2)), "`llama.block_count` is -2, expected a count");
    check("llama.expert_count", count(8), "`llama.expert_count` is 8, expected 0");
    check(
        "llama.logit_scale",
        Some(Value::F32(2.0)),
        "`llama.logit_scale` is not known and may change what the model computes",
    );
    check(
        "llama.rope.scaling.type",
        text("longrope"),
        "`llama.rope.scaling.type` is \"longrope\", expected none, linear or yarn",
    );
    check("llama.rope.scaling.type", text("yarn"), "`llama.rope.scaling.factor` is missing");
    check("llama.rope.dimension_count", count(16), "`llama.rope.dimension_count` is 16, expected 32");
    check("llama.vocab_size", count(41), "`llama.vocab_size` is 41, expected 40");
    check(
        "llama.attention.head_count",
        count(3),
        "`llama.attention.head_count` is 3, expected a divisor of the width 64",
    );
    check(
        "llama.attention.head_count_kv",
        count(2),
        "tensor `blk.0.attn_k.weight` has shape [32, 64], expected [64, 64]",
    );
    check("tokenizer.ggml.eos_token_id", count(40), "`special token id` is 40, expected less than 40");
}

#[test]
fn what_changes_nothing_is_accepted() {
    assert_eq!(open_with("llama.expert_count", Some(Value::U32(0))).unwrap(), tiny::config());
    assert_eq!(open_with("llama.rope.freq_base", None).unwrap(), tiny::config());
    assert_eq!(open_with("general.whatever", Some(Value::Bool(true))).unwrap(), tiny::config());
    let linear = open_with("llama.rope.scale_linear", Some(Value::F32(4.0))).unwrap();
    assert_eq!(linear.rope_scaling, RopeScaling::Linear { factor: 4.0 });
}

#[test]
fn the_tokenizer_is_handed_out() {
    let tokenizer = Tokenizer::from_metadata(&tiny::metadata()).unwrap().unwrap();
    assert_eq!(tokenizer.model, "gpt2");
    assert_eq!((tokenizer.tokens.len(), tokenizer.tokens[39].as_str()), (40, "t39"));
    assert_eq!(tokenizer.token_types, [1; 40]);
    assert_eq!((tokenizer.bos, tokenizer.eos, tokenizer.unk), (Some(1), Some(2), None));
    assert_eq!((tokenizer.add_bos, tokenizer.add_eos), (Some(false), None));
    assert_eq!(Tokenizer::from_metadata(&Metadata::default()).unwrap(), None);
}

/// A tiny model with a table of rotary divisors.
fn scaling_of(divisors: &[f32]) -> Result<RopeScaling, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    let weights = tiny::weights();
    let mut tensors: Vec<_> = weights
        .iter()
        .map(|w| Outgoing::from_values(&w.gguf, w.shape.clone(), Storage::F32, &w.values))
        .collect();
    tensors.push(Outgoing::from_values("rope_freqs.weight", [divisors.len()], Storage::F32, divisors));
    write_gguf(&path, &tiny::metadata(), &tensors).unwrap();
    let opened = Checkpoint::open(&path).and_then(|checkpoint| checkpoint.config());
    opened.map(|config| config.rope_scaling).map_err(|error| error.cause().to_string())
}

#[test]
fn a_table_of_divisors_becomes_a_rule_or_is_refused() {
    let llama3 = RopeScaling::Llama3 {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 8192,
    };
    let plain = tiny::config().rope_frequencies();
    let table: Vec<_> = plain.iter().map(|frequency| llama3.divisor(*frequency) as f32).collect();
    assert!(table.contains(&1.0) && table.iter().any(|x| *x > 1.0 && *x < 32.0));
    assert_eq!(scaling_of(&table), Ok(llama3));
    assert_eq!(scaling_of(&[1.0; 16]), Ok(RopeScaling::None));
    let mut odd = table;
    odd[9] *= 1.01;
    let expected = "`rope_freqs.weight` is a table of 16 divisors up to 32, expected 16 divisors that follow a \
                    known rule of scaling";
    assert_eq!(scaling_of(&odd), Err(expected.to_owned()));
    assert!(scaling_of(&[1.0; 15]).is_err());
    assert!(scaling_of(&[f32::NAN; 16]).is_err());
}
