//! How a measured model keeps its frozen weights.

use clap::ValueEnum;
use penname_model::{Keeping, Quantizer};

/// How frozen weights are kept in memory.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Base {
    /// As the file has them.
    Stored,
    /// Decoded and rounded.
    Rounded,
    /// Linears in NF4 with doubled scales.
    Nf4,
    /// Linears in Q8_0.
    #[value(name = "q8_0")]
    Q8,
    /// Linears in Q4_0.
    #[value(name = "q4_0")]
    Q4,
    /// Linears in bytes, multiplied as bytes.
    Int8,
}

impl From<Base> for Keeping {
    fn from(base: Base) -> Self {
        match base {
            Base::Stored => Self::Stored,
            Base::Rounded => Self::Rounded,
            Base::Nf4 => Self::Quantized(Quantizer::Nf4),
            Base::Q8 => Self::Quantized(Quantizer::Q8_0),
            Base::Q4 => Self::Quantized(Quantizer::Q4_0),
            Base::Int8 => Self::Int8,
        }
    }
}
