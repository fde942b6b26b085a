//! Files that are read without an error, small enough to be changed a thousand times a second.
//!
//! Our own writers make most of them; what other programs wrote is taken from the goldens.

mod given;

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::{Hash, Seed};
use penname_model::merge::write_whole;
use penname_model::peft::{AdapterConfig, Pair};
use penname_model::weights::gguf::{Tokenizer as InGguf, model_metadata, write_lora, write_model};
use penname_model::weights::llama2c::{Version, write_llama2c};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Checkpoint, Config, RopeScaling, Storage, Whole};
use penname_token::{GgufVocab, Sequence, Shard, Tokenizer};
use serde_json::json;

use crate::headed;
use given::{ADAPTERS, MODELS, PIECES, TOKENIZER};

/// A Llama of one layer.
pub fn config() -> Config {
    Config {
        model_type: "llama".to_owned(),
        vocab_size: 270,
        width: 32,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        head_width: 16,
        feed_forward: 32,
        context: 64,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192,
        },
        tied: false,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: false,
        bos: vec![0],
        eos: vec![1],
        experts: None,
        windows: Vec::new(),
    }
}

/// A GPT-2 of one layer.
pub fn gpt2_config() -> Config {
    let llama = config();
    Config {
        model_type: "gpt2".to_owned(),
        n_kv_heads: 2,
        rope_scaling: RopeScaling::None,
        tied: true,
        mlp_bias: true,
        ..llama
    }
}

/// Writes a model of random numbers as a folder.
fn write_folder(config: &Config, dir: &Path) {
    let setup = penname_model::Setup {
        method: penname_model::Method::Frozen,
        precision: Default::default(),
        capacity: Default::default(),
        purpose: penname_model::Purpose::Loss,
    };
    let Ok(network) = penname_model::build(config, &setup) else { return };
    let fill = |parameter: &penname_model::network::Parameter| {
        let mut stream = Seed(1).stream(&parameter.name);
        let n: usize = parameter.shape.iter().product();
        let mut shape = parameter.shape.clone();
        if parameter.turned {
            shape.reverse();
        }
        (parameter.name.clone(), shape, (0..n).map(|_| stream.normal() as f32).collect::<Vec<f32>>())
    };
    let weights: Vec<_> = network.parameters.iter().map(fill).collect();
    let outgoing = weights.iter().map(|(name, shape, values)| {
        Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, values)
    });
    let written = write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new());
    let config = penname_ledger::write::json(&dir.join("config.json"), &config.to_hf_json(Storage::F32));
    assert!(written.is_ok() && config.is_ok(), "a sample cannot be written");
}

/// Calls `make` with a folder that holds a model, and reads the files it names.
fn files(config: &Config, make: impl Fn(&Checkpoint, &Path) -> Vec<&'static str>) -> Vec<Vec<u8>> {
    files_of(|dir| write_folder(config, dir), make)
}

/// The same with a model that another program wrote.
fn files_given(
    (config, weights): (&[u8], &[u8]),
    make: impl Fn(&Checkpoint, &Path) -> Vec<&'static str>,
) -> Vec<Vec<u8>> {
    let put = |dir: &Path| {
        let written = penname_ledger::write::bytes(&dir.join("config.json"), config);
        let written = written.and(penname_ledger::write::bytes(&dir.join("model.safetensors"), weights));
        assert!(written.is_ok(), "a sample cannot be written");
    };
    files_of(put, make)
}

fn files_of(put: impl Fn(&Path), make: impl Fn(&Checkpoint, &Path) -> Vec<&'static str>) -> Vec<Vec<u8>> {
    let Ok(dir) = tempfile::tempdir() else { return Vec::new() };
    put(dir.path());
    let Ok(checkpoint) = Checkpoint::open(dir.path()) else { return Vec::new() };
    let names = make(&checkpoint, dir.path());
    names.into_iter().filter_map(|name| std::fs::read(dir.path().join(name)).ok()).collect()
}

/// Writes a model as GGUF, with a vocabulary.
fn to_gguf(checkpoint: &Checkpoint, storage: Storage, vocab: &GgufVocab, dir: &Path) -> Vec<&'static str> {
    let write = || {
        let mut metadata = model_metadata(&checkpoint.config().ok()?, "sample", storage).ok()?;
        in_gguf(vocab).to_metadata(&mut metadata).ok()?;
        let whole = Whole::new(checkpoint, None).ok()?;
        write_model(&dir.join("m.gguf"), &whole, storage, &metadata).ok()
    };
    if write().is_some() { vec!["m.gguf"] } else { Vec::new() }
}

/// Models and adapters as GGUF.
pub fn gguf_files() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    // Those of other programs have a vocabulary of names that mean nothing.
    for given in &MODELS[2..] {
        let tokens: Vec<String> = (0..96).map(|id| format!("t{id}")).collect();
        let vocab = GgufVocab { token_types: vec![1; tokens.len()], tokens, merges: Vec::new(), ..bytes() };
        all.extend(files_given(*given, |checkpoint, dir| to_gguf(checkpoint, Storage::F32, &vocab, dir)));
    }
    for (config, storage) in
        [(config(), Storage::Q8_0), (gpt2_config(), Storage::Q4_0), (config(), Storage::F16)]
    {
        let kind = if storage == Storage::F16 { pieces() } else { bytes() };
        all.extend(files(&config, |checkpoint, dir| to_gguf(checkpoint, storage, &kind, dir)));
        let module = if config.has_learned_positions() {
            "transformer.h.0.mlp.c_fc"
        } else {
            "model.layers.0.self_attn.q_proj"
        };
        let pair =
            Pair { rank: 2, n_in: 32, n_out: 32, a: vec![0.5; 64], b: vec![0.25; 64], magnitude: None };
        let pairs = BTreeMap::from([(module.to_owned(), pair)]);
        let settings = AdapterConfig::new(2, 4.0, [module.to_owned()]);
        all.extend(files(&config, |_, dir| {
            let written = write_lora(&dir.join("a.gguf"), &config, (&settings, &pairs), "sample");
            if written.is_ok() { vec!["a.gguf"] } else { Vec::new() }
        }));
    }
    all
}

/// Models as safetensors, each after its configuration.
pub fn safetensors_files() -> Vec<Vec<u8>> {
    let write = |config: &Config, storage| {
        let json = config.to_hf_json(storage).to_string();
        let weights = files(config, |checkpoint, dir| {
            let out = dir.join("out");
            let written = penname_ledger::write::folder(&out).is_ok()
                && Whole::new(checkpoint, None)
                    .is_ok_and(|whole| write_whole(&whole, storage, 1 << 30, &out).is_ok());
            if written { vec!["out/model.safetensors"] } else { Vec::new() }
        });
        weights.into_iter().map(move |weights| headed(json.as_bytes(), &weights))
    };
    let ours = write(&config(), Storage::F32).chain(write(&gpt2_config(), Storage::BF16));
    ours.chain(MODELS.map(|(config, weights)| headed(config, weights))).collect()
}

/// Models as llama2.c has them, all three versions.
pub fn llama2c_files() -> Vec<Vec<u8>> {
    let plain = Config {
        rope_scaling: RopeScaling::None,
        qkv_bias: false,
        output_bias: false,
        context: 8,
        ..config()
    };
    let versions = [Version::V0, Version::V1, Version::int8(&plain)];
    let tied = [true, false].map(|tied| Config { tied, ..plain.clone() });
    let write = |config: &Config, version| {
        files(config, |checkpoint, dir| {
            let Ok(whole) = Whole::new(checkpoint, None) else { return Vec::new() };
            let tensors = whole.tensors(Storage::F32);
            let written = write_llama2c(&dir.join("m.bin"), whole.config(), version, &tensors);
            if written.is_ok() { vec!["m.bin"] } else { Vec::new() }
        })
    };
    tied.iter().flat_map(|config| versions.map(|version| write(config, version))).flatten().collect()
}

/// Configurations.
pub fn configs() -> Vec<Vec<u8>> {
    let all =
        [config(), gpt2_config(), Config { rope_scaling: RopeScaling::Linear { factor: 2.0 }, ..config() }];
    let ours = all.iter().map(|config| config.to_hf_json(Storage::BF16).to_string().into_bytes());
    ours.chain(MODELS.map(|(config, _)| config.to_vec())).collect()
}

/// Adapters: a configuration, and the pairs after it.
pub fn adapters() -> Vec<Vec<u8>> {
    let mut config =
        AdapterConfig::new(8, 16.0, ["q_proj".to_owned(), "model.layers.0.mlp.up_proj".to_owned()]);
    config.rank_pattern = vec![("^model.layers.0.mlp.up_proj".to_owned(), 4)];
    config.alpha_pattern = vec![("q_proj".to_owned(), 2.5)];
    let plain = json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["c_attn"], "use_rslora": true });
    let ours = [config.to_json(), plain].map(|config| headed(config.to_string().as_bytes(), &[]));
    ours.into_iter().chain(ADAPTERS.map(|(config, pairs)| headed(config, pairs))).collect()
}

/// Every byte a token, spelled as byte-level vocabularies spell them.
fn bytes() -> GgufVocab {
    let mut shifted = 255;
    let mut spell = |byte: u8| {
        if matches!(byte, 33..=126 | 161..=172 | 174..=255) {
            return char::from(byte).to_string();
        }
        shifted += 1;
        char::from_u32(shifted).map(String::from).unwrap_or_default()
    };
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_end|>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(&mut spell));
    tokens.extend(["he", "ll", "hell", "hello"].map(str::to_owned));
    let token_types = (0..tokens.len()).map(|id| if id < 2 { 3 } else { 1 }).collect();
    let merges = ["h e", "l l", "he ll", "hell o"].map(str::to_owned).to_vec();
    let pre = Some("smollm".to_owned());
    GgufVocab {
        model: "gpt2".to_owned(),
        pre,
        tokens,
        token_types,
        merges,
        bos: Some(0),
        eos: Some(1),
        ..GgufVocab::default()
    }
}

/// Scored pieces with a byte each to fall back on.
fn pieces() -> GgufVocab {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "b", "ab", "▁a", "▁ab"].map(str::to_owned));
    let mut token_types = vec![6; 259];
    token_types[..3].copy_from_slice(&[2, 3, 3]);
    token_types.resize(tokens.len(), 1);
    let scores = Some((0..tokens.len()).map(|id| -(id as f32)).collect());
    GgufVocab {
        model: "llama".to_owned(),
        tokens,
        token_types,
        scores,
        bos: Some(1),
        eos: Some(2),
        unk: Some(0),
        ..GgufVocab::default()
    }
}

fn in_gguf(vocab: &GgufVocab) -> InGguf {
    InGguf {
        model: vocab.model.clone(),
        pre: vocab.pre.clone(),
        tokens: vocab.tokens.clone(),
        token_types: vocab.token_types.clone(),
        scores: vocab.scores.clone().unwrap_or_default(),
        merges: vocab.merges.clone(),
        bos: vocab.bos,
        eos: vocab.eos,
        unk: vocab.unk,
        chat_template: Some("{% for m in messages %}{{ m.content }}{% endfor %}".to_owned()),
        ..InGguf::default()
    }
}

/// Tokenizers of both kinds, and one that `tokenizers` learned.
pub fn tokenizers() -> Vec<Vec<u8>> {
    let json = |vocab: &GgufVocab| Some(Tokenizer::from_gguf(vocab).ok()?.to_json().ok()?.into_bytes());
    let ours = [bytes(), pieces()];
    ours.iter().filter_map(json).chain([TOKENIZER.to_vec()]).collect()
}

/// Models of `sentencepiece`, one of them also as llama2.c has it.
pub fn sentencepieces() -> Vec<Vec<u8>> {
    let in_llama2c =
        |model: &[u8]| penname_token::sentencepiece::Model::from_bytes(model).ok()?.to_llama2c().ok();
    PIECES.into_iter().map(<[u8]>::to_vec).chain(PIECES.into_iter().filter_map(in_llama2c)).collect()
}

/// Ids of some texts, as we keep them and as llama2.c does.
pub fn shards() -> Vec<Vec<u8>> {
    let texts: [&[u32]; 3] = [&[5, 6, 7, 400], &[9], &[300, 301, 302]];
    let sequence = |(at, ids): (usize, &&[u32])| {
        let mask: Vec<bool> = (0..ids.len()).map(|idx| idx % 2 == 1).collect();
        let n_trained = ids.len() / 2;
        let (example, document) = (format!("example {at}"), format!("document {}", at / 2));
        Sequence { example, document, ids: ids.to_vec(), mask, n_trained, ..Sequence::default() }
    };
    let sequences = texts.iter().enumerate().map(sequence).collect();
    let ours = Shard { tokenizer: Hash::of(b"sample"), sequences };
    let theirs = penname_token::shard::llama2c::write(texts, 1);
    [Some(ours.to_bytes()), theirs.ok()].into_iter().flatten().collect()
}
