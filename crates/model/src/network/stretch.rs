//! Linears whose rows have trained lengths.

use super::{LinearSpec, Network, names};
use penname_engine::op::{Linear, Magnitude, Projection, RowNorm, Stretch};
use penname_engine::{DType, Rows, Section, TensorId};

impl Network {
    /// A linear without what it adds last, and the stretching of its columns with it.
    pub(super) fn push_stretched(&mut self, mut linear: Linear, specs: &[LinearSpec]) {
        let Linear { x, add, y, .. } = linear;
        let cols = self.program.cols(y);
        // What goes onto the residual stream is as fine as the stream.
        let rows = self.program.tensor(x).rows;
        let dtype = if add.is_some() { DType::F32 } else { self.setup.precision.dtype() };
        let product = self.program.activation("unstretched", rows, cols, dtype);
        let mut parts = Vec::new();
        for (part, spec) in linear.parts.iter_mut().zip(specs) {
            let bias = part.bias.take();
            let (magnitude, norm) = self.lengths(part, spec).unzip();
            parts.push(Stretch { outputs: spec.outputs, magnitude, norm: norm.flatten(), bias });
        }
        self.program.push(Section::Forward, Linear { add: None, y: product, ..linear });
        self.program.push(Section::Forward, Magnitude { x: product, parts, add, y });
    }

    /// The trained lengths of a projection and those it has now, or the factors between the two.
    fn lengths(&mut self, part: &Projection, spec: &LinearSpec) -> Option<(TensorId, Option<TensorId>)> {
        let pair = part.low_rank.as_ref().filter(|_| self.setup.method.stretches(&spec.module))?;
        let (module, n) = (&spec.module, spec.outputs);
        let vector = |net: &mut Self, name: String, trainable: bool| {
            net.program.weight(&name, 1, n, DType::F32, trainable)
        };
        let (magnitude, norm) = if self.setup.purpose.is_loss() {
            let magnitude = vector(self, names::magnitude(module), true);
            let squares = vector(self, names::squares(module), false);
            let norm = self.program.activation(format!("{module} lengths"), Rows::Fixed(1), n, DType::F32);
            let (weight, a, b, scale) = (part.weight, pair.a, pair.b, pair.scale);
            self.program.push(Section::Forward, RowNorm { weight, squares, a, b, scale, norm });
            (magnitude, Some(norm))
        } else {
            (vector(self, names::factor(module), false), None)
        };
        if let Some(slot) = self.pairs.iter_mut().find(|slot| slot.module == *module) {
            slot.magnitude = Some(magnitude);
        }
        Some((magnitude, norm))
    }
}
