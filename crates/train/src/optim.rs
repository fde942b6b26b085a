//! Adds the update of the weights to a program that has gradients.

use crate::settings::Settings;
use penname_engine::op::{AdamW, GradNorm, Moments};
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
    pub weights: Vec<Moments>,
}

/// Appends gradient norm and AdamW for every trainable weight.
pub fn add_update(program: &mut Program, settings: &Settings) -> Update {
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
    let weights: Vec<Moments> =
        trainable.iter().map(|(weight, gradient)| moments(program, *weight, *gradient)).collect();
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
    Update { schedule, norm, weights }
}

fn moments(program: &mut Program, weight: TensorId, gradient: TensorId) -> Moments {
    let like = program.tensor(weight).clone();
    let mut state = |what: &str| {
        program.declare(Tensor { name: format!("{what} {}", like.name), role: Role::State, ..like.clone() })
    };
    let (mean, square) = (state("mean"), state("square"));
    // Gains and biases are single rows; decay pulls only matrices towards zero.
    let decays = like.rows != Rows::Fixed(1);
    Moments { weight, gradient, mean, square, decays, rate: 1.0 }
}
