//! A few rows of A times rows of B where they are stored: decoding reads every
//! weight once, and packing it first would cost more than using it.

use super::{PANEL, Simd, Strip, Tile};

/// The most rows of A for which B is read in place.
pub(in super::super) const STREAM_ROWS: usize = 4;

/// As [`super::tile::multiply`] for one strip whose `b_stride` is not zero.
///
/// # Safety
/// The strip must be readable for `rows` rows of A and `cols` rows of B, and
/// the processor must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn stream<S: Simd>(strip: &Strip, rows: usize, cols: usize, tile: *mut Tile, resume: bool) {
    // SAFETY: passed on.
    unsafe {
        match rows {
            1 => columns::<S, 1>(strip, cols, tile, resume),
            2 => columns::<S, 2>(strip, cols, tile, resume),
            3 => columns::<S, 3>(strip, cols, tile, resume),
            4 => columns::<S, 4>(strip, cols, tile, resume),
            _ => unreachable!("a stream of {rows} rows"),
        }
    }
}

/// Room for a vector of any instruction set.
const VECTOR_BYTES: usize = 64;

/// One row of B after the other: memory is read in order, which processors foresee.
#[inline(always)]
unsafe fn columns<S: Simd, const R: usize>(strip: &Strip, cols: usize, tile: *mut Tile, resume: bool) {
    let whole = strip.words - strip.words % S::LANES;
    let end_bytes = (strip.words - whole) * 4;
    // SAFETY: the caller vouches for all words; copies of the ends hold a whole vector.
    unsafe {
        let mut a_ends = [[0_u8; VECTOR_BYTES]; R];
        for row in 0..R {
            let from = strip.a.add(row * strip.a_stride + whole * 4);
            std::ptr::copy_nonoverlapping(from, a_ends[row].as_mut_ptr(), end_bytes);
        }
        for col in 0..cols {
            let b = strip.b.add(col * strip.b_stride);
            let mut acc = [S::zero(); R];
            for word in (0..whole).step_by(S::LANES) {
                let right = S::words(b.add(word * 4).cast());
                for row in 0..R {
                    let left = S::words(strip.a.add(row * strip.a_stride + word * 4).cast());
                    acc[row] = acc[row].multiply_add(left, right);
                }
            }
            if end_bytes > 0 {
                let mut end = [0_u8; VECTOR_BYTES];
                std::ptr::copy_nonoverlapping(b.add(whole * 4), end.as_mut_ptr(), end_bytes);
                for row in 0..R {
                    let left = S::words(a_ends[row].as_ptr().cast());
                    acc[row] = acc[row].multiply_add(left, S::words(end.as_ptr().cast()));
                }
            }
            for row in 0..R {
                let to = tile.cast::<f32>().add(row * PANEL + col);
                let earlier = if resume { *to } else { 0.0 };
                *to = earlier + total(acc[row]);
            }
        }
    }
}

/// The sum of the lanes, halves first.
#[inline(always)]
unsafe fn total<S: Simd>(sums: S) -> f32 {
    let mut lanes = [0.0_f32; VECTOR_BYTES / 4];
    // SAFETY: there is room for a vector.
    unsafe { sums.store(lanes.as_mut_ptr()) };
    // Constant lengths: this compiles to shuffles in registers.
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}
