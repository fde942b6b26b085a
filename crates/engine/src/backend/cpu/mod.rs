//! The processor: fast kernels, chosen at run time by instruction set.

#![expect(unsafe_code, reason = "kernels work on raw memory and processor intrinsics")]

pub mod isa;
pub mod pool;
pub mod view;
