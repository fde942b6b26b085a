//! Products of a frozen base in bytes: `y ≈ (x̂ ∘ s) (Ŵ ∘ t)ᵀ`, summed as integers.
//!
//! Both sides are rounded to whole numbers of −127 … 127, so that four of their products fit into
//! one instruction (`vpdpbusd`) where bf16 fits two and f32 one:
//!
//! ```text
//!   W (N, K)  once:      t[n] = max |W[n, :]| / 127           a scale for each row
//!   x (M, K)  each time: s[m] = max |x[m, :]| / 127           a scale for each row, columns kept apart
//!   y[m, n] = s[m] · t[n] · Σ_k x̂[m, k] · Ŵ[n, k]             the sum is exact
//!
//!   dx = dy · W:  t belongs to what is summed over, so dy is multiplied with it before it is rounded:
//!   dx[m, k] = s'[m] · Σ_n (dy ∘ t)^[m, n] · Ŵ[n, k]
//! ```
//!
//! A few columns of x are many times larger than the others and would take all steps of a byte for
//! themselves. They are *kept*: left out of x̂ and multiplied at the precision of the program, as
//! another segment of the same sum ([`rows::Rows`] chooses them).
//!
//! * `weight` is W in bytes: panels of 32 rows, a word for four neighbours along K. It lies in memory
//!   once; for dx it is turned in cache, as other panels are.
//! * `rows` is x in bytes.
//! * `kernel` multiplies a tile, `x86` says by which instructions. Sums start at −128 Σ x̂, because
//!   the instruction takes one of its sides without a sign: Ŵ + 128.
//! * `lower` makes x̂ and the segments of kept columns before a job of products begins.
//!
//! How large the loss of rounding is depends on the model: `train` holds it against a base that is not
//! rounded.
//!
//! # Source
//! Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", 2022, arXiv
//! 2208.07339, section 3.2 (kept columns). Wortsman et al., "Stable and low-precision training for
//! large-scale vision-language models", 2023, arXiv 2304.13013, section 2 (dx in bytes, with a scale
//! for each row).

mod kernel;
mod lower;
mod rows;
#[cfg(test)]
mod tests;
mod weight;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use kernel::{Factors, Kernel};
pub(super) use lower::Lowered;
pub(super) use rows::Rows;
pub use weight::Int8;

use crate::backend::cpu::isa::Isa;

/// Numbers in a word.
const NUMBERS: usize = 4;

/// Whether there is an instruction for it.
pub(in crate::backend::cpu) fn multiplies(isa: Isa) -> bool {
    Kernel::choose(isa).is_fast
}

/// Words that hold `k` numbers.
pub(super) fn words(k: usize) -> usize {
    k.div_ceil(NUMBERS)
}

/// The largest whole number of a byte that is used.
const MOST: f32 = 127.0;
/// What is added to a weight to make it lose its sign.
const BIAS: i32 = 128;
/// Adding it to a number of moderate size rounds that to a whole one.
const ROUND: f32 = 12_582_912.0;
