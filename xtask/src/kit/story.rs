//! A model that tells stories, in llama2.c's container: read, run, trained on, written and read again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Extent, Keep, Precision};
use penname_infer::{Control, Decoder, Loading, Prompt, Room, Sampler, Stop as End, Weights, generate};
use penname_ledger::{Seed, write};
use penname_model::adapter::Trainable;
use penname_model::merge::save_trained;
use penname_model::weights::Outgoing;
use penname_model::weights::llama2c::{Version, write_llama2c};
use penname_model::{Checkpoint, Keeping, Method, Parameters, Purpose, Setup, build};
use penname_token::pack::pack_in_order;
use penname_token::sentencepiece::Model;
use penname_token::{Tokenizer, running};
use penname_train::settings::{Rounding, Shape, Way};
use penname_train::step::Trainer;
use penname_train::{Settings, checkpoint};

use super::{Inputs, Verdict};
use crate::{Result, root};

/// How the model begins when it always takes the likeliest token.
const STORY: &str =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.";
const N_STEPS: u64 = 50;
const N_TOKENS: usize = 64;

/// Its weights are those of the folder beside it, and it tells the known story.
pub(super) fn told(inputs: &Inputs) -> Verdict {
    let (model, tokenizer) = opened(inputs)?;
    let folder = Checkpoint::open(inputs.kit("models/stories260K/hf")?)?;
    let n_values = same_tensors(&model, &folder)?;
    let text = tokenizer.decode(&greedy(&model)?);
    if !text.starts_with(STORY) {
        return Err(format!("it tells {text:?}").into());
    }
    write::folder(&root().join("target/kit"))?;
    let ours = root().join("target/kit/q8.bin");
    let theirs = inputs.kit("models/stories260K/stories260K-q8.bin")?;
    let told = same_int8(&model, &theirs, &ours)?;
    Ok(format!("{n_values} values equal to the last bit, the known story, {told}"))
}

/// Fifty steps of training, three versions written, each read again.
pub(super) fn trained_on(inputs: &Inputs) -> Verdict {
    let (model, tokenizer) = opened(inputs)?;
    let text = fs::read_to_string(inputs.kit("text/shakespeare/input.txt")?)?;
    let sequences = running::sequences(&tokenizer, "play", &text[..40_000], 128)?;
    let (trained, fall) = train(&model, &sequences)?;
    let folder = root().join("target/kit/story");
    write::folder(&folder)?;
    let whole = folder.join("folder");
    save_trained(&model, &model.config()?, &trained, &whole)?;
    let whole = Checkpoint::open(&whole)?;
    let expected = greedy(&whole)?;
    if expected == greedy(&model)? {
        return Err("training changed nothing that is written".into());
    }
    for version in [Version::V0, Version::V1] {
        let again = exported(&whole, version, &folder.join("model.bin"))?;
        same_tensors(&again, &whole)?;
        if greedy(&again)? != expected {
            return Err(format!("{version:?} tells another story").into());
        }
    }
    let version = Version::int8(&model.config()?);
    let again = exported(&whole, version, &folder.join("model.bin"))?;
    let far = farthest(&again, &whole)?;
    write::remove_folder(&folder)?;
    Ok(format!(
        "{N_STEPS} steps, {fall}; two versions equal to the last bit and in {N_TOKENS} tokens, the third within {far:.4}"
    ))
}

fn opened(inputs: &Inputs) -> std::result::Result<(Checkpoint, Tokenizer), super::Stop> {
    let model = Checkpoint::open(inputs.kit("models/stories260K/stories260K.bin")?)?;
    let bytes = fs::read(inputs.kit("models/stories260K/tok512.bin")?)?;
    Ok((model, Tokenizer::from_sentencepiece(Model::from_llama2c(&bytes)?)?))
}

pub(super) fn same_tensors(one: &Checkpoint, other: &Checkpoint) -> Result<usize> {
    let (mut a, mut b, mut n_values) = (Vec::new(), Vec::new(), 0);
    for name in one.names() {
        one.read_f32(name, &mut a)?;
        other.read_f32(name, &mut b)?;
        if a.len() != b.len() || a.iter().zip(&b).any(|(a, b)| a.to_bits() != b.to_bits()) {
            return Err(format!("tensor `{name}` differs").into());
        }
        n_values += a.len();
    }
    Ok(n_values)
}

fn farthest(one: &Checkpoint, other: &Checkpoint) -> Result<f32> {
    let (mut a, mut b, mut far) = (Vec::new(), Vec::new(), 0.0_f32);
    for name in one.names() {
        one.read_f32(name, &mut a)?;
        other.read_f32(name, &mut b)?;
        let largest = b.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let distance = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Half a step of the coarsest group, and what rounding its scale adds.
        if distance > largest / 127.0 * 0.501 {
            return Err(format!("tensor `{name}` is {distance} apart, its largest value is {largest}").into());
        }
        far = far.max(distance);
    }
    Ok(far)
}

/// Whether the same group length gives the file that llama2.c's own script gave.
fn same_int8(model: &Checkpoint, theirs: &Path, ours: &Path) -> Result<String> {
    let bytes = fs::read(theirs)?;
    let group = bytes.get(37..).and_then(|rest| rest.first_chunk()).map(|four| i32::from_le_bytes(*four));
    let group = usize::try_from(group.unwrap_or_default())?;
    exported(model, Version::V2 { group }, ours)?;
    let made = fs::read(ours)?;
    let n_other = made.iter().zip(&bytes).filter(|(a, b)| a != b).count();
    write::remove_file(ours)?;
    if made.len() != bytes.len() || n_other > 0 {
        return Err(format!("{n_other} of {} bytes of the int8 file differ", bytes.len()).into());
    }
    Ok(format!("{} bytes of the int8 file in groups of {group} equal", bytes.len()))
}

fn exported(model: &Checkpoint, version: Version, path: &Path) -> Result<Checkpoint> {
    let tensors: Vec<Outgoing<'_>> = model
        .names()
        .map(|name| Ok(Outgoing::from_tensor(name, model.tensor(name)?)))
        .collect::<Result<_>>()?;
    write_llama2c(path, &model.config()?, version, &tensors)?;
    Ok(Checkpoint::open(path)?)
}

/// The likeliest tokens after the beginning.
fn greedy(model: &Checkpoint) -> Result<Vec<u32>> {
    greedy_after(model, &[1])
}

/// The likeliest tokens after a prompt.
pub(super) fn greedy_after(model: &Checkpoint, prompt: &[u32]) -> Result<Vec<u32>> {
    let device = &mut Cpu::new();
    let loading = Loading { precision: Precision::F32, keeping: Keeping::Rounded };
    let weights = Weights::load(model, None, loading, device)?;
    let room = Room { slots: 1, context: prompt.len() + N_TOKENS + 16, chunk: 16 };
    let mut decoder = Decoder::new(&weights.base(), room, device)?;
    let prompt = Prompt { ids: prompt.to_vec(), sampler: Sampler::greedy(), choice: 0, max_new: N_TOKENS };
    let done = generate(&mut decoder, device, &[prompt], &End::default(), &mut |_, _| Control::Continue)?;
    Ok(done.into_iter().next().map(|completion| completion.ids).unwrap_or_default())
}

type Tensors = BTreeMap<String, Vec<f32>>;

fn train(model: &Checkpoint, sequences: &[penname_token::Sequence]) -> Result<(Tensors, String)> {
    let settings = Settings {
        method: Way::Full,
        schedule: Shape::Constant,
        precision: Rounding::F32,
        ..Settings::default()
    };
    let setup = Setup {
        method: Method::Full(Trainable::default()),
        precision: Precision::F32,
        capacity: Extent::tokens(1024),
        purpose: Purpose::Loss,
    };
    let network = build(&model.config()?, &setup)?;
    let mut device = Cpu::new();
    let parameters = Parameters::load(model, &network, Keeping::Rounded, &mut device)?;
    let mut trainer = Trainer::new(network, &parameters, &settings, Keep::All, &mut device)?;
    let packs = pack_in_order(sequences, 1024)?;
    let mut losses = Vec::new();
    for step in 0..N_STEPS {
        let at = step as usize % packs.len();
        losses.push(trainer.step(&mut device, &packs[at..=at], step, 1e-3, Seed(1))?.loss_nats);
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    if last >= first {
        return Err(format!("the loss rose from {first} to {last}").into());
    }
    let fall = format!("loss {first:.3} to {last:.3} nats");
    Ok((checkpoint::weights(&trainer, &mut device), fall))
}
