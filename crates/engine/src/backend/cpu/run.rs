//! One operation at a time: from tensors of a program to the kernel that serves them.

use super::buffer::Buffer;
use super::device::Cpu;
use super::memory::Memory;
use super::view::{Elem, Mat, MatMut};
use super::{attention, cached, elementwise, embed, head_norm, layer_norm, norm, optimizer, random, rope};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;
use half::bf16;

impl Cpu {
    pub(super) fn embed(&self, bound: &Bound<'_>, op: &op::Embed) {
        let (ids, y) = (self.ids(bound, op.ids), self.mat_mut(bound, op.y));
        match self.buffer(bound.view(op.table).buffer) {
            Buffer::Plain(_) => embed::gather(&self.pool, self.isa, self.mat(bound, op.table), ids, y),
            Buffer::Int8(_) | Buffer::Joined(_) => {
                unreachable!("only linears are in bytes, and only experts joined")
            }
            Buffer::Packed(panels) => self.pool.run(ids.len(), |row| {
                let mut values = vec![0.0; y.cols];
                panels.row(ids[row] as usize, &mut values);
                // SAFETY: each task owns its row.
                unsafe { store(y.row_ptr(row), y.elem, &values) };
            }),
        }
    }

    pub(super) fn gather_rows(&self, bound: &Bound<'_>, op: &op::GatherRows) {
        let (x, rows) = (self.mat(bound, op.x), self.ids(bound, op.rows));
        embed::gather(&self.pool, self.isa, x, rows, self.mat_mut(bound, op.y));
    }

    pub(super) fn scatter_rows(&self, bound: &Bound<'_>, op: &op::ScatterRows) {
        let dx = self.mat_mut(bound, op.dx);
        match op.add {
            None => elementwise::fill(&self.pool, self.isa, 0.0, dx),
            Some(add) if bound.view(add) == bound.view(op.dx) => {}
            Some(add) => elementwise::copy(&self.pool, self.isa, self.mat(bound, add), dx),
        }
        embed::scatter_add(&self.pool, self.isa, self.mat(bound, op.dy), self.ids(bound, op.rows), dx);
    }

    pub(super) fn rope(&self, bound: &Bound<'_>, op: &op::Rope) {
        let (x, y) = (self.mat(bound, op.x), self.mat_mut(bound, op.y));
        let rotated = op.heads * op.head_width;
        if bound.view(op.x) != bound.view(op.y) && rotated < x.cols {
            let rest = x.cols - rotated;
            elementwise::copy(&self.pool, self.isa, x.columns(rotated, rest), y.columns(rotated, rest));
        }
        let angles = rope::Angles { cos: self.mat(bound, op.cos), sin: self.mat(bound, op.sin) };
        let turn = if op.inverse { rope::Turn::Back } else { rope::Turn::Forward };
        rope::rope(&self.pool, self.isa, x.columns(0, rotated), angles, turn, y.columns(0, rotated));
    }

    pub(super) fn attention(&self, bound: &Bound<'_>, op: &op::Attention) {
        let (out, lse) = (self.mat_mut(bound, op.out), self.mat_mut(bound, op.lse));
        attention::attention(&self.pool, self.isa, &self.attention_input(bound, op), out, lse);
    }

    pub(super) fn attention_backward(&self, bound: &Bound<'_>, op: &op::AttentionBackward) {
        let forward = &op.forward;
        let (n_q, n_kv) = (forward.heads.query_cols(), forward.heads.kv_cols());
        let dqkv = self.mat_mut(bound, op.dqkv);
        let saved = attention::AttentionSaved {
            out: self.mat(bound, forward.out),
            lse: self.mat(bound, forward.lse),
            dout: self.mat(bound, op.dout),
        };
        let gradients = attention::AttentionGrad {
            dq: dqkv.columns(0, n_q),
            dk: dqkv.columns(n_q, n_kv),
            dv: dqkv.columns(n_q + n_kv, n_kv),
        };
        attention::attention_backward(
            &self.pool,
            self.isa,
            &self.attention_input(bound, forward),
            &saved,
            &gradients,
            op.dsinks.map(|dsinks| self.floats_mut(bound, dsinks)),
        );
    }

    pub(super) fn attention_input<'a>(
        &'a self,
        bound: &Bound<'_>,
        op: &op::Attention,
    ) -> attention::Attention<'a> {
        let [q, k, v] = heads(self.mat(bound, op.qkv), op.heads);
        attention::Attention {
            q,
            k,
            v,
            starts: self.ids(bound, op.starts),
            shared: op.shared.map_or(0, |shared| self.ids(bound, shared)[0] as usize).min(q.rows),
            window: op.window,
            sinks: op.sinks.map(|sinks| self.floats(bound, sinks)),
            heads: op.heads.query,
            scale: op.scale,
        }
    }

    pub(super) fn cached_attention(&self, bound: &Bound<'_>, op: &op::CachedAttention) {
        let [q, k, v] = heads(self.mat(bound, op.qkv), op.heads);
        let (first, at) = (self.ids(bound, op.first), self.ids(bound, op.at));
        for (new, cache) in [(k, op.keys), (v, op.values)] {
            let cache = self.mat_mut(bound, cache);
            for (row, &at) in at.iter().enumerate() {
                elementwise::copy(&self.pool, self.isa, new.rows(row, 1), cache.rows(at as usize, 1));
            }
        }
        let len: Vec<u32> = first.iter().zip(at).map(|(first, at)| at - first + 1).collect();
        let (keys, values) = (self.mat(bound, op.keys), self.mat(bound, op.values));
        let input = cached::CachedAttention {
            q,
            keys,
            values,
            first,
            len: &len,
            window: op.window,
            sinks: op.sinks.map(|sinks| self.floats(bound, sinks)),
            heads: op.heads.query,
            scale: op.scale,
        };
        cached::attention_cached(&self.pool, self.isa, &input, self.mat_mut(bound, op.out));
    }

    pub(super) fn norm_backward(&self, bound: &Bound<'_>, op: &op::RmsNormBackward) {
        let mut unused;
        let from = norm::RmsNormGrad {
            dy: self.mat(bound, op.dy),
            x: self.mat(bound, op.x),
            gamma: self.floats(bound, op.gamma),
            eps: op.eps,
            acc: op.add.map(|add| self.mat(bound, add)),
        };
        let dx = match op.dx {
            Some(dx) => self.mat_mut(bound, dx),
            None => {
                unused = vec![0.0; from.x.rows * from.x.cols];
                MatMut::f32(&mut unused, from.x.rows, from.x.cols)
            }
        };
        let dgamma = op.dgamma.map(|id| self.floats_mut(bound, id));
        norm::rms_norm_backward(&self.pool, self.isa, &from, dx, dgamma);
    }

    pub(super) fn layer_norm_backward(&self, bound: &Bound<'_>, op: &op::LayerNormBackward) {
        let from = layer_norm::LayerNormGrad {
            dy: self.mat(bound, op.dy),
            x: self.mat(bound, op.x),
            gamma: self.floats(bound, op.gamma),
            eps: op.eps,
            acc: op.add.map(|add| self.mat(bound, add)),
        };
        let (rows, cols) = (from.x.rows, from.x.cols);
        // One kernel computes all three; what is not wanted goes where nobody looks.
        let (mut unused_dx, mut unused) = (Vec::new(), [Vec::new(), Vec::new()]);
        let dx = op.dx.map(|dx| self.mat_mut(bound, dx)).unwrap_or_else(|| {
            unused_dx.resize(rows * cols, 0.0);
            MatMut::f32(&mut unused_dx, rows, cols)
        });
        let affine = (op.dgamma.is_some() || op.dbeta.is_some()).then(|| {
            let [dgamma, dbeta] = [op.dgamma, op.dbeta].map(|id| id.map(|id| self.floats_mut(bound, id)));
            let [no_gamma, no_beta] = unused.each_mut();
            no_gamma.resize(cols, 0.0);
            no_beta.resize(cols, 0.0);
            layer_norm::AffineGrad { dgamma: dgamma.unwrap_or(no_gamma), dbeta: dbeta.unwrap_or(no_beta) }
        });
        layer_norm::layer_norm_backward(&self.pool, self.isa, &from, dx, affine);
    }

    pub(super) fn head_norm(&self, bound: &Bound<'_>, op: &op::HeadNorm) {
        let (x, y) = (self.mat(bound, op.x), self.mat_mut(bound, op.y));
        head_norm::head_norm(&self.pool, self.isa, x, &self.gains(bound, &op.gains), op.eps, y);
    }

    pub(super) fn head_norm_backward(&self, bound: &Bound<'_>, op: &op::HeadNormBackward) {
        let gains = self.gains(bound, &op.gains);
        let (dy, x) = (self.mat(bound, op.dy), self.mat(bound, op.x));
        let from = head_norm::HeadNormGrad { dy, x, gains: &gains, eps: op.eps };
        let mut unused = Vec::new();
        let dx = op.dx.map(|dx| self.mat_mut(bound, dx)).unwrap_or_else(|| {
            unused.resize(x.rows * x.cols, 0.0);
            MatMut::f32(&mut unused, x.rows, x.cols)
        });
        let wanted = |id: &Option<TensorId>| id.map(|id| self.floats_mut(bound, id));
        let mut dgammas: Vec<_> = op.dgammas.iter().map(wanted).collect();
        head_norm::head_norm_backward(&self.pool, self.isa, &from, dx, &mut dgammas);
    }

    fn gains<'a>(&'a self, bound: &Bound<'_>, gains: &[op::HeadGain]) -> Vec<head_norm::Gain<'a>> {
        let gain = |gain: &op::HeadGain| head_norm::Gain {
            gamma: self.floats(bound, gain.gamma),
            heads: gain.heads,
        };
        gains.iter().map(gain).collect()
    }

    pub(super) fn grad_norm(&self, bound: &Bound<'_>, op: &op::GradNorm) {
        let square = |&g: &TensorId| optimizer::squared_norm(&self.pool, self.isa, self.floats(bound, g));
        self.floats_mut(bound, op.norm)[0] = op.gradients.iter().map(square).sum::<f64>().sqrt() as f32;
    }

    pub(super) fn adamw(&self, bound: &Bound<'_>, op: &op::AdamW) {
        let (lr, step) = (self.floats(bound, op.schedule)[0], self.floats(bound, op.schedule)[1]);
        let clip = op.clip_factor(self.floats(bound, op.norm)[0]);
        for w in &op.weights {
            let settings = optimizer::AdamW {
                lr: lr * w.rate,
                beta1: op.beta1,
                beta2: op.beta2,
                eps: op.eps,
                weight_decay: if w.decays { op.weight_decay } else { 0.0 },
                step: step as u32,
            };
            let (weights, grad) = (self.floats_mut(bound, w.weight), self.floats(bound, w.gradient));
            match w.moments {
                op::Moments::Plain { mean, square } => {
                    let (m, v) = (self.floats_mut(bound, mean), self.floats_mut(bound, square));
                    let parameter = optimizer::Parameter { weights, grad, m, v };
                    optimizer::adamw(&self.pool, self.isa, &settings, clip, parameter);
                }
                op::Moments::Coded { mean, square } => {
                    let (m, v) = (self.coded(bound, mean), self.coded(bound, square));
                    let parameter = optimizer::coded::Parameter { weights, grad, m, v };
                    optimizer::coded::adamw(&self.pool, self.isa, &settings, clip, parameter);
                }
            }
        }
    }

    fn coded(&self, bound: &Bound<'_>, moment: op::Coded) -> optimizer::coded::Moment<'_> {
        optimizer::coded::Moment {
            codes: self.ids_mut(bound, moment.codes),
            largest: self.floats_mut(bound, moment.largest),
        }
    }

    pub(super) fn average(&self, bound: &Bound<'_>, op: &op::Average) {
        let decay = op.decay_at(self.floats(bound, op.schedule)[1]);
        for &(weight, average) in &op.weights {
            let (weights, average) = (self.floats(bound, weight), self.floats_mut(bound, average));
            optimizer::average(&self.pool, self.isa, weights, decay, average);
        }
    }

    pub(super) fn noise(&self, bound: &Bound<'_>, op: &op::Noise) {
        let seed = self.ids(bound, op.seed)[0].into();
        let noise = random::Noise { seed, stream: op.stream.into(), sizes: self.floats(bound, op.size) };
        random::add_noise(&self.pool, self.isa, noise, self.mat(bound, op.x), self.mat_mut(bound, op.y));
    }

    pub(super) fn zero(&self, bound: &Bound<'_>, op: &op::Zero) {
        if !self.whole(bound.view(op.x)).is_some_and(Memory::count_as_zeros) {
            elementwise::fill(&self.pool, self.isa, 0.0, self.mat_mut(bound, op.x));
        }
    }
}

/// Queries, keys and values of one matrix.
fn heads(qkv: Mat<'_>, heads: op::Heads) -> [Mat<'_>; 3] {
    let (q, kv) = (heads.query_cols(), heads.kv_cols());
    [qkv.columns(0, q), qkv.columns(q, kv), qkv.columns(q + kv, kv)]
}

/// Rounds `values` to their storage at `to`.
///
/// # Safety
/// `to` must be valid for as many numbers and touched by nobody else.
unsafe fn store(to: *mut u8, elem: Elem, values: &[f32]) {
    for (idx, &value) in values.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            match elem {
                Elem::F32 => to.cast::<f32>().add(idx).write(value),
                Elem::Bf16 => to.cast::<bf16>().add(idx).write(bf16::from_f32(value)),
            }
        }
    }
}
