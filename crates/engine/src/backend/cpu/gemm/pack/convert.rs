//! Left operands that are not stored in the form a kernel reads.

use crate::backend::cpu::gemm::kernel::Simd;
use crate::backend::cpu::gemm::word::{self, Form, LINE};
use crate::backend::cpu::view::Mat;

/// Writes the rows of `mat` as words, one row after the other.
///
/// # Safety
/// `to` holds `form.words(mat.cols)` words per row, and the processor has the
/// instructions of `S`.
#[inline(always)]
pub(in super::super) unsafe fn convert<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32) {
    let words = form.words(mat.cols);
    for row in 0..mat.rows {
        for first in (0..mat.cols).step_by(LINE) {
            // SAFETY: the row exists; a line that ends the row writes only the words left.
            unsafe {
                let to = to.add(row * words + first / form.numbers());
                let left = words - first / form.numbers();
                match form {
                    Form::Pairs => {
                        let bits = word::read_bf16(mat, row, first, |line| S::round(line));
                        write(word::pairs(bits), to, left);
                    }
                    Form::Floats => {
                        write(word::read(mat, row, first), to.cast(), left);
                    }
                    Form::RoundedFloats => {
                        let mut line = word::read(mat, row, first);
                        line.iter_mut().for_each(|x| *x = word::widen(word::round(*x)));
                        write(line, to.cast(), left);
                    }
                }
            }
        }
    }
}

/// Writes `N` words, or the `left` that still fit.
#[inline(always)]
unsafe fn write<T: Copy, const N: usize>(line: [T; N], to: *mut T, left: usize) {
    // SAFETY: the caller vouches for `left` words.
    unsafe {
        if left >= N {
            to.cast::<[T; N]>().write_unaligned(line);
        } else {
            std::ptr::copy_nonoverlapping(line.as_ptr(), to, left);
        }
    }
}
