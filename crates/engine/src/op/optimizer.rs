//! The norm of all gradients, and AdamW.
//!
//! With clipped gradient `g ← g · min(1, limit / ‖g‖)`, step number t and
//! learning rate η:
//!
//! ```text
//! w ← w − η λ w                        decoupled decay, matrices only if asked
//! m ← β₁ m + (1 − β₁) g
//! v ← β₂ v + (1 − β₂) g²
//! w ← w − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
//! ```
//!
//! m and v are kept as numbers, or as codes of a byte each ([`Moments`]).
//!
//! # Source
//! Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019,
//! arXiv 1711.05101, algorithm 2, in the form PyTorch computes it.

pub(crate) mod moments;

pub use moments::{Coded, Moments};

use super::{Access, Host, Operation, Real, expect, expect_f32};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// √Σ g² over all gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct GradNorm {
    /// Every gradient of the step.
    pub gradients: Vec<TensorId>,
    /// The norm, (1, 1), f32.
    pub norm: TensorId,
}

/// A trainable weight with its gradient, both f32 and of one shape, and its running moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// w.
    pub weight: TensorId,
    /// g.
    pub gradient: TensorId,
    /// m and v.
    pub moments: Moments,
    /// Whether decoupled decay applies to this weight.
    pub decays: bool,
    /// Multiplies the learning rate for this weight.
    pub rate: f32,
}

/// One update of all trainable weights.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// What is updated.
    pub weights: Vec<Trained>,
    /// Learning rate η and step number t, counted from 1, (1, 2), f32.
    pub schedule: TensorId,
    /// Norm of all gradients, (1, 1), f32.
    pub norm: TensorId,
    /// Gradients are scaled down to this norm; infinity never clips.
    pub clip: f32,
    /// β₁.
    pub beta1: f32,
    /// β₂.
    pub beta2: f32,
    /// ε.
    pub eps: f32,
    /// λ.
    pub weight_decay: f32,
}

impl AdamW {
    /// What gradients are multiplied with so that their norm does not exceed the limit.
    pub(crate) fn clip_factor(&self, norm: f32) -> f32 {
        // PyTorch's `clip_grad_norm_` adds the same small number.
        (self.clip / (norm + 1e-6)).min(1.0)
    }
}

impl Operation for GradNorm {
    const NAME: &'static str = "grad_norm";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        self.gradients.iter_mut().for_each(|g| visitor(Access::Read, g));
        visitor(Access::Write, &mut self.norm);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        self.gradients.iter().chain([&self.norm]).try_for_each(|&g| expect_f32(Self::NAME, program, g))
    }

    fn flops(&self, program: &Program, _extent: Extent) -> u64 {
        self.gradients.iter().map(|&g| 2 * program.rows(g) * program.cols(g)).sum::<usize>() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let mut sum = R::zero();
        for &gradient in &self.gradients {
            host.get(gradient).iter().for_each(|&g| sum += g * g);
        }
        host.put(self.norm, vec![sum.sqrt()]);
    }
}

impl Operation for AdamW {
    const NAME: &'static str = "adamw";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.schedule);
        visitor(Access::Read, &mut self.norm);
        for w in &mut self.weights {
            visitor(Access::Read, &mut w.gradient);
            w.moments.visit(visitor);
            visitor(Access::Update, &mut w.weight);
        }
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for w in &self.weights {
            let size = program.rows(w.weight) * program.cols(w.weight);
            w.moments.check(Self::NAME, program, size)?;
            for tensor in [w.weight, w.gradient] {
                expect_f32(Self::NAME, program, tensor)?;
                expect(
                    Self::NAME,
                    program,
                    tensor,
                    "numbers",
                    program.rows(tensor) * program.cols(tensor),
                    size,
                )?;
            }
        }
        expect(Self::NAME, program, self.schedule, "columns", program.cols(self.schedule), 2)
    }

    fn flops(&self, program: &Program, _extent: Extent) -> u64 {
        self.weights.iter().map(|w| 12 * program.rows(w.weight) * program.cols(w.weight)).sum::<usize>()
            as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let real = |value: f32| R::from_f64(f64::from(value));
        let (lr, step) = (host.get(self.schedule)[0], host.get(self.schedule)[1].to_f64());
        let clip = real(self.clip_factor(host.get(self.norm)[0].to_f64() as f32));
        let (beta1, beta2, one) = (real(self.beta1), real(self.beta2), R::one());
        let unbias = |beta: f32| R::from_f64(1.0 - f64::from(beta).powf(step));
        for w in &self.weights {
            let mut weight = host.take(w.weight);
            let (mut mean, mut square) = w.moments.read(host, weight.len());
            let lr = lr * real(w.rate);
            let decay = if w.decays { lr * real(self.weight_decay) } else { R::zero() };
            for (i, &g) in host.get(w.gradient).iter().enumerate() {
                let g = g * clip;
                mean[i] = beta1 * mean[i] + (one - beta1) * g;
                square[i] = beta2 * square[i] + (one - beta2) * g * g;
                let root = (square[i] / unbias(self.beta2)).sqrt() + real(self.eps);
                weight[i] = weight[i] - decay * weight[i] - lr * (mean[i] / unbias(self.beta1)) / root;
            }
            w.moments.write(host, mean, square);
            host.put(w.weight, weight);
        }
    }
}
