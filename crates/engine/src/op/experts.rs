//! Rows of tokens sorted by expert, and what the experts made of them put back.
//!
//! A token goes to k experts, so M tokens make exactly M·k rows: nothing is dropped, and what an
//! expert gets varies from run to run while the number of all rows does not. With e the experts of
//! a token's choices:
//!
//! ```text
//! sort      sorted row s = place of (token t, choice c): first by e, then by t, then by c
//! spread    x'[s] = x[t]                                         (M·k, D)
//! experts   y'[s] = what expert e makes of x'[s]                 grouped linears
//! combine   y[t] = add[t] + Σ_c w[t, c] · y'[place of (t, c)]    (M, D)
//! ```
//!
//! Backwards: `dy'[s] = w · dy[t]` and `dw[t, c] = dy[t] · y'[s]`; that of the spread is a sum
//! without weights.
//!
//! # Source
//! Gale et al., "MegaBlocks: Efficient Sparse Training with Mixture-of-Experts", 2022, arXiv
//! 2211.15841, section 4.

mod combine;

pub use combine::{CombineRows, CombineRowsBackward};

use super::{Access, Host, Operation, Real, expect, expect_cols, expect_ids, expect_reals, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Sorts the choices of all tokens by expert.
#[derive(Debug, Clone, PartialEq)]
pub struct SortRows {
    /// The experts of every token, (M, k) ids.
    pub experts: TensorId,
    /// The first sorted row of each of X experts, and the number of all, (1, X + 1) ids.
    pub bounds: TensorId,
    /// The token of each sorted row, (M·k, 1) ids.
    pub tokens: TensorId,
    /// The sorted row of each choice, (M, k) ids.
    pub places: TensorId,
}

/// Lays the row of each token where its choices were sorted to.
#[derive(Debug, Clone, PartialEq)]
pub struct SpreadRows {
    /// A row for each token, (M, D).
    pub x: TensorId,
    /// The token of each sorted row, (M·k, 1) ids.
    pub tokens: TensorId,
    /// The sorted row of each choice, (M, k) ids: what the derivative reads.
    pub places: TensorId,
    /// Result, (M·k, D).
    pub y: TensorId,
}

impl Operation for SortRows {
    const NAME: &'static str = "sort_rows";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.experts);
        for tensor in [&mut self.bounds, &mut self.tokens, &mut self.places] {
            visitor(Access::Write, tensor);
        }
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        for tensor in [self.experts, self.bounds, self.tokens, self.places] {
            expect_ids(Self::NAME, program, tensor)?;
        }
        expect_rows(Self::NAME, program, self.places, self.experts)?;
        expect_cols(Self::NAME, program, self.places, program.cols(self.experts))?;
        expect_cols(Self::NAME, program, self.tokens, 1)?;
        let choices = program.rows(self.experts) * program.cols(self.experts);
        expect(Self::NAME, program, self.tokens, "rows", program.rows(self.tokens), choices)
    }

    fn flops(&self, _program: &Program, _extent: Extent) -> u64 {
        0
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (n_experts, per_token) = (host.cols(self.bounds) - 1, host.cols(self.experts));
        let experts = host.ids(self.experts).to_vec();
        let (mut bounds, mut tokens, mut places) = (vec![0], Vec::new(), vec![0; experts.len()]);
        for expert in 0..n_experts {
            for choice in (0..experts.len()).filter(|choice| experts[*choice] as usize == expert) {
                places[choice] = tokens.len() as u32;
                tokens.push((choice / per_token) as u32);
            }
            bounds.push(tokens.len() as u32);
        }
        host.set_ids(self.bounds, bounds);
        host.set_ids(self.tokens, tokens);
        host.set_ids(self.places, places);
    }
}

impl Operation for SpreadRows {
    const NAME: &'static str = "spread_rows";
    const CHEAP: bool = true;

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        for tensor in [&mut self.x, &mut self.tokens, &mut self.places] {
            visitor(Access::Read, tensor);
        }
        visitor(Access::Write, &mut self.y);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_reals(Self::NAME, program, self.x)?;
        expect_reals(Self::NAME, program, self.y)?;
        expect_ids(Self::NAME, program, self.tokens)?;
        expect_ids(Self::NAME, program, self.places)?;
        expect_rows(Self::NAME, program, self.places, self.x)?;
        expect_rows(Self::NAME, program, self.y, self.tokens)?;
        expect_cols(Self::NAME, program, self.y, program.cols(self.x))
    }

    fn flops(&self, _program: &Program, _extent: Extent) -> u64 {
        0
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let tokens = host.ids(self.tokens).iter();
        let y = tokens.flat_map(|&token| host.row(self.x, token as usize)).copied().collect();
        host.put(self.y, y);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dy) = derive.gradient(self.y) else { return };
        let add = derive.gradient(self.x);
        let Some(dx) = derive.replace_gradient(self.x) else { return };
        derive.emit(CombineRows { x: dy, weights: None, places: self.places, add, y: dx });
    }
}
