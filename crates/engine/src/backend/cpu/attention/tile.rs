//! The small matrix product that attention is made of.
//!
//! C (rows × 32) = or += A (rows × depth) · B (depth × 32), where A and B hold
//! 32-bit *words* and a word is one f32 or a pair of bf16 that are neighbours
//! along the depth. Either way one instruction multiplies a word of A, repeated,
//! with a vector of words of B, so both arithmetics share every loop and layout.

use super::super::isa::Isa;
use super::super::row::rounded_bits;
use super::super::simd::{Fused, Simd, Split};

/// Columns of every product.
pub(super) const COLS: usize = 32;

/// What becomes of what C holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    /// It is replaced by the product.
    Replace,
    /// The product is added to it.
    Add,
    /// Its columns are multiplied by these 32 factors, then the product is added.
    Scaled(*const [f32; COLS]),
}

/// The operands of a product, by address.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// Words of A, the next row `a_bytes` further; any alignment.
    pub(super) a: *const u8,
    pub(super) a_bytes: usize,
    /// Words of B, row after row.
    pub(super) b: *const u32,
    pub(super) depth: usize,
    /// Numbers of C, the next row `c_stride` numbers further.
    pub(super) c: *mut f32,
    pub(super) c_stride: usize,
    pub(super) into: Into,
}

impl Operands {
    #[inline(always)]
    unsafe fn word(&self, row: usize, k: usize) -> u32 {
        // SAFETY: the caller stays inside A.
        unsafe { self.a.add(row * self.a_bytes + 4 * k).cast::<u32>().read_unaligned() }
    }

    /// The same operands from row `row` on.
    #[inline(always)]
    fn below(mut self, row: usize) -> Self {
        self.a = self.a.wrapping_add(row * self.a_bytes);
        self.c = self.c.wrapping_add(row * self.c_stride);
        self
    }
}

/// How words are multiplied, and what plain loops beside the products may assume.
pub(super) trait Arith {
    /// Numbers in a word.
    const PER_WORD: usize;
    /// Most rows that fit the registers.
    const ROWS: usize;
    /// For the loops between the products.
    type Loops: Simd;

    /// `R` rows of a product.
    ///
    /// # Safety
    /// Every word and number addressed must exist, C exclusively, and the
    /// processor must have the instructions.
    unsafe fn tile<const R: usize>(op: Operands);

    /// `to[col][row] = from[row][col]` for a block of 16 × 16 words.
    ///
    /// # Safety
    /// As for [`Arith::tile`]; strides are in words.
    #[inline(always)]
    unsafe fn transpose_16(from: *const u32, from_stride: usize, to: *mut u32, to_stride: usize) {
        for (row, col) in (0..16).flat_map(|row| (0..16).map(move |col| (row, col))) {
            // SAFETY: the caller promised both blocks.
            unsafe { *to.add(col * to_stride + row) = *from.add(row * from_stride + col) };
        }
    }

    /// Two rows of numbers as one row of words, each a pair along the column.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[inline(always)]
    unsafe fn interleave(first: &[f32; COLS], second: &[f32; COLS], words: &mut [u32; COLS]) {
        for col in 0..COLS {
            words[col] = (rounded_bits(first[col]) >> 16) | (rounded_bits(second[col]) & 0xffff_0000);
        }
    }

    /// Words that pair numbers along two rows, as words that pair one number of each row.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[inline(always)]
    unsafe fn pair_words(first: &[u32; 16], second: &[u32; 16], into: &mut [u32; 32]) {
        for ((words, first), second) in into.as_chunks_mut().0.iter_mut().zip(first).zip(second) {
            *words = pair(*first, *second);
        }
    }

    /// A row of numbers as `COLS / PER_WORD` words, each of neighbours along the row.
    ///
    /// # Safety
    /// The processor must have the instructions.
    #[inline(always)]
    unsafe fn narrow(row: &[f32; COLS], words: &mut [u32]) {
        words.copy_from_slice(&row.map(f32::to_bits));
    }

    /// A product of any number of rows.
    ///
    /// # Safety
    /// As for [`Arith::tile`].
    #[inline(always)]
    unsafe fn product(rows: usize, op: Operands) {
        let mut row = 0;
        // SAFETY: every call addresses rows below `rows`.
        unsafe {
            while Self::ROWS == 8 && row + 8 <= rows {
                Self::tile::<8>(op.below(row));
                row += 8;
            }
            while row + 4 <= rows {
                Self::tile::<4>(op.below(row));
                row += 4;
            }
            while row < rows {
                Self::tile::<1>(op.below(row));
                row += 1;
            }
        }
    }
}

/// (a, b), (c, d) become (a, c), (b, d).
#[inline(always)]
pub(super) fn pair(first: u32, second: u32) -> [u32; 2] {
    [(first & 0xffff) | (second << 16), (first >> 16) | (second & 0xffff_0000)]
}

/// Something to be done with the best arithmetic available.
pub(super) trait Work {
    fn run<A: Arith>(self);
}

/// Runs `work` with the arithmetic that suits the processor and the storage of its inputs.
pub(super) fn dispatch(isa: Isa, all_bf16: bool, work: impl Work) {
    debug_assert!(isa.is_present(), "this processor has no {isa}");
    match (isa, all_bf16) {
        // SAFETY: an `Isa` is chosen among those this processor has.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16, true) => unsafe { x86::avx512_bf16(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16 | Isa::Avx512, _) => unsafe { x86::avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => unsafe { x86::avx2(work) },
        (Isa::NeonBf16 | Isa::Neon, _) => work.run::<Plain<Fused>>(),
        _ => work.run::<Plain<Split>>(),
    }
}

/// f32 words in loops that the compiler turns into vectors of the base instruction set.
struct Plain<S>(std::marker::PhantomData<S>);

impl<S: Simd> Arith for Plain<S> {
    const PER_WORD: usize = 1;
    const ROWS: usize = 4;
    type Loops = S;

    #[inline(always)]
    unsafe fn tile<const R: usize>(op: Operands) {
        for col in (0..COLS).step_by(8) {
            let mut acc = [[0.0_f32; 8]; R];
            // SAFETY: the caller promised A, B and C.
            unsafe {
                if op.into != Into::Replace {
                    for (row, acc) in acc.iter_mut().enumerate() {
                        *acc = *op.c.add(row * op.c_stride + col).cast::<[f32; 8]>();
                    }
                }
                if let Into::Scaled(factors) = op.into {
                    let factors = *factors.cast::<f32>().add(col).cast::<[f32; 8]>();
                    for acc in &mut acc {
                        for idx in 0..8 {
                            acc[idx] *= factors[idx];
                        }
                    }
                }
                for k in 0..op.depth {
                    let b = *op.b.add(k * COLS + col).cast::<[f32; 8]>();
                    for (row, acc) in acc.iter_mut().enumerate() {
                        let a = f32::from_bits(op.word(row, k));
                        for idx in 0..8 {
                            acc[idx] = S::fma(a, b[idx], acc[idx]);
                        }
                    }
                }
                for (row, acc) in acc.iter().enumerate() {
                    *op.c.add(row * op.c_stride + col).cast::<[f32; 8]>() = *acc;
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;
