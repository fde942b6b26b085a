//! What the bytes of packed matrices are.

use std::collections::BTreeMap;
use std::ops::Range;

use penname_engine::backend::Packing;
use penname_engine::coding::Outer;
use penname_engine::{Coding, DType};
use serde::{Deserialize, Serialize};

/// All matrices of a base, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) matrices: BTreeMap<String, Matrix>,
}

/// One matrix, or those of experts below each other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matrix {
    /// What its numbers are stored as, for people.
    pub(super) format: String,
    pub(super) parts: Vec<Part>,
}

/// A matrix that was packed by itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Whether its numbers are rounded to bf16 where they are used.
    pub(super) rounded: bool,
    /// The name of its coding, if it is coded.
    pub(super) coding: Option<String>,
    /// Where its panels begin.
    pub(super) at: usize,
    /// Bytes of its panels.
    pub(super) bytes: usize,
    /// How many scales stand over its scales; they follow its panels, and then the offset.
    pub(super) outer: usize,
}

impl Index {
    /// Its matrices, if all lie in a file of this length.
    pub(super) fn checked(self, file_bytes: usize) -> Option<BTreeMap<String, Matrix>> {
        let parts = || self.matrices.values().flat_map(|matrix| &matrix.parts);
        let is_whole = parts().all(|part| part.end().is_some_and(|end| end <= file_bytes));
        is_whole.then_some(self.matrices)
    }
}

impl Matrix {
    /// Rows and columns of all parts below each other.
    pub(super) fn shape(&self) -> (usize, usize) {
        let rows = self.parts.iter().fold(0_usize, |rows, part| rows.saturating_add(part.rows));
        (rows, self.parts.first().map_or(0, |part| part.cols))
    }
}

impl Part {
    /// The end of everything that belongs to it.
    fn end(&self) -> Option<usize> {
        let shared = if self.outer > 0 { self.outer.checked_add(1)?.checked_mul(4)? } else { 0 };
        self.at.checked_add(self.bytes)?.checked_add(shared)
    }

    /// Where its panels lie.
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.bytes
    }

    /// What the device needs to know; `None` for a coding that is not known.
    pub(super) fn packing(&self, file: &[u8]) -> Option<Packing> {
        let coded = match &self.coding {
            None => None,
            Some(name) => {
                let coding = Coding::ALL.into_iter().find(|coding| coding.name() == name)?;
                Some((coding, self.shared(file)))
            }
        };
        let dtype = if self.rounded { DType::Bf16 } else { DType::F32 };
        Some(Packing { rows: self.rows, cols: self.cols, dtype, coded })
    }

    fn shared(&self, file: &[u8]) -> Outer {
        let end = self.end().unwrap_or(self.range().end);
        let numbers = file[self.range().end..end].as_chunks::<4>().0.iter();
        let mut scales: Vec<f32> = numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let offset = scales.pop().unwrap_or(0.0);
        Outer { scales, offset }
    }
}
