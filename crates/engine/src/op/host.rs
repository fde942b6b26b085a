//! Where the reference loops keep their numbers.
//!
//! Generic over f32 and f64: devices are compared with the f32 run, and
//! derivatives are checked by central differences in f64.

use crate::program::{DType, Extent, Program, TensorId};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A real number the reference loops compute with.
pub trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// Nearest value to an f64.
    fn from_f64(value: f64) -> Self;
    /// Exact or rounded value as f64.
    fn to_f64(self) -> f64;
    /// e to the power of `self`.
    fn exp(self) -> Self {
        Self::from_f64(self.to_f64().exp())
    }
    /// Natural logarithm.
    fn ln(self) -> Self {
        Self::from_f64(self.to_f64().ln())
    }
    /// Square root.
    fn sqrt(self) -> Self {
        Self::from_f64(self.to_f64().sqrt())
    }
    /// Zero.
    fn zero() -> Self {
        Self::from_f64(0.0)
    }
    /// One.
    fn one() -> Self {
        Self::from_f64(1.0)
    }
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
    fn to_f64(self) -> f64 {
        self
    }
}

/// Every tensor of a program as plain vectors, rows in use only.
#[derive(Debug, Clone)]
pub struct Host<R> {
    reals: Vec<Vec<R>>,
    ids: Vec<Vec<u32>>,
    shapes: Vec<(usize, usize)>,
}

impl<R: Real> Host<R> {
    /// Zeros for every tensor of `program` with `extent` rows in use.
    pub fn new(program: &Program, extent: Extent) -> Self {
        let shapes: Vec<_> = program.tensors().iter().map(|t| (extent.rows(t.rows), t.cols)).collect();
        let sized = |wanted: fn(DType) -> bool| {
            let tensors = program.tensors().iter().zip(&shapes);
            tensors.map(|(t, (rows, cols))| if wanted(t.dtype) { rows * cols } else { 0 }).collect::<Vec<_>>()
        };
        let reals = sized(|d| d != DType::U32).into_iter().map(|n| vec![R::zero(); n]).collect();
        let ids = sized(|d| d == DType::U32).into_iter().map(|n| vec![0; n]).collect();
        Self { reals, ids, shapes }
    }

    /// Rows in use.
    pub fn rows(&self, id: TensorId) -> usize {
        self.shapes[id.index()].0
    }

    /// Columns.
    pub fn cols(&self, id: TensorId) -> usize {
        self.shapes[id.index()].1
    }

    /// The numbers of a tensor, row-major.
    pub fn get(&self, id: TensorId) -> &[R] {
        &self.reals[id.index()]
    }

    /// The ids of a tensor.
    pub fn ids(&self, id: TensorId) -> &[u32] {
        &self.ids[id.index()]
    }

    /// One row.
    pub fn row(&self, id: TensorId, row: usize) -> &[R] {
        let cols = self.cols(id);
        &self.reals[id.index()][row * cols..(row + 1) * cols]
    }

    /// Replaces the numbers of a tensor.
    ///
    /// # Panics
    /// If there are not exactly as many as the tensor holds.
    pub fn set(&mut self, id: TensorId, values: Vec<R>) {
        assert_eq!(
            values.len(),
            self.reals[id.index()].len(),
            "tensor {} holds another number of values",
            id.0
        );
        self.reals[id.index()] = values;
    }

    /// Replaces the ids of a tensor.
    ///
    /// # Panics
    /// If there are not exactly as many as the tensor holds.
    pub fn set_ids(&mut self, id: TensorId, values: Vec<u32>) {
        assert_eq!(values.len(), self.ids[id.index()].len(), "tensor {} holds another number of ids", id.0);
        self.ids[id.index()] = values;
    }

    /// Takes the numbers of a tensor out to be written while others are read;
    /// give them back with [`Host::set`].
    pub(super) fn take(&mut self, id: TensorId) -> Vec<R> {
        std::mem::take(&mut self.reals[id.index()])
    }

    /// Gives back what [`Host::take`] took.
    pub(super) fn put(&mut self, id: TensorId, values: Vec<R>) {
        self.reals[id.index()] = values;
    }
}
