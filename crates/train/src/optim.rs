//! Adds the update of the weights to a program that has gradients.

use crate::error::{Error, Result};
use crate::settings::{Optimizer, Settings};
use crate::spared::Spared;
use penname_engine::op::{AdamW, Average, Coded, GradNorm, Moments, Trained};
use penname_engine::program::Tensor;
use penname_engine::{DType, Program, Role, Rows, Section, TensorId};

/// Where the numbers of an update are.
#[derive(Debug, Clone)]
pub struct Update {
    /// Learning rate and step number, (1, 2).
    pub schedule: TensorId,
    /// Norm of all gradients before clipping, (1, 1).
    pub norm: TensorId,
    /// Weights with gradients and moments.
    pub weights: Vec<Trained>,
    /// The running average of each weight, if averages are kept.
    pub averages: Vec<TensorId>,
}

/// Appends gradient norm and AdamW for every trainable weight, and averages if they are wanted.
///
/// # Errors
/// When a setting names weights that there are none of.
pub fn add_update(program: &mut Program, settings: &Settings) -> Result<Update> {
    let schedule = program.input("schedule", Rows::Fixed(1), 2, DType::F32);
    let scalar = |name: &str| Tensor {
        name: name.into(),
        rows: Rows::Fixed(1),
        cols: 1,
        dtype: DType::F32,
        role: Role::Output,
    };
    let norm = program.declare(scalar("gradient norm"));
    let trainable = program.trainable();
    let spared = Spared::new(program, &settings.no_decay);
    let ids: Vec<TensorId> = trainable.iter().map(|(weight, _)| *weight).collect();
    if let Some(found) = spared.stray(program, &ids) {
        return Err(Error::NoSuchWeights { name: "no_decay", found: found.to_owned() });
    }
    let weights: Vec<Trained> = trainable
        .iter()
        .map(|(weight, gradient)| {
            let decays = !spared.contains(program, *weight);
            let rate = rate(program, *weight, settings);
            let moments = moments(program, *weight, settings.optimizer);
            Trained { weight: *weight, gradient: *gradient, moments, decays, rate }
        })
        .collect();
    let gradients = trainable.iter().map(|(_, gradient)| *gradient).collect();
    program.enter_block(None);
    program.push(Section::Update, GradNorm { gradients, norm });
    let clip = if settings.clip > 0.0 { settings.clip as f32 } else { f32::INFINITY };
    program.push(
        Section::Update,
        AdamW {
            weights: weights.clone(),
            schedule,
            norm,
            clip,
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            eps: 1e-8,
            weight_decay: settings.weight_decay as f32,
        },
    );
    let averages =
        if settings.ema > 0.0 { add_averages(program, settings, schedule, &weights) } else { Vec::new() };
    Ok(Update { schedule, norm, weights, averages })
}

/// Appends the running average of every trained weight.
fn add_averages(
    program: &mut Program,
    settings: &Settings,
    schedule: TensorId,
    weights: &[Trained],
) -> Vec<TensorId> {
    let average = |w: &Trained| {
        let like = program.tensor(w.weight).clone();
        program.declare(Tensor { name: format!("average {}", like.name), role: Role::State, ..like })
    };
    let averages: Vec<TensorId> = weights.iter().map(average).collect();
    let pairs = weights.iter().map(|w| w.weight).zip(averages.iter().copied()).collect();
    program.push(Section::Update, Average { weights: pairs, schedule, decay: settings.ema as f32 });
    averages
}

/// What the learning rate of a weight is multiplied with.
///
/// # Source
/// Hayou, Ghosh and Yu, *LoRA+: Efficient Low Rank Adaptation of Large Models*, 2024,
/// arXiv 2402.12354, section 4.
fn rate(program: &Program, weight: TensorId, settings: &Settings) -> f32 {
    let is_b = program.tensor(weight).name.ends_with(".lora_B");
    if is_b { settings.lora_plus as f32 } else { 1.0 }
}

/// Fewer numbers than this keep their moments as numbers: there is little to save.
const FEWEST_CODED: usize = 4096;

fn moments(program: &mut Program, weight: TensorId, optimizer: Optimizer) -> Moments {
    let like = Tensor { role: Role::State, ..program.tensor(weight).clone() };
    let n = program.rows(weight) * program.cols(weight);
    let mut state = |what: &str, like: &Tensor| {
        program.declare(Tensor { name: format!("{what} {}", like.name), ..like.clone() })
    };
    if optimizer == Optimizer::AdamW || n < FEWEST_CODED {
        return Moments::Plain { mean: state("mean", &like), square: state("square", &like) };
    }
    let row = |cols: usize, dtype: DType| Tensor { rows: Rows::Fixed(1), cols, dtype, ..like.clone() };
    let (codes, largest) = (row(Coded::words(n), DType::U32), row(Coded::blocks(n), DType::F32));
    let mut coded = |what: &str| Coded {
        codes: state(&format!("{what} codes"), &codes),
        largest: state(&format!("{what} largest"), &largest),
    };
    Moments::Coded { mean: coded("mean"), square: coded("square") }
}
