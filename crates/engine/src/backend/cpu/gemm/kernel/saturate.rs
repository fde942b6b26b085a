//! As many products as a core can do: what every kernel is measured against.

use super::{Simd, TILE_ROWS};

/// Multiplies two words from registers into a tile of sums, `rounds` times, and returns one of them.
///
/// # Safety
/// The processor must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn saturate<S: Simd, const V: usize>(rounds: usize) -> f32 {
    // 2⁻⁷ twice as bf16, and an ordinary small number as f32. The compiler may not know that all
    // sums are alike, or it would keep one of them.
    let words = std::hint::black_box([0x3c00_3c00_u32; 16]);
    let start = std::hint::black_box([0.0_f32; 16]);
    let mut end = [0.0_f32; 16];
    // SAFETY: loads and stores stay within sixteen words, the most a vector has.
    unsafe {
        let (a, b) = (S::splat(words.as_ptr().cast()), S::words(words.as_ptr()));
        let mut sums = [[S::load(std::hint::black_box(start.as_ptr())); V]; TILE_ROWS];
        for row in 0..S::ROWS {
            for v in 0..V {
                sums[row][v] = S::load(std::hint::black_box(start.as_ptr()));
            }
        }
        for _ in 0..rounds {
            for row in 0..S::ROWS {
                for v in 0..V {
                    sums[row][v] = sums[row][v].multiply_add(a, b);
                }
            }
        }
        let mut total = 0.0;
        for row in 0..S::ROWS {
            for v in 0..V {
                sums[row][v].store(end.as_mut_ptr());
                total += end[0];
            }
        }
        total
    }
}
