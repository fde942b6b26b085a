//! Left operands that are not stored in the form a kernel reads.

use crate::backend::cpu::gemm::kernel::Simd;
use crate::backend::cpu::gemm::word::{self, Form, LINE};
use crate::backend::cpu::view::Mat;

/// Writes the rows of `mat` as words, `stride` words apart.
///
/// # Safety
/// `to` holds the rows, `stride` is at least `form.words(mat.cols)`, and the
/// processor has the instructions of `S`.
#[inline(always)]
pub(in super::super) unsafe fn convert<S: Simd>(mat: Mat<'_>, form: Form, to: *mut u32, stride: usize) {
    for row in 0..mat.rows {
        for first in (0..mat.cols).step_by(LINE) {
            // SAFETY: the row has `count` numbers from `first` on.
            unsafe {
                let to = to.add(row * stride + first / form.numbers());
                match mat.cols - first {
                    LINE.. => line::<S>(mat, row, first, LINE, form, to),
                    count => line::<S>(mat, row, first, count, form, to),
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn line<S: Simd>(mat: Mat<'_>, row: usize, first: usize, count: usize, form: Form, to: *mut u32) {
    // SAFETY: passed on.
    unsafe {
        match form {
            Form::Pairs => {
                let bits = word::read_bf16(mat, row, first, count, |line| S::round(line));
                write(word::pairs(bits), to, form.words(count));
            }
            Form::Floats => write(word::read(mat, row, first, count), to.cast(), count),
            Form::RoundedFloats => {
                let line = word::read(mat, row, first, count).map(|x| word::widen(word::round(x)));
                write(line, to.cast(), count);
            }
        }
    }
}

/// Writes the first `count` words.
#[inline(always)]
unsafe fn write<T: Copy, const N: usize>(line: [T; N], to: *mut T, count: usize) {
    // SAFETY: the caller vouches for `count` words, at most `N`.
    unsafe {
        if count == N {
            to.cast::<[T; N]>().write_unaligned(line);
        } else {
            std::ptr::copy_nonoverlapping(line.as_ptr(), to, count);
        }
    }
}
