//! The running average of weights: EMA.
//!
//! After the first step `a = w`; after every later one `a ← β a + (1 − β) w`. What is measured and kept
//! is then `a`, which moves less than `w` does from step to step.
//!
//! # Source
//! Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, in the
//! exponential form that PyTorch's `swa_utils` computes.

use super::{Access, Host, Operation, Real, expect, expect_f32};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Moves the average of every weight towards it.
#[derive(Debug, Clone, PartialEq)]
pub struct Average {
    /// Weights and their averages, f32 and of one shape each.
    pub weights: Vec<(TensorId, TensorId)>,
    /// Learning rate and step number, counted from 1, (1, 2), f32.
    pub schedule: TensorId,
    /// β.
    pub decay: f32,
}

impl Average {
    /// β of a step: the first one has nothing to average with.
    pub(crate) fn decay_at(&self, step: f32) -> f32 {
        if step <= 1.0 { 0.0 } else { self.decay }
    }
}

impl Operation for Average {
    const NAME: &'static str = "average";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.schedule);
        for (weight, average) in &mut self.weights {
            visitor(Access::Read, weight);
            visitor(Access::Update, average);
        }
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for &(weight, average) in &self.weights {
            let numbers = |id| program.rows(id) * program.cols(id);
            [weight, average].into_iter().try_for_each(|id| expect_f32(Self::NAME, program, id))?;
            expect(Self::NAME, program, average, "numbers", numbers(average), numbers(weight))?;
        }
        expect(Self::NAME, program, self.schedule, "columns", program.cols(self.schedule), 2)
    }

    fn flops(&self, program: &Program, _extent: Extent) -> u64 {
        self.weights.iter().map(|(w, _)| 3 * program.rows(*w) * program.cols(*w)).sum::<usize>() as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let step = host.get(self.schedule)[1].to_f64() as f32;
        let towards = R::from_f64(1.0 - f64::from(self.decay_at(step)));
        for &(weight, average) in &self.weights {
            let mut values = host.take(average);
            let weights = host.get(weight);
            values.iter_mut().zip(weights).for_each(|(a, &w)| *a += towards * (w - *a));
            host.put(average, values);
        }
    }
}
