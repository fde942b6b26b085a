//! The two files of an adapter, together.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::write::{self, Staged};

use super::AdapterConfig;
use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::{Checkpoint, Outgoing, Tensor, write_safetensors};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const PICKLE: &str = "adapter_model.bin";
const PREFIX: &str = "base_model.model.";
const A: &str = ".lora_A.weight";
const B: &str = ".lora_B.weight";
const MAGNITUDE: &str = ".lora_magnitude_vector";
/// What PEFT puts into a path for every parameter of one module that it wraps after this one.
const WRAPPED: &str = ".base_layer";
/// The parameters of a module of experts, in the order in which PEFT wraps them.
const PARAMETERS: [&str; 2] = ["gate_up_proj", "down_proj"];

/// The two small matrices at one module, and the lengths of its rows if they are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// R.
    pub rank: usize,
    /// Values that go in.
    pub n_in: usize,
    /// Values that come out.
    pub n_out: usize,
    /// (R, in), row by row.
    pub a: Vec<f32>,
    /// (out, R), row by row.
    pub b: Vec<f32>,
    /// (out): how long each row of the weight with its pair is made (DoRA).
    pub magnitude: Option<Vec<f32>>,
}

/// Writes an adapter as the folder `dir`, all or nothing. What was in the folder before is gone.
///
/// # Errors
///
/// As [`write_adapter`].
pub fn save_adapter(dir: &Path, config: &AdapterConfig, pairs: &BTreeMap<String, Pair>) -> Result<()> {
    let staged = Staged::create(dir)?;
    write_adapter(staged.dir(), config, pairs)?;
    Ok(staged.commit()?)
}

/// Writes the two files of an adapter into a folder that is there, the configuration last. Keys of
/// `pairs` are module paths like `model.layers.0.self_attn.q_proj`.
///
/// # Errors
///
/// When a pair does not fit the configuration, or a file cannot be written.
pub fn write_adapter(dir: &Path, config: &AdapterConfig, pairs: &BTreeMap<String, Pair>) -> Result<()> {
    config.check()?;
    check_targets(config, pairs)?;
    let mut tensors = Vec::new();
    for (module, pair) in pairs {
        let rank = rank_of(config, module, pair.rank);
        let key = |module: &str, half: &str| key(config, module, half);
        check_half(&key(module, A), &pair.a, [pair.rank, pair.n_in], [rank, pair.n_in])?;
        check_half(&key(module, B), &pair.b, [pair.n_out, pair.rank], [pair.n_out, rank])?;
        tensors.push(Outgoing::from_values(key(module, A), [rank, pair.n_in], Storage::F32, &pair.a));
        tensors.push(Outgoing::from_values(key(module, B), [pair.n_out, rank], Storage::F32, &pair.b));
        check_magnitude(config, module, pair)?;
        if let Some(magnitude) = &pair.magnitude {
            let name = key(module, MAGNITUDE);
            tensors.push(Outgoing::from_values(name, [pair.n_out], Storage::F32, magnitude));
        }
    }
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_safetensors(&dir.join(WEIGHTS), tensors, &metadata)?;
    Ok(write::json(&dir.join(CONFIG), &config.to_json())?)
}

/// Reads an adapter: its configuration, and its pairs by module path.
///
/// # Errors
///
/// When a file is missing or broken, a tensor is not half of a pair or lacks its other half, or the
/// tensors do not fit the configuration.
pub fn load_adapter(dir: &Path) -> Result<(AdapterConfig, BTreeMap<String, Pair>)> {
    let config = AdapterConfig::read(&dir.join(CONFIG))?;
    let path = dir.join(WEIGHTS);
    if !path.exists() && dir.join(PICKLE).exists() {
        return Err(Error::Pickle { path: dir.join(PICKLE) });
    }
    let checkpoint = Checkpoint::open(&path)?;
    let pairs = read_pairs(&checkpoint, &config).map_err(|error| error.in_file(&path))?;
    Ok((config, pairs))
}

fn read_pairs(checkpoint: &Checkpoint, config: &AdapterConfig) -> Result<BTreeMap<String, Pair>> {
    let mut pairs = BTreeMap::new();
    for name in checkpoint.names() {
        let Some((module, other)) = split_key(config, name)? else { continue };
        let missing = key(config, &module, other);
        if checkpoint.find(&missing).is_none() {
            return Err(Error::AdapterUnpaired { tensor: missing });
        }
        if other == B {
            let pair = read_pair(checkpoint, config, &module)?;
            check_magnitude(config, &module, &pair)?;
            pairs.insert(module, pair);
        }
    }
    check_lone_magnitudes(checkpoint, config, &pairs)?;
    check_targets(config, &pairs)?;
    Ok(pairs)
}

fn read_pair(checkpoint: &Checkpoint, config: &AdapterConfig, module: &str) -> Result<Pair> {
    let key = |module: &str, half: &str| key(config, module, half);
    let (a, b) = (checkpoint.tensor(&key(module, A))?, checkpoint.tensor(&key(module, B))?);
    let (n_in, n_out) = (a.info().row_len(), b.info().n_rows());
    let rank = rank_of(config, module, a.info().n_rows());
    check_shape(&key(module, A), &a.info().shape, &[rank, n_in])?;
    check_shape(&key(module, B), &b.info().shape, &[n_out, rank])?;
    let magnitude =
        checkpoint.find(&key(module, MAGNITUDE)).map(|_| checkpoint.tensor(&key(module, MAGNITUDE)));
    let magnitude = magnitude.transpose()?.map(read);
    Ok(Pair { rank, n_in, n_out, a: read(a), b: read(b), magnitude })
}

/// There are lengths where the configuration says so, one for each row, and nowhere else.
fn check_magnitude(config: &AdapterConfig, module: &str, pair: &Pair) -> Result<()> {
    let tensor = || key(config, module, MAGNITUDE);
    match &pair.magnitude {
        None if config.use_dora => Err(Error::AdapterUnpaired { tensor: tensor() }),
        Some(_) if !config.use_dora => Err(Error::AdapterTensor { tensor: tensor() }),
        Some(lengths) => check_shape(&tensor(), &[lengths.len()], &[pair.n_out]),
        None => Ok(()),
    }
}

/// Refuses lengths without a pair.
fn check_lone_magnitudes(
    checkpoint: &Checkpoint,
    config: &AdapterConfig,
    pairs: &BTreeMap<String, Pair>,
) -> Result<()> {
    for name in checkpoint.names() {
        let inner = name.strip_prefix(PREFIX).and_then(|inner| inner.strip_suffix(MAGNITUDE));
        if let Some(module) = inner.filter(|module| !pairs.contains_key(*module)) {
            return Err(Error::AdapterUnpaired { tensor: key(config, module, A) });
        }
    }
    Ok(())
}

fn read(tensor: Tensor<'_>) -> Vec<f32> {
    let mut values = Vec::new();
    tensor.read_f32(&mut values);
    values
}

/// Pairs where there should be none, or none where there should be some.
fn check_targets(config: &AdapterConfig, pairs: &BTreeMap<String, Pair>) -> Result<()> {
    if pairs.is_empty() {
        return Err(Error::AdapterEmpty);
    }
    if config.target_modules.is_empty() && config.target_parameters.is_empty() {
        return Ok(());
    }
    let has = |module: &String| config.targets(module) || config.targets_parameter(module);
    if let Some(module) = pairs.keys().find(|module| !has(module)) {
        return Err(Error::AdapterStray { tensor: key(config, module, A) });
    }
    let untouched = |target: &&String| {
        let alone = AdapterConfig { target_modules: [String::clone(target)].into(), ..config.clone() };
        !pairs.keys().any(|module| alone.targets(module))
    };
    match config.target_modules.iter().chain(&config.target_parameters).find(untouched) {
        Some(target) => Err(Error::AdapterTarget { target: target.clone() }),
        None => Ok(()),
    }
}

/// Checks half of a pair that is only said to have a shape.
fn check_half(tensor: &str, values: &[f32], said: [usize; 2], expected: [usize; 2]) -> Result<()> {
    match said[0].checked_mul(said[1]) {
        Some(n_values) if n_values == values.len() => check_shape(tensor, &said, &expected),
        _ => check_shape(tensor, &[values.len()], &expected),
    }
}

fn check_shape(tensor: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (found.to_owned(), expected.to_owned());
    Err(Error::TensorShape { tensor: tensor.to_owned(), found, expected })
}

/// R of a pair, or R of all experts' pairs together: the least multiple of R is one expert.
fn rank_of(config: &AdapterConfig, module: &str, found: usize) -> usize {
    let rank = config.rank_for(module);
    if config.targets_parameter(module) && found > 0 && found.is_multiple_of(rank) { found } else { rank }
}

/// The name of half a pair. Where PEFT wraps several parameters of one module it wraps the wrapped module
/// again, and the first of them comes to lie innermost.
fn key(config: &AdapterConfig, module: &str, half: &str) -> String {
    let Some((path, parameter)) = module.rsplit_once('.').filter(|_| config.targets_parameter(module)) else {
        return format!("{PREFIX}{module}{half}");
    };
    let later = PARAMETERS.iter().skip_while(|other| **other != parameter).skip(1);
    let n_around = later.filter(|other| config.targets_parameter(&format!("{path}.{other}"))).count();
    format!("{PREFIX}{path}{}{half}", WRAPPED.repeat(n_around))
}

/// The module path in a tensor's name, and which the other half of the pair is; `None` for lengths.
fn split_key(config: &AdapterConfig, name: &str) -> Result<Option<(String, &'static str)>> {
    let inner = name.strip_prefix(PREFIX);
    let split = inner.and_then(|inner| {
        let a = inner.strip_suffix(A).map(|module| (module, B));
        a.or_else(|| inner.strip_suffix(B).map(|module| (module, A)))
    });
    let is_length = inner.is_some_and(|inner| inner.len() > MAGNITUDE.len() && inner.ends_with(MAGNITUDE));
    if is_length {
        return Ok(None);
    }
    let unknown = || Error::AdapterTensor { tensor: name.to_owned() };
    let (module, other) = split.filter(|(module, _)| !module.is_empty()).ok_or_else(unknown)?;
    if config.target_parameters.is_empty() || config.targets(module) {
        return Ok(Some((module.to_owned(), other)));
    }
    let half = if other == B { A } else { B };
    let path = module.trim_end_matches(WRAPPED);
    let parameters = PARAMETERS.iter().map(|parameter| format!("{path}.{parameter}"));
    let mut targets = parameters.filter(|parameter| config.targets_parameter(parameter));
    let found = targets.find(|parameter| key(config, parameter, half) == name);
    Ok(Some((found.ok_or_else(unknown)?, other)))
}
