//! Adds the backward pass to a program.
//!
//! Walks the forward operations from last to first and asks each for the
//! operations that compute the gradients which are needed: those of trainable
//! weights, and of everything between them and the loss. Nothing is computed
//! for a frozen weight, nothing below the lowest trainable one. The result is
//! more operations of the same list; there is nothing else at run time.

use crate::op::{Access, Op};
use crate::program::{DType, Program, Role, Rows, Section, Tensor, TensorId};
use std::collections::BTreeMap;

/// The state of one walk, as operations see it.
#[derive(Debug)]
pub(crate) struct Derive<'a> {
    program: &'a mut Program,
    /// By tensor: whether its gradient is wanted.
    needed: Vec<bool>,
    /// The gradient that reached a tensor so far.
    gradients: BTreeMap<TensorId, TensorId>,
    current: usize,
    block: Option<usize>,
}

/// Adds the operations that compute the gradients of all trainable weights.
///
/// A program that ends in a loss needs no `seeds`; others name tensors with
/// the gradient that flows into them. Tensors in `wanted` get a gradient
/// although no weight: [`Program::gradient`] finds it.
pub fn derive(program: &mut Program, seeds: &[(TensorId, TensorId)], wanted: &[TensorId]) {
    let needed = needed(program, wanted);
    let n_forward = program.steps().len();
    zero_gradients(program);
    let mut walk =
        Derive { program, needed, gradients: seeds.iter().copied().collect(), current: 0, block: None };
    for idx in (0..n_forward).rev() {
        let step = walk.program.steps()[idx].clone();
        if step.section != Section::Forward {
            continue;
        }
        (walk.current, walk.block) = (idx, step.block);
        step.op.derive(&mut walk);
    }
    let found: Vec<_> = wanted.iter().filter_map(|w| Some((*w, *walk.gradients.get(w)?))).collect();
    for (of, gradient) in found {
        program.set_gradient(of, gradient);
        program.set_role(gradient, Role::Output);
    }
}

/// Trainable weights, and every real tensor that depends on one.
fn needed(program: &Program, wanted: &[TensorId]) -> Vec<bool> {
    let trainable =
        |(id, t): (TensorId, &Tensor)| t.role == Role::Weight { trainable: true } || wanted.contains(&id);
    let mut needed: Vec<bool> = program.iter().map(trainable).collect();
    for step in program.steps() {
        let accesses = step.op.accesses();
        if accesses.iter().any(|(access, id)| *access != Access::Write && needed[id.index()]) {
            for (_, id) in accesses.iter().filter(|(access, _)| *access == Access::Write) {
                needed[id.index()] = true;
            }
        }
    }
    needed
}

/// Declares a gradient for every trainable weight, set to zero when a step begins.
fn zero_gradients(program: &mut Program) {
    let trainable: Vec<_> = program
        .iter()
        .filter(|(id, t)| t.role == Role::Weight { trainable: true } && program.gradient(*id).is_none())
        .map(|(id, t)| {
            (
                id,
                Tensor {
                    name: format!("d {}", t.name),
                    dtype: DType::F32,
                    role: Role::Gradient,
                    ..t.clone()
                },
            )
        })
        .collect();
    for (weight, gradient) in trainable {
        let gradient = program.declare(gradient);
        program.set_gradient(weight, gradient);
        program.enter_block(None);
        program.push(Section::Begin, crate::op::Zero { x: gradient });
    }
}

impl Derive<'_> {
    pub(crate) fn program(&self) -> &Program {
        self.program
    }

    /// The gradient that reached `of` so far.
    pub(crate) fn gradient(&self, of: TensorId) -> Option<TensorId> {
        self.gradients.get(&of).copied()
    }

    /// The gradient of a trainable weight, which operations add to; `None` if it is frozen.
    pub(crate) fn weight_gradient(&self, weight: TensorId) -> Option<TensorId> {
        self.program.gradient(weight)
    }

    /// A new tensor for a gradient of `of`, if one is needed.
    pub(crate) fn fresh_gradient(&mut self, of: TensorId) -> Option<TensorId> {
        if !self.needed.get(of.index()).copied().unwrap_or(false) {
            return None;
        }
        let like = self.program.tensor(of).clone();
        let gradient = Tensor { name: format!("d {}", like.name), role: Role::Activation, ..like };
        Some(self.program.declare(gradient))
    }

    /// A new tensor that takes the place of the gradient that reached `of` so
    /// far; the caller adds the old one in.
    pub(crate) fn replace_gradient(&mut self, of: TensorId) -> Option<TensorId> {
        let gradient = self.fresh_gradient(of)?;
        self.gradients.insert(of, gradient);
        Some(gradient)
    }

    /// Adds `gradient` to what reached `of` so far.
    pub(crate) fn contribute(&mut self, of: TensorId, gradient: TensorId) {
        if !self.needed.get(of.index()).copied().unwrap_or(false) {
            return;
        }
        let Some(before) = self.gradient(of) else {
            self.gradients.insert(of, gradient);
            return;
        };
        if let Some(sum) = self.replace_gradient(of) {
            self.emit(crate::op::Add { a: before, b: gradient, y: sum });
        }
    }

    /// A tensor that lives for one operation of the backward pass.
    pub(crate) fn scratch(&mut self, name: &str, rows: Rows, cols: usize, dtype: DType) -> TensorId {
        self.program.activation(name, rows, cols, dtype)
    }

    /// Appends an operation to the backward pass.
    pub(crate) fn emit(&mut self, op: impl Into<Op>) {
        self.program.enter_block(self.block);
        self.program.push(Section::Backward, op);
    }

    /// Puts another operation in the place of the one being derived.
    pub(crate) fn rewrite(&mut self, op: impl Into<Op>) {
        self.program.steps_mut()[self.current].op = op.into();
    }
}
