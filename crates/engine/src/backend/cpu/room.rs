//! What the kernels take beside what the plan gives them.
//!
//! Copies of operands that are not stored as a kernel reads them, transposes, partial sums, and the
//! spaces in which attention is computed. The sizes stand here and not in the kernels, but they cannot
//! part from them: `scratch` in the tests of training runs steps under a counting allocator and holds
//! what they took against what is said here.

mod grouped;
mod length;

use super::attention::Sizes;
use super::classify::{TASK_LOGITS, block_width, gradient_stride};
use super::device::Cpu;
use super::gemm::{BLOCK_BYTES, LeftShape, copied_bytes, shared_bytes};
use super::tensor::elem;
use super::view::Elem;
use crate::backend::Scratch;
use crate::op::{self, Op};
use crate::program::{Program, TensorId};

/// A matrix of the program, without its numbers.
#[derive(Debug, Clone, Copy)]
struct Shape {
    elem: Elem,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Shape {
    fn of(program: &Program, id: TensorId) -> Self {
        let tensor = program.tensor(id);
        Self { elem: elem(tensor.dtype), rows: program.rows(id), cols: tensor.cols, stride: tensor.cols }
    }

    fn bytes(self) -> usize {
        self.rows * self.cols * self.elem.bytes()
    }

    /// Some of its columns.
    fn columns(self, cols: usize) -> Self {
        Self { cols, ..self }
    }

    fn turned(self) -> Self {
        Self { rows: self.cols, cols: self.rows, stride: self.rows, ..self }
    }

    fn left(self) -> LeftShape {
        let Self { elem, rows, cols, stride } = self;
        LeftShape { elem, rows, cols, stride }
    }
}

impl Cpu {
    /// What an operation takes, with all rows in use.
    pub(super) fn room_of(&self, op: &Op, program: &Program) -> Scratch {
        let room = Room { cpu: self, program };
        match op {
            Op::Linear(op) => room.linear(op),
            Op::LinearBackward(op) => room.linear_backward(op),
            Op::CrossEntropy(op) => room.cross_entropy(op),
            Op::GroupedLinear(op) => room.grouped(op),
            Op::GroupedLinearBackward(op) => room.grouped_backward(op),
            Op::RowNorm(op) => room.row_norm(op),
            Op::Magnitude(op) => room.magnitude(op),
            Op::MagnitudeBackward(op) => room.magnitude_backward(op),
            Op::Attention(op) => Scratch { kept: 0, passing: room.attention(op).forward() },
            Op::AttentionBackward(op) => room.attention_backward(op),
            Op::CachedAttention(op) => room.cached_attention(op),
            Op::RmsNormBackward(op) => room.norm_backward(op.x, op.dx, op.dgamma.is_some(), 1),
            Op::LayerNormBackward(op) => {
                room.norm_backward(op.x, op.dx, op.dgamma.is_some() || op.dbeta.is_some(), 2)
            }
            Op::HeadNormBackward(op) => {
                let width: usize = op.gains.iter().map(|gain| program.cols(gain.gamma)).sum();
                room.shares(op.x, op.dx, op.dgammas.iter().any(Option::is_some), width)
            }
            _ => Scratch::default(),
        }
    }
}

struct Room<'a> {
    cpu: &'a Cpu,
    program: &'a Program,
}

impl Room<'_> {
    fn shape(&self, id: TensorId) -> Shape {
        Shape::of(self.program, id)
    }

    /// What a product takes: copies of its left operands, and right operands that are packed for all
    /// tasks, as if none were stored the way it reads them.
    fn product(&self, left: &[Shape], n: usize) -> usize {
        let (isa, precision) = (self.cpu.isa, self.program.compute());
        let shared = shared_bytes(isa, precision, left.iter().map(|shape| shape.cols), n);
        let left: Vec<LeftShape> = left.iter().map(|shape| shape.left()).collect();
        copied_bytes(isa, precision, &left, n) + shared
    }

    fn kept(&self, copied: usize) -> usize {
        copied + self.cpu.pool.threads() * BLOCK_BYTES
    }

    fn linear(&self, op: &op::Linear) -> Scratch {
        let x = self.shape(op.x);
        let pairs = op.parts.iter().filter_map(|part| part.low_rank.as_ref());
        let (mut copied, mut passing) = (0, 0);
        for part in &op.parts {
            let low = part.low_rank.as_ref().zip(op.hidden);
            let low = low.map(|(pair, hidden)| self.shape(hidden).columns(self.program.rows(pair.a)));
            let left: Vec<Shape> = [x].into_iter().chain(low).collect();
            copied = copied.max(self.product(&left, self.program.rows(part.weight)));
        }
        let ranks: usize = pairs.clone().map(|pair| self.program.rows(pair.a)).sum();
        if ranks > 0 {
            let dropped = Shape { elem: Elem::F32, stride: x.cols, ..x };
            let drops = pairs.clone().any(|pair| pair.dropout.is_some());
            copied = copied.max(self.product(&[if drops { dropped } else { x }], ranks));
            passing = if drops { dropped.bytes() } else { stacked(ranks, x.cols, op.parts.len()) };
        }
        Scratch { kept: self.kept(copied), passing }
    }

    fn linear_backward(&self, op: &op::LinearBackward) -> Scratch {
        let dy = self.shape(op.dy);
        let outputs = |part: &op::ProjectionBackward| self.program.rows(part.part.weight);
        let x = op.x.map(|x| self.shape(x));
        let (mut copied, mut turned_bytes) = (0, 0);
        for part in &op.parts {
            let own = dy.columns(outputs(part));
            if let Some(pair) = &part.part.low_rank {
                copied = copied.max(self.product(&[own], self.program.rows(pair.a)));
            }
            if let (Some(_), Some(x)) = (part.dweight, x) {
                let turned = own.turned();
                copied = copied.max(self.product(&[turned], x.cols));
                turned_bytes = turned_bytes.max(turned.bytes());
            }
        }
        let (low_turned, low) = self.low_rank_gradients(op, &mut copied);
        let width = op.dx.map_or(0, |dx| self.program.cols(dx));
        let base = op.parts.iter().map(|part| dy.columns(outputs(part)));
        let hidden = op.dhidden.map(|dhidden| self.shape(dhidden));
        let pairs = op.parts.iter().filter_map(|part| part.part.low_rank.as_ref());
        let own = |pair: &op::LowRank| hidden.map(|hidden| hidden.columns(self.program.rows(pair.a)));
        let drops = pairs.clone().any(|pair| pair.dropout.is_some());
        if op.dx.is_some() {
            let undropped = pairs.filter(|pair| pair.dropout.is_none()).filter_map(own);
            let left: Vec<Shape> = base.chain(undropped).collect();
            copied = copied.max(self.product(&left, width));
        }
        // With dropout the path through a pair is computed apart and then masked.
        let through = if drops { dy.rows * width * 4 } else { 0 };
        // Transposes lie in memory that its thread keeps, beside the copies.
        Scratch { kept: self.kept(copied) + turned_bytes.max(low_turned), passing: low.max(through) }
    }

    /// What the gradients of pairs take, kept and passing; the copies of their products are added to
    /// `copied`.
    fn low_rank_gradients(&self, op: &op::LinearBackward, copied: &mut usize) -> (usize, usize) {
        let (Some(x), Some(hidden), Some(dhidden)) = (op.x, op.hidden, op.dhidden) else { return (0, 0) };
        let (x, h, dh) = (self.shape(x), self.shape(hidden).turned(), self.shape(dhidden).turned());
        *copied = (*copied).max(self.product(&[dh], x.cols));
        let drops =
            op.parts.iter().filter_map(|part| part.part.low_rank.as_ref()).any(|p| p.dropout.is_some());
        // Grouped pairs have one sum for all; with dropout each has an input of its own.
        let of_a = if drops { x.rows * x.cols * 4 } else { stacked(dh.rows, x.cols, op.parts.len()) };
        let thin = |part: &op::ProjectionBackward| {
            let rank = part.part.low_rank.as_ref().map_or(0, |pair| self.program.rows(pair.a));
            rank * self.program.rows(part.part.weight) * 4
        };
        let widest = op.parts.iter().map(|part| self.program.rows(part.part.weight)).max().unwrap_or(0);
        *copied = (*copied).max(self.product(&[h], widest));
        let of_b = op.parts.iter().map(thin).max().unwrap_or(0);
        (dh.bytes() + h.bytes(), of_a.max(of_b))
    }

    /// Every task has a block of logits of its own, and leaves the largest and the sum of each row.
    fn cross_entropy(&self, op: &op::CrossEntropy) -> Scratch {
        let (x, chunk) = (self.shape(op.x), self.shape(op.chunk));
        let rows = chunk.rows.min(x.rows).max(1);
        let (x, vocabulary) = (Shape { rows, ..x }, chunk.cols);
        let elem = elem(self.program.compute().dtype());
        let gradient = Shape { elem, rows, cols: vocabulary, stride: gradient_stride(vocabulary, elem) };
        let mut copied = self.product(&[x], vocabulary);
        let mut turned_bytes = 0;
        if op.dx.is_some() {
            copied = copied.max(self.product(&[gradient], x.cols));
        }
        if op.dweight.is_some() {
            let turned = gradient.turned();
            copied = copied.max(self.product(&[turned], x.cols));
            turned_bytes = turned.bytes();
        }
        let logits = self.cpu.pool.threads() * TASK_LOGITS * 4;
        let parts = 2 * vocabulary.div_ceil(block_width(rows)) * rows * 4;
        Scratch { kept: self.kept(copied) + logits + turned_bytes, passing: parts }
    }

    fn sizes(&self, qkv: TensorId, heads: op::Heads) -> Sizes {
        let qkv = self.shape(qkv);
        Sizes {
            rows: qkv.rows,
            heads: heads.query,
            kv_heads: heads.kv,
            width: heads.width,
            elem: qkv.elem,
            pairs: qkv.elem == Elem::Bf16 && self.cpu.isa.has_bf16_dot(),
            threads: self.cpu.pool.threads(),
        }
    }

    fn attention(&self, op: &op::Attention) -> Sizes {
        self.sizes(op.qkv, op.heads)
    }

    fn attention_backward(&self, op: &op::AttentionBackward) -> Scratch {
        let sizes = self.attention(&op.forward);
        Scratch { kept: 0, passing: sizes.backward(op.forward.shared.is_some()) }
    }

    /// Every sequence writes its pieces beside each other.
    fn cached_attention(&self, op: &op::CachedAttention) -> Scratch {
        let sizes = self.sizes(op.qkv, op.heads);
        Scratch { kept: 0, passing: sizes.forward().max(sizes.pieces(self.program.rows(op.keys))) }
    }

    /// Norms over whole rows, with this many vectors of gains.
    fn norm_backward(&self, x: TensorId, dx: Option<TensorId>, gains: bool, vectors: usize) -> Scratch {
        self.shares(x, dx, gains, vectors * self.program.cols(x))
    }

    /// Shares of the gains' gradients, `width` numbers for every 64 rows; and a gradient that nobody
    /// wants.
    fn shares(&self, x: TensorId, dx: Option<TensorId>, gains: bool, width: usize) -> Scratch {
        const SHARE_ROWS: usize = 64;
        let x = self.shape(x);
        let unused = if dx.is_none() { x.rows * x.cols * 4 } else { 0 };
        let shares = if gains { x.rows.div_ceil(SHARE_ROWS) * width * 4 } else { 0 };
        Scratch { kept: 0, passing: unused + shares }
    }
}

/// Matrices A of several pairs below each other, or the sum of their gradients.
fn stacked(ranks: usize, cols: usize, n_pairs: usize) -> usize {
    if n_pairs > 1 { ranks * cols * 4 } else { 0 }
}
