//! Panels given away as bytes, and made of bytes that somebody else keeps.

use super::super::scratch::Lines;
use super::{Coded, Form, PANEL, Panels, Store};
use crate::backend::{Lent, Packed, Packing};
use crate::coding::OUTER_CHUNKS;
use crate::program::DType;
use std::sync::Arc;

/// Where a line may begin.
const ALIGN: usize = 64;

impl Panels {
    /// What they are, and their bytes.
    pub fn packed(&self) -> Packed<'_> {
        let (dtype, coded) = match &self.store {
            Store::Words(Form::Pairs) => (DType::Bf16, None),
            Store::Words(Form::Floats | Form::RoundedFloats) => (DType::F32, None),
            Store::Codes(coded) => {
                let dtype = if coded.rounds { DType::Bf16 } else { DType::F32 };
                (dtype, Some((coded.coding, coded.outer().clone())))
            }
        };
        let packing = Packing { rows: self.n, cols: self.k, dtype, coded };
        Packed { packing, bytes: self.lines.bytes() }
    }

    /// Panels whose bytes lie elsewhere.
    ///
    /// # Errors
    /// How many bytes there should be, or what else is wrong with them.
    pub fn from_lent(packing: &Packing, lent: Arc<dyn Lent>) -> Result<Self, String> {
        let Packing { rows: n, cols: k, dtype, coded } = packing;
        let store = match coded {
            None if *dtype == DType::Bf16 => Store::Words(Form::Pairs),
            None => Store::Words(Form::Floats),
            Some((coding, outer)) => {
                let chunks = n.checked_mul(*k).ok_or("fewer numbers")? / coding.chunk();
                let n_outer = if coding.has_outer() { chunks.div_ceil(OUTER_CHUNKS) } else { 0 };
                if !k.is_multiple_of(coding.chunk()) || outer.scales.len() != n_outer {
                    return Err(format!("rows of whole chunks of {coding} and {n_outer} outer scales"));
                }
                Store::Codes(Coded::adopted(*coding, *dtype, outer.clone()))
            }
        };
        let panel_bytes = match &store {
            Store::Words(form) => form.words(*k).checked_mul(PANEL * 4),
            Store::Codes(coded) => Some(coded.panel_bytes(*k)),
        };
        let expected = panel_bytes.and_then(|bytes| bytes.checked_mul(n.div_ceil(PANEL)));
        let expected = expected.map(|bytes| bytes.next_multiple_of(ALIGN)).ok_or("fewer numbers")?;
        if lent.bytes().len() != expected {
            return Err(format!("{expected}"));
        }
        if !(lent.bytes().as_ptr() as usize).is_multiple_of(ALIGN) {
            return Err(format!("{expected} that begin on a cache line"));
        }
        Ok(Self { lines: Lines::Lent(lent), store, n: *n, k: *k })
    }

    /// They will be read soon.
    pub fn ahead(&self) {
        if let Lines::Lent(lent) = &self.lines {
            lent.ahead();
        }
    }

    /// They will not be read for a while.
    pub fn away(&self) {
        if let Lines::Lent(lent) = &self.lines {
            lent.away();
        }
    }
}
