//! The backward pass of attention: shape rule and reference loops.

use super::{Attention, check_heads, dot};
use crate::op::{Access, Host, Operation, Real, visit_option};
use crate::program::{Extent, Program, ShapeError, TensorId};

/// The gradient of [`Attention`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionBackward {
    /// The operation as it ran forward.
    pub forward: Attention,
    /// Gradient of the result, (M, H·E).
    pub dout: TensorId,
    /// Gradient of queries, keys and values, (M, (H + 2K)·E).
    pub dqkv: TensorId,
    /// Gradient of the sinks, added to.
    pub dsinks: Option<TensorId>,
}

impl Operation for AttentionBackward {
    const NAME: &'static str = "attention_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in
            [&mut self.forward.qkv, &mut self.forward.starts, &mut self.forward.out, &mut self.forward.lse]
        {
            visitor(Access::Read, tensor);
        }
        visit_option(visitor, Access::Read, &mut self.forward.shared);
        visit_option(visitor, Access::Read, &mut self.forward.sinks);
        visitor(Access::Read, &mut self.dout);
        visitor(Access::Write, &mut self.dqkv);
        visit_option(visitor, Access::Update, &mut self.dsinks);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        check_heads(Self::NAME, program, self.dqkv, self.dout, self.forward.heads)?;
        self.forward.check(program)
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        self.forward.flops(program, extent) * 5 / 2
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let Attention { qkv, heads, scale, out, lse, .. } = self.forward;
        let (width, cols) = (heads.width, heads.total_cols());
        let scale = R::from_f64(f64::from(scale));
        let mut dsinks = vec![R::zero(); heads.query];
        let mut dqkv = vec![R::zero(); host.rows(qkv) * cols];
        for row in 0..host.rows(qkv) {
            for (head, dsink) in dsinks.iter_mut().enumerate() {
                let (q, k, v) = heads.columns(head);
                let query = &host.row(qkv, row)[q..q + width];
                let dout = &host.row(self.dout, row)[q..q + width];
                let delta = dot(dout, &host.row(out, row)[q..q + width]);
                if let Some(sinks) = self.forward.sinks {
                    *dsink += -(host.get(sinks)[head] - host.row(lse, row)[head]).exp() * delta;
                }
                for j in self.forward.seen(host, row) {
                    let (key, value) = (&host.row(qkv, j)[k..k + width], &host.row(qkv, j)[v..v + width]);
                    let p = (scale * dot(query, key) - host.row(lse, row)[head]).exp();
                    let ds = p * (dot(dout, value) - delta) * scale;
                    for e in 0..width {
                        dqkv[row * cols + q + e] += ds * key[e];
                        dqkv[j * cols + k + e] += ds * query[e];
                        dqkv[j * cols + v + e] += p * dout[e];
                    }
                }
            }
        }
        host.put(self.dqkv, dqkv);
        if let Some(of_sinks) = self.dsinks {
            let mut sum = host.take(of_sinks);
            sum.iter_mut().zip(dsinks).for_each(|(sum, more)| *sum += more);
            host.put(of_sinks, sum);
        }
    }
}
