//! Plain loops, compiled once for every instruction set.
//!
//! A kernel is written as an ordinary function over slices; [`kernel!`] compiles
//! its body under each set of processor features, where the compiler turns the
//! loops into that processor's vectors, and picks one of them by [`Isa`].
//! Kernels that need a particular instruction live in `attention/tile/` and `gemm/`.
//!
//! [`Isa`]: super::isa::Isa

/// What plain loops must know about the processor they are compiled for.
pub(super) trait Simd {
    /// `a · b + c`, rounded once where that is one instruction, twice where it is not.
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// Processors with a fused multiply-add.
pub(super) struct Fused;

/// Processors without one: the library's exact emulation would be far slower.
pub(super) struct Split;

impl Simd for Fused {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Simd for Split {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Defines `fn name(isa, args…)` from a body that is generic over one [`Simd`].
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident<$simd:ident>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::backend::cpu::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            use $crate::backend::cpu::isa::Isa;
            use $crate::backend::cpu::simd::{Fused, Simd, Split};

            #[inline(always)]
            fn body<$simd: Simd>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                body::<Fused>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                body::<Fused>($($arg),*)
            }

            debug_assert!(isa.is_present(), "this processor has no {isa}");
            match isa {
                // SAFETY: an `Isa` is chosen among those this processor has.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 | Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2($($arg),*) },
                // Vectors and their fused multiply-add are part of every 64-bit Arm.
                Isa::NeonBf16 | Isa::Neon => body::<Fused>($($arg),*),
                _ => body::<Split>($($arg),*),
            }
        }
    };
}

pub(super) use kernel;
