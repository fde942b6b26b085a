//! The processor: fast kernels, chosen at run time by instruction set.

#![expect(unsafe_code, reason = "kernels work on raw memory and processor intrinsics")]

pub mod attention;
mod buffer;
pub mod cached;
mod classify;
mod device;
pub mod elementwise;
pub mod embed;
pub mod experts;
pub mod gate;
pub mod gelu;
pub mod gemm;
mod grouped;
pub mod head_norm;
pub mod isa;
pub mod layer_norm;
mod linear;
pub mod loss;
pub mod magnitude;
pub mod math;
mod memory;
mod mixture;
pub mod norm;
pub mod optimizer;
pub mod pool;
mod prefetch;
pub mod random;
mod room;
pub mod rope;
pub mod route;
mod row;
mod run;
mod simd;
mod tensor;
pub mod view;

pub use device::Cpu;
pub use memory::resident_bytes;
