//! Which instructions this processor has, decided once at run time.

use std::fmt;

/// An instruction set that kernels are written for, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// AVX-512 with the bf16 dot product `vdpbf16ps`.
    Avx512Bf16,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// 64-bit Arm vectors with the bf16 dot product `bfdot`.
    NeonBf16,
    /// 64-bit Arm vectors.
    Neon,
    /// Plain loops, on every processor.
    Scalar,
}

impl Isa {
    /// Every instruction set, best first.
    pub const ALL: [Self; 6] =
        [Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::NeonBf16, Self::Neon, Self::Scalar];

    /// The best instruction set of this processor.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Scalar)
    }

    /// The instruction sets this processor has, best first; `Scalar` is always the last.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_present())
    }

    /// Whether bf16 products run at twice the rate of f32 ones here.
    pub fn has_bf16_dot(self) -> bool {
        matches!(self, Self::Avx512Bf16 | Self::NeonBf16)
    }

    /// What products are best made of with it, and why: `f32 by AVX2: this processor has no bf16
    /// dot product`.
    pub fn products(self) -> String {
        match self.has_bf16_dot() {
            true => format!("bf16 by {self}"),
            false => format!("f32 by {self}: this processor has no bf16 dot product"),
        }
    }

    /// Whether this processor has the instructions.
    pub fn is_present(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_present()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Self::Avx512.is_present() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::NeonBf16 => Self::Neon.is_present() && std::arch::is_aarch64_feature_detected!("bf16"),
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512Bf16 => "AVX-512 with bf16",
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::NeonBf16 => "NEON with bf16",
            Self::Neon => "NEON",
            Self::Scalar => "scalar",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_chosen_is_named_with_its_reason() {
        assert_eq!(Isa::Avx512Bf16.products(), "bf16 by AVX-512 with bf16");
        assert_eq!(Isa::Avx512.products(), "f32 by AVX-512: this processor has no bf16 dot product");
    }
}
