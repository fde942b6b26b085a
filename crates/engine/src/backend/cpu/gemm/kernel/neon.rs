//! 64-bit Arm: 6 × 16 sums in 24 of 32 registers, with f32 or with bf16 pairs.

use super::{Simd, table};
use std::arch::aarch64::{
    float32x4_t, uint32x4_t, vdupq_n_f32, vdupq_n_u32, vfmaq_f32, vld1q_f32, vld1q_u32, vst1q_f32,
};
use std::arch::asm;

/// Sums of f32 products.
#[derive(Clone, Copy)]
struct Fma(float32x4_t);

/// Sums of bf16 pairs.
#[derive(Clone, Copy)]
struct Dot(float32x4_t);

// SAFETY of all methods: the caller has NEON and vouches for the memory.
impl Simd for Fma {
    type Words = float32x4_t;
    const LANES: usize = 4;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(unsafe { vdupq_n_f32(0.0) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> float32x4_t {
        unsafe { vld1q_f32(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> float32x4_t {
        unsafe { vdupq_n_f32(from.cast::<f32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, a: float32x4_t, b: float32x4_t) -> Self {
        Self(unsafe { vfmaq_f32(self.0, a, b) })
    }
}

// SAFETY of all methods: the caller has NEON with bf16 and vouches for the memory.
impl Simd for Dot {
    type Words = uint32x4_t;
    const LANES: usize = 4;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(unsafe { vdupq_n_f32(0.0) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) };
    }

    #[inline(always)]
    unsafe fn words(from: *const u32) -> uint32x4_t {
        unsafe { vld1q_u32(from) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> uint32x4_t {
        unsafe { vdupq_n_u32(from.cast::<u32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, a: uint32x4_t, b: uint32x4_t) -> Self {
        let mut sum = self.0;
        // The intrinsic is not stable yet; its one instruction is.
        unsafe {
            asm!(
                "bfdot {sum:v}.4s, {a:v}.8h, {b:v}.8h",
                sum = inlateout(vreg) sum,
                a = in(vreg) a,
                b = in(vreg) b,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        Self(sum)
    }
}

table!(FMA, Fma, 4, #[target_feature(enable = "neon")]);
table!(DOT, Dot, 4, #[target_feature(enable = "neon,bf16")]);
