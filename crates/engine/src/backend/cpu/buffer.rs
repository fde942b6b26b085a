//! What a device holds for a tensor.

use super::gemm::{Int8, Panels};
use super::memory::Memory;
use crate::backend::Packed;

/// Memory of a tensor.
#[derive(Debug)]
pub(super) enum Buffer {
    /// Row-major numbers.
    Plain(Memory),
    /// A frozen weight in the order the products read it.
    Packed(Panels),
    /// A frozen weight in bytes.
    Int8(Int8),
    /// Frozen weights of one shape below each other: those of experts.
    Joined(Vec<Buffer>),
}

impl Buffer {
    /// The bytes of what is packed, part by part.
    pub(super) fn packed(&self) -> Vec<Packed<'_>> {
        match self {
            Self::Plain(_) | Self::Int8(_) => Vec::new(),
            Self::Packed(panels) => vec![panels.packed()],
            Self::Joined(parts) => parts.iter().flat_map(Self::packed).collect(),
        }
    }

    /// Says of what is lent that it will be read soon.
    pub(super) fn ahead(&self) {
        match self {
            Self::Plain(_) | Self::Int8(_) => {}
            Self::Packed(panels) => panels.ahead(),
            Self::Joined(parts) => parts.iter().for_each(Self::ahead),
        }
    }

    /// Says of what is lent that it will not be read for a while.
    pub(super) fn away(&self) {
        match self {
            Self::Plain(_) | Self::Int8(_) => {}
            Self::Packed(panels) => panels.away(),
            Self::Joined(parts) => parts.iter().for_each(Self::away),
        }
    }

    /// Reads all numbers of a frozen weight, part by part; plain parts are f32.
    pub(super) fn read_frozen(&self, out: &mut [f32]) {
        match self {
            Self::Packed(panels) => panels.read(out),
            Self::Int8(weight) => weight.read(out),
            // SAFETY: `at` checks the range; `out` is another object.
            Self::Plain(memory) => unsafe {
                let from = memory.at(0, 4 * out.len()).cast();
                std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), out.len());
            },
            Self::Joined(parts) => {
                let n_numbers = (out.len() / parts.len().max(1)).max(1);
                parts.iter().zip(out.chunks_mut(n_numbers)).for_each(|(part, out)| part.read_frozen(out));
            }
        }
    }
}
