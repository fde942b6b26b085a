//! Products with weights in bytes, made ready for a job.

use super::super::scratch::Held;
use super::super::{Operand, Product, Segment};
use super::rows::Rows;
use super::weight::Int8;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::Mat;

/// The left operands of a job in bytes, and the weights of their kept columns.
pub(in super::super) struct Lowered<'a> {
    rows: Vec<Made<'a>>,
    /// Product, segment, and (kept, N) weights.
    weights: Vec<(usize, usize, Held)>,
}

/// A left operand, and the weight whose scales its columns have taken over, if there is one.
struct Made<'a> {
    mat: Mat<'a>,
    scaled: Option<&'a Int8>,
    rows: Rows,
}

/// The weight of a segment in bytes, and whether its scales belong to the left side.
fn weight_of<'a>(segment: &Segment<'a>) -> Option<(&'a Int8, bool)> {
    match segment.b {
        Operand::Int8(weight) => Some((weight, false)),
        Operand::Int8Transposed(weight) => Some((weight, true)),
        _ => None,
    }
}

impl<'a> Lowered<'a> {
    /// Rounds every left operand of a weight in bytes, once.
    pub(in super::super) fn new(pool: &Pool, isa: Isa, products: &[Product<'a>]) -> Self {
        let mut lowered = Self { rows: Vec::new(), weights: Vec::new() };
        for (idx, product) in products.iter().enumerate() {
            for (place, segment) in product.segments.iter().enumerate() {
                let Some((weight, is_turned)) = weight_of(segment) else { continue };
                let at = lowered.make(pool, isa, segment.a, is_turned.then_some(weight));
                let kept = &lowered.rows[at].rows.kept;
                if !kept.is_empty() {
                    lowered.weights.push((idx, place, kept_weights(weight, is_turned, kept)));
                }
            }
        }
        lowered
    }

    /// Whether no product of the job has a weight in bytes.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn make(&mut self, pool: &Pool, isa: Isa, mat: Mat<'a>, scaled: Option<&'a Int8>) -> usize {
        if let Some(at) = self.find(&mat, scaled) {
            return at;
        }
        let rows = Rows::new(pool, isa, mat, scaled.map(Int8::scales));
        self.rows.push(Made { mat, scaled, rows });
        self.rows.len() - 1
    }

    fn find(&self, mat: &Mat<'_>, scaled: Option<&Int8>) -> Option<usize> {
        let address = |weight: Option<&Int8>| weight.map(std::ptr::from_ref);
        let is_same = |made: &Made<'_>| made.mat.is_same(mat) && address(made.scaled) == address(scaled);
        self.rows.iter().position(is_same)
    }

    /// The left operand of a segment in bytes.
    pub(in super::super) fn rows(&self, segment: &Segment<'_>) -> Option<&Rows> {
        let (weight, is_turned) = weight_of(segment)?;
        let at = self.find(&segment.a, is_turned.then_some(weight))?;
        Some(&self.rows[at].rows)
    }

    /// The segments of every product, with those of kept columns behind them.
    pub(in super::super) fn segments<'s>(&'s self, products: &[Product<'s>]) -> Vec<Vec<Segment<'s>>> {
        let mut all: Vec<Vec<Segment<'s>>> =
            products.iter().map(|product| product.segments.to_vec()).collect();
        for (product, place, weights) in &self.weights {
            let Some(rows) = self.rows(&products[*product].segments[*place]) else { continue };
            let (kept, n) = (rows.kept.len(), products[*product].c.cols);
            let b = Operand::Columns(Mat::f32(weights.floats(kept * n), kept, n));
            all[*product].push(Segment { a: rows.apart(), b });
        }
        all
    }
}

/// What a product multiplies kept columns with, (kept, N).
fn kept_weights(weight: &Int8, is_turned: bool, kept: &[usize]) -> Held {
    let n = if is_turned { weight.k() } else { weight.n() };
    let mut weights = Held::new(kept.len() * n);
    for (to, &at) in weights.floats_mut(kept.len() * n).chunks_exact_mut(n.max(1)).zip(kept) {
        match is_turned {
            true => weight.row(at, to),
            false => weight.column(at, to),
        }
    }
    weights
}
