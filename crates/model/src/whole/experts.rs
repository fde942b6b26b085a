//! Experts on their way out: as their publishers lay them out, or the parts of all of them as GGUF has
//! them.
//!
//! ```text
//! gpt-oss               experts.gate_up_proj (X, in, out), or as MXFP4 (X, out, in)
//! Qwen3-MoE             experts.7.gate_proj.weight (F, D), experts.7.up_proj.weight, …
//! GGUF                  ffn_gate_exps.weight (X, F, D), ffn_up_exps.weight, …
//! ```

use std::ops::Range;

use super::{Change, Whole};
use crate::fused::Gathered;
use crate::network::{Fused, Parameter};
use crate::quant::Storage;
use crate::weights::{Outgoing, TensorInfo, Values, transposed};

/// One parameter of all experts of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Experts<'s> {
    whole: &'s Whole<'s>,
    parameter: &'s Parameter,
    gathered: &'s Gathered<'s>,
    fused: Fused,
    /// N: rows of an expert.
    n_out: usize,
    /// K: numbers in a row; none for biases.
    n_in: Option<usize>,
}

impl Whole<'_> {
    /// A parameter as that of experts, if it is.
    pub(crate) fn experts<'s>(&'s self, parameter: &'s Parameter) -> Option<Experts<'s>> {
        let (fused, gathered) = (parameter.fused?, self.gathered.get(&parameter.name)?);
        let n_out = parameter.shape.get(1).copied()?;
        let n_in = parameter.shape.get(2).copied();
        Some(Experts { whole: self, parameter, gathered, fused, n_out, n_in })
    }

    /// Whether the matrices of experts go out in the blocks of MXFP4 they are stored in: when all are
    /// stored so, and nothing was trained of any.
    pub fn keeps_blocks(&self) -> bool {
        let is_changed = |name: &String| match self.change {
            Change::Nothing => false,
            Change::Pairs((_, pairs)) => pairs.contains_key(name),
            Change::Trained(trained) => trained.contains_key(name),
        };
        let mut experts = self.parameters.iter().filter_map(|parameter| self.experts(parameter));
        let kept = |of: Experts<'_>| {
            of.n_in.is_none()
                || (of.fused.turned
                    && of.gathered.storage() == Some(Storage::MXFP4)
                    && !is_changed(&of.parameter.name))
        };
        self.config.experts.is_some() && experts.all(kept)
    }
}

impl<'s> Experts<'s> {
    /// Rows of one expert, with what was trained.
    pub(crate) fn read(self, expert: usize, rows: Range<usize>, out: &mut [f32]) {
        self.gathered.read(expert, rows.clone(), out);
        let first = expert * self.n_out;
        self.whole.change(self.parameter, first + rows.start..first + rows.end, out);
    }

    /// The biases of all experts one after another, with what was trained; nothing of matrices.
    pub(crate) fn biases(self) -> Option<Vec<f32>> {
        let mut values = self.n_in.is_none().then(|| self.gathered.biases())?;
        self.whole.change(self.parameter, 0..self.fused.experts, &mut values);
        Some(values)
    }

    /// The tensors it is published as.
    pub(super) fn published(self, dtype: Storage) -> Vec<Outgoing<'s>> {
        let name = || self.parameter.name.clone();
        if let Some(values) = self.biases() {
            return vec![self.vectors(name(), values, dtype)];
        }
        let [n_out, n_in] = [self.n_out, self.n_in.unwrap_or(1)];
        if !self.fused.turned {
            let parts = || 0..self.fused.parts.len();
            let places = (0..self.fused.experts).flat_map(|expert| parts().map(move |part| (expert, part)));
            return places.map(|place| self.matrix(place, n_in, dtype)).collect();
        }
        if self.whole.keeps_blocks() {
            return vec![self.blocks(name(), n_out, |n| n)];
        }
        let rows = move |experts: Range<usize>, out: &mut [f32]| {
            let mut matrix = vec![0.0; n_out * n_in];
            for (expert, out) in experts.zip(out.chunks_exact_mut(n_out * n_in)) {
                self.read(expert, 0..n_out, &mut matrix);
                out.copy_from_slice(&transposed(&matrix, n_out, n_in));
            }
        };
        let info = TensorInfo { shape: vec![self.fused.experts, n_in, n_out], dtype };
        vec![Outgoing { name: name(), info, values: Values::Rows(Box::new(rows)) }]
    }

    /// The linears it is made of, by the last part of their paths.
    pub(crate) fn parts(self) -> &'static [&'static str] {
        self.fused.parts
    }

    /// The shape of one part of all experts.
    pub(crate) fn part_shape(self) -> Vec<usize> {
        let rows = self.n_out / self.fused.parts.len();
        [self.fused.experts, rows].into_iter().chain(self.n_in).collect()
    }

    /// One part of all experts as one tensor.
    pub(crate) fn part(self, part: usize, name: String, dtype: Storage) -> Outgoing<'s> {
        let n_parts = self.fused.parts.len();
        let n_rows = self.n_out / n_parts;
        let row_of = move |n| if self.fused.interleaved { n * n_parts + part } else { part * n_rows + n };
        if let Some(values) = self.biases() {
            let places = (0..self.fused.experts)
                .flat_map(|expert| (0..n_rows).map(move |n| expert * self.n_out + row_of(n)));
            return self.vectors(name, places.map(|at| values[at]).collect(), dtype);
        }
        if self.whole.keeps_blocks() {
            return self.blocks(name, n_rows, row_of);
        }
        let n_in = self.n_in.unwrap_or(1);
        let rows = move |experts: Range<usize>, out: &mut [f32]| {
            let places = experts.flat_map(|expert| (0..n_rows).map(move |n| (expert, row_of(n))));
            for ((expert, row), out) in places.zip(out.chunks_exact_mut(n_in)) {
                self.read(expert, row..row + 1, out);
            }
        };
        let info = TensorInfo { shape: self.part_shape(), dtype };
        Outgoing { name, info, values: Values::Rows(Box::new(rows)) }
    }

    /// The matrix of one part of one expert.
    fn matrix(self, (expert, part): (usize, usize), n_in: usize, dtype: Storage) -> Outgoing<'s> {
        let n_rows = self.n_out / self.fused.parts.len();
        let (module, _) = self.parameter.name.rsplit_once('.').unwrap_or_default();
        let rows = move |rows: Range<usize>, out: &mut [f32]| {
            self.read(expert, part * n_rows + rows.start..part * n_rows + rows.end, out);
        };
        Outgoing {
            name: format!("{module}.{expert}.{}.weight", self.fused.parts[part]),
            info: TensorInfo { shape: vec![n_rows, n_in], dtype },
            values: Values::Rows(Box::new(rows)),
        }
    }

    /// Rows of all experts as they are stored.
    fn blocks(self, name: String, n_rows: usize, row_of: impl Fn(usize) -> usize + 's) -> Outgoing<'s> {
        let shape = vec![self.fused.experts, n_rows, self.n_in.unwrap_or(1)];
        let bytes = move |experts: Range<usize>| {
            let mut bytes = Vec::new();
            for (expert, n) in experts.flat_map(|expert| (0..n_rows).map(move |n| (expert, n))) {
                bytes.extend_from_slice(&self.gathered.stored(expert, row_of(n)));
            }
            bytes
        };
        let info = TensorInfo { shape, dtype: Storage::MXFP4 };
        Outgoing { name, info, values: Values::Blocks(Box::new(bytes)) }
    }

    /// Biases that were put together.
    fn vectors(self, name: String, values: Vec<f32>, dtype: Storage) -> Outgoing<'s> {
        let row_len = values.len() / self.fused.experts;
        let rows = move |rows: Range<usize>, out: &mut [f32]| {
            out.copy_from_slice(&values[rows.start * row_len..rows.end * row_len]);
        };
        let info = TensorInfo { shape: vec![self.fused.experts, row_len], dtype };
        Outgoing { name, info, values: Values::Rows(Box::new(rows)) }
    }
}
