//! NF4 with doubled scales, made of weights while they are loaded.
//!
//! ```text
//! chunk      64 numbers, counted through all rows: scale = max|x|, code = nearest quantile of x / scale
//! offset     mean of all scales
//! outer      256 chunks: max|scale − offset|; a scale becomes the nearest step of (scale − offset) / outer
//!
//! value[i] = quantile[code[i]] · (step[s] · outer + offset)
//! ```
//!
//! # Source
//! Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, arXiv 2305.14314,
//! section 3. The mean is taken in f64; libraries that take it in f32 may differ in its last bit.

use penname_engine::CodedRow;
use penname_engine::coding::{OUTER_CHUNKS, Outer, QUANTILES, STEPS};

/// Numbers under one scale.
pub(crate) const CHUNK: usize = 64;

/// The scales of a weight: what a first pass over its rows finds.
#[derive(Debug, Default)]
pub(crate) struct Scales {
    /// max|x| of every chunk, through all rows.
    largest: Vec<f32>,
}

impl Scales {
    /// Adds whole chunks.
    pub(crate) fn add(&mut self, values: &[f32]) {
        let largest = |chunk: &[f32; CHUNK]| chunk.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
        self.largest.extend(values.as_chunks::<CHUNK>().0.iter().map(largest));
    }

    /// What the scales share, and the code of each scale.
    pub(crate) fn outer(&self) -> (Outer, Vec<u8>) {
        let sum: f64 = self.largest.iter().copied().map(f64::from).sum();
        let offset = (sum / self.largest.len().max(1) as f64) as f32;
        let (mut scales, mut codes) = (Vec::new(), Vec::new());
        for chunks in self.largest.chunks(OUTER_CHUNKS) {
            let outer = chunks.iter().fold(0.0_f32, |top, x| top.max((x - offset).abs()));
            let inverse = if outer > 0.0 { 1.0 / outer } else { 0.0 };
            codes.extend(chunks.iter().map(|x| nearest(&STEPS, (x - offset) * inverse)));
            scales.push(outer);
        }
        (Outer { scales, offset }, codes)
    }

    /// Appends row `row` of a weight; `steps` are the codes of its scales.
    pub(crate) fn encode(&self, row: usize, values: &[f32], steps: &[u8], to: &mut CodedRow) {
        let n_chunks = values.len() / CHUNK;
        let here = row * n_chunks..(row + 1) * n_chunks;
        to.scales.extend(&steps[here.clone()]);
        for (chunk, largest) in values.as_chunks::<CHUNK>().0.iter().zip(&self.largest[here]) {
            let inverse = if *largest > 0.0 { 1.0 / largest } else { 0.0 };
            to.codes.extend(chunk.iter().map(|x| nearest(&QUANTILES, x * inverse)));
        }
    }
}

/// The place of the number of a rising table that is nearest to `x`; the lower of two equally near.
fn nearest(table: &[f32], x: f32) -> u8 {
    let above = table.partition_point(|entry| *entry < x).min(table.len() - 1);
    let below = above.saturating_sub(1);
    let is_below = x <= f32::midpoint(table[below], table[above]);
    (if is_below { below } else { above }) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_engine::backend::View;
    use penname_engine::backend::cpu::Cpu;
    use penname_engine::{CodedWeight, Coding, DType, Device};
    use safetensors::SafeTensors;

    #[test]
    fn values_are_the_references_bit_for_bit() {
        let golden =
            SafeTensors::deserialize(include_bytes!("../../../../golden/nf4/values.safetensors")).unwrap();
        let floats = |name: &str| -> Vec<f32> {
            let bytes = golden.tensor(name).unwrap().data().as_chunks::<4>().0;
            bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let (source, expected, rows, cols) = (floats("source"), floats("values"), 136, 128);
        let mut scales = Scales::default();
        scales.add(&source);
        let (outer, steps) = scales.outer();
        let fill = |row: usize, to: &mut CodedRow| {
            scales.encode(row, &source[row * cols..(row + 1) * cols], &steps, to);
        };
        let (coding, dtype) = (Coding::Nf4, DType::F32);
        let mut device = Cpu::new();
        let weight = CodedWeight { rows, cols, coding, dtype, outer: Some(&outer), fill: &fill };
        let buffer = device.allocate_coded(&weight).unwrap();
        let mut found = vec![0.0; rows * cols];
        device.read(View { buffer, offset: 0, rows, cols, dtype }, &mut found);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.to_bits(), expected.to_bits(), "value {i}: {found} {expected}");
        }
    }

    #[test]
    fn the_nearest_is_found_and_ties_go_down() {
        let table = [-1.0, 0.0, 0.5, 1.0];
        for (x, expected) in
            [(-2.0, 0), (-1.0, 0), (-0.5, 0), (-0.4, 1), (0.0, 1), (0.25, 1), (0.26, 2), (0.8, 3), (3.0, 3)]
        {
            assert_eq!(nearest(&table, x), expected, "{x}");
        }
    }
}
