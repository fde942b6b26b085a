//! Frozen weights that lie in memory somebody else keeps: a mapped file.
//!
//! A device gives away the bytes of a packed weight and takes them back from wherever they were put.
//! The engine knows no file; it knows that some bytes take a while to be there, and says when it will
//! want them.

use std::fmt;

use crate::coding::{Coding, Outer};
use crate::program::DType;

/// Bytes that somebody else keeps. They stay where they are and what they are.
pub trait Lent: fmt::Debug + Send + Sync {
    /// All of them, beginning on a cache line.
    fn bytes(&self) -> &[u8];

    /// They will be read soon.
    fn ahead(&self) {}

    /// They will not be read for a while.
    fn away(&self) {}
}

/// What the bytes of a packed weight are.
#[derive(Debug, Clone, PartialEq)]
pub struct Packing {
    /// Rows, N.
    pub rows: usize,
    /// Columns, K.
    pub cols: usize,
    /// What its numbers are rounded to where they are used: bf16 or f32.
    pub dtype: DType,
    /// What the integers mean where it is coded, and the scales that the whole weight shares.
    pub coded: Option<(Coding, Outer)>,
}

/// A frozen weight as a device has it.
#[derive(Debug, Clone)]
pub struct Packed<'a> {
    /// What it is.
    pub packing: Packing,
    /// Its bytes.
    pub bytes: &'a [u8],
}
