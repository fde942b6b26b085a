//! Plain loops for every processor, and the pattern the others follow.

use super::{Simd, table};

/// Four sums, so that compilers find their baseline vectors by themselves.
#[derive(Clone, Copy)]
struct Plain([f32; 4]);

impl Simd for Plain {
    type Words = [f32; 4];
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives four floats, here and below.
        Self(unsafe { from.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 4]>().write(self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> [f32; 4] {
        unsafe { from.cast::<[f32; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> [f32; 4] {
        [unsafe { from.cast::<f32>().read_unaligned() }; 4]
    }

    #[inline(always)]
    unsafe fn multiply_add(mut self, a: [f32; 4], b: [f32; 4]) -> Self {
        for lane in 0..4 {
            // Not `mul_add`: without the instruction that is a library call.
            self.0[lane] += a[lane] * b[lane];
        }
        self
    }
}

table!(PLAIN, Plain, 2,);
