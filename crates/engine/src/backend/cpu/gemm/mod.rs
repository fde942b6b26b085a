//! Matrix products: `C (=|+=) scale · Σ_s A_s · B_s + bias + add`.
//!
//! Several segments are one product: the low-rank part of a linear layer is the
//! second segment of its base, accumulated in the same registers and never
//! written on its own.
//!
//! How it works, from the outside in:
//!
//! * `split` cuts C into blocks; a block is one task of the pool. The whole
//!   contraction of an element happens in one task, in one order, so results do
//!   not depend on the number of threads or on the cut.
//! * `visit` cuts long contractions so that what is read twice is in cache.
//! * `job` makes the blocks of several products one job of the pool.
//! * `shared` packs right operands once where several tasks would.
//! * `task` packs the right operand of its block into cache unless it is
//!   stored as [`Panels`] or packed for all, then walks over tiles of C, visit by visit.
//! * `int8` multiplies a frozen base in bytes.
//! * `coded` keeps panels as integers and scales; packing them decodes them.
//! * `kernel` computes a tile in registers, one instruction set per file.
//!
//! Besides its operands a product needs a few hundred KiB of cache per thread,
//! and a copy of a left operand that is not stored as the kernel reads it: f32
//! for a bf16 product, an odd K, or rows a multiple of 4096 bytes apart.
//!
//! It is not a BLAS: no transposed C, no complex numbers, nothing in f64.

#![expect(clippy::needless_range_loop, reason = "sums in registers are addressed by row and vector")]

#[cfg(feature = "accelerate")]
mod accelerate;
mod ahead;
mod coded;
mod finish;
mod int8;
mod job;
mod kernel;
mod left;
mod pack;
mod panels;
mod saturate;
pub(super) mod scratch;
mod shared;
mod split;
mod task;
#[cfg(test)]
mod tests;
mod transpose;
mod visit;
mod word;

pub use int8::Int8;
pub(super) use int8::multiplies as multiplies_int8;
pub(super) use kernel::PANEL;
pub(super) use left::{ALIAS_BYTES, BLOCK_BYTES, LeftShape, copied_bytes};
pub use panels::{Panels, PanelsView};
pub use saturate::saturate;
pub(super) use shared::shared_bytes;
pub use transpose::transpose;

use super::isa::Isa;
use super::pool::Pool;
use super::view::{Mat, MatMut};
pub use crate::program::Precision;
use word::Form;

/// The right operand of a product: K × N as the product sees it.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a> {
    /// An (N, K) matrix, used transposed: `y = x · Wᵀ`.
    Rows(Mat<'a>),
    /// A (K, N) matrix: `dx = dy · W`.
    Columns(Mat<'a>),
    /// Packed rows, (N, K), used as [`Operand::Rows`].
    Panels(PanelsView<'a>),
    /// Packed rows, (K, N), used as [`Operand::Columns`] and repacked in cache.
    PanelsTransposed(PanelsView<'a>),
    /// Rows in bytes, (N, K), used as [`Operand::Rows`]. The left side is rounded to bytes, too.
    Int8(&'a Int8),
    /// Rows in bytes, (K, N), used as [`Operand::Columns`].
    Int8Transposed(&'a Int8),
}

impl Operand<'_> {
    /// Length of the contraction.
    pub fn k(&self) -> usize {
        match self {
            Self::Rows(mat) => mat.cols,
            Self::Columns(mat) => mat.rows,
            Self::Panels(panels) => panels.k(),
            Self::PanelsTransposed(panels) => panels.n(),
            Self::Int8(weight) => weight.k(),
            Self::Int8Transposed(weight) => weight.n(),
        }
    }

    /// Columns of C.
    pub fn n(&self) -> usize {
        match self {
            Self::Rows(mat) => mat.rows,
            Self::Columns(mat) => mat.cols,
            Self::Panels(panels) => panels.n(),
            Self::PanelsTransposed(panels) => panels.k(),
            Self::Int8(weight) => weight.n(),
            Self::Int8Transposed(weight) => weight.k(),
        }
    }

    /// Columns `at..at + n` of what the product sees.
    ///
    /// # Panics
    /// If they do not exist, or cut panels.
    pub fn columns(self, at: usize, n: usize) -> Self {
        match self {
            Self::Rows(mat) => Self::Rows(mat.rows(at, n)),
            Self::Columns(mat) => Self::Columns(mat.columns(at, n)),
            Self::Panels(panels) => Self::Panels(panels.rows(at..at + n)),
            Self::PanelsTransposed(_) | Self::Int8(_) | Self::Int8Transposed(_) => {
                unreachable!("columns of a packed operand that nobody takes apart")
            }
        }
    }
}

/// One product of the sum.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The left operand, (M, K).
    pub a: Mat<'a>,
    /// The right operand, K × N.
    pub b: Operand<'a>,
}

impl Segment<'_> {
    /// Whether both sides are multiplied as bytes.
    fn is_int8(&self) -> bool {
        matches!(self.b, Operand::Int8(_) | Operand::Int8Transposed(_))
    }

    /// Words of its contraction in a product of words of `form`.
    fn words(&self, form: Form) -> usize {
        if self.is_int8() { int8::words(self.a.cols) } else { form.words(self.a.cols) }
    }
}

/// What happens to the sum on its way to memory: `scale · sum + bias + add (+ C)`.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// Factor of the sum; bias and residual are not scaled.
    pub scale: f32,
    /// Added to every row, (N).
    pub bias: Option<&'a [f32]>,
    /// A residual, (M, N). It may be C itself.
    pub add: Option<Mat<'a>>,
    /// Adds to what C holds instead of replacing it.
    pub accumulate: bool,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Self { scale: 1.0, bias: None, add: None, accumulate: false }
    }
}

/// One product and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// What is multiplied and summed.
    pub segments: &'a [Segment<'a>],
    /// What happens to the sum.
    pub epilogue: Epilogue<'a>,
    /// The result, (M, N).
    pub c: MatMut<'a>,
}

impl Product<'_> {
    fn check(&self) {
        let Self { segments, epilogue, c } = self;
        for segment in *segments {
            assert_eq!(segment.a.rows, c.rows, "rows of A and of C");
            assert_eq!(segment.a.cols, segment.b.k(), "columns of A and rows of B");
            assert_eq!(segment.b.n(), c.cols, "columns of B and of C");
        }
        if let Some(bias) = epilogue.bias {
            assert_eq!(bias.len(), c.cols, "bias and columns of C");
        }
        if let Some(add) = epilogue.add {
            assert_eq!((add.rows, add.cols), (c.rows, c.cols), "residual and C");
        }
    }
}

/// Computes `C (=|+=) scale · Σ_s A_s · B_s + bias + add`.
///
/// # Shapes
/// C is (M, N); every `a` is (M, K_s) and every `b` is K_s × N. M, N and K may
/// be zero; an empty sum is zero.
///
/// # Panics
/// If the shapes do not fit together, or the processor lacks `isa`.
///
/// # Determinism
/// Bit-equal for any number of threads. Instruction sets differ in the last bits.
pub fn gemm(
    pool: &Pool,
    isa: Isa,
    precision: Precision,
    segments: &[Segment<'_>],
    epilogue: &Epilogue<'_>,
    c: MatMut<'_>,
) {
    gemms(pool, isa, precision, &[Product { segments, epilogue: *epilogue, c }]);
}

/// Several products at once, whose results lie apart; what none of them waits for is shared out together.
///
/// # Panics
/// As [`gemm`].
pub fn gemms(pool: &Pool, isa: Isa, precision: Precision, products: &[Product<'_>]) {
    assert!(isa.is_present(), "this processor lacks {isa}");
    products.iter().for_each(Product::check);
    let is_empty = |product: &Product<'_>| product.c.rows == 0 || product.c.cols == 0;
    if products.iter().any(is_empty) {
        let rest: Vec<_> = products.iter().filter(|product| !is_empty(product)).copied().collect();
        return job::run(pool, isa, precision, &rest);
    }
    job::run(pool, isa, precision, products);
}
