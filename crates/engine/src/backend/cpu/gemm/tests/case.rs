//! Products to check: their operands, the plain loop that defines the result,
//! and the comparison on every instruction set.

use super::super::{Epilogue, Isa, Mat, MatMut, Operand, Panels, Pool, Precision, Segment, gemm};
use crate::backend::cpu::view::Elem;
use half::bf16;
use std::num::NonZeroUsize;

/// What a canary looks like in memory, as f32 and as bf16.
const CANARY: f32 = -12345.0;

pub(super) fn pool(threads: usize) -> Pool {
    Pool::new(NonZeroUsize::new(threads).unwrap())
}

/// Numbers in −1..1 from a small generator.
pub(super) fn numbers(seed: usize, len: usize) -> Vec<f32> {
    let mut state = seed as u64 * 2 + 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A matrix that owns its numbers, inside a larger buffer full of canaries.
#[derive(Clone, PartialEq)]
pub(super) struct Owned {
    pub(super) elem: Elem,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) stride: usize,
    pub(super) floats: Vec<f32>,
    pub(super) halves: Vec<bf16>,
}

impl Owned {
    pub(super) fn new(elem: Elem, rows: usize, cols: usize, seed: usize) -> Self {
        let stride = cols + 1 + seed % 3;
        let mut floats = vec![CANARY; (rows + 2) * stride];
        for (row, line) in numbers(seed, rows * cols).chunks(cols.max(1)).enumerate() {
            floats[(row + 1) * stride..][..cols].copy_from_slice(line);
        }
        let halves = floats.iter().map(|&x| bf16::from_f32(x)).collect();
        Self { elem, rows, cols, stride, floats, halves }
    }

    pub(super) fn mat(&self) -> Mat<'_> {
        match self.elem {
            Elem::F32 => Mat::f32(&self.floats, self.rows + 2, self.stride),
            Elem::Bf16 => Mat::bf16(&self.halves, self.rows + 2, self.stride),
        }
        .rows(1, self.rows)
        .columns(0, self.cols)
    }

    pub(super) fn mat_mut(&mut self) -> MatMut<'_> {
        match self.elem {
            Elem::F32 => MatMut::f32(&mut self.floats, self.rows + 2, self.stride),
            Elem::Bf16 => MatMut::bf16(&mut self.halves, self.rows + 2, self.stride),
        }
        .rows(1, self.rows)
        .columns(0, self.cols)
    }

    /// The number as a product of `precision` sees it.
    pub(super) fn get(&self, row: usize, col: usize, precision: Precision) -> f64 {
        let x = self.mat().get(row, col);
        f64::from(if precision == Precision::Bf16 { bf16::from_f32(x).to_f32() } else { x })
    }

    pub(super) fn has_intact_canaries(&self) -> bool {
        let mat = match self.elem {
            Elem::F32 => Mat::f32(&self.floats, self.rows + 2, self.stride),
            Elem::Bf16 => Mat::bf16(&self.halves, self.rows + 2, self.stride),
        };
        let canary = bf16::from_f32(CANARY).to_f32();
        let is_outside = |row: usize, col: usize| row == 0 || row > self.rows || col >= self.cols;
        (0..mat.rows).all(|row| {
            (0..mat.cols).all(|col| !is_outside(row, col) || [CANARY, canary].contains(&mat.get(row, col)))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Rows,
    Columns,
    Panels(Precision),
    PanelsTransposed(Precision),
}

pub(super) const KINDS: [Kind; 6] = [
    Kind::Rows,
    Kind::Columns,
    Kind::Panels(Precision::F32),
    Kind::Panels(Precision::Bf16),
    Kind::PanelsTransposed(Precision::F32),
    Kind::PanelsTransposed(Precision::Bf16),
];

impl Kind {
    fn is_k_by_n(self) -> bool {
        matches!(self, Self::Columns | Self::PanelsTransposed(_))
    }

    fn panels(self) -> Option<Precision> {
        match self {
            Self::Panels(precision) | Self::PanelsTransposed(precision) => Some(precision),
            Self::Rows | Self::Columns => None,
        }
    }

    fn operand<'a>(self, mat: Mat<'a>, panels: Option<&'a Panels>) -> Operand<'a> {
        match (self, panels) {
            (Self::Panels(_), Some(panels)) => Operand::Panels(panels.view()),
            (Self::PanelsTransposed(_), Some(panels)) => Operand::PanelsTransposed(panels.view()),
            (Self::Columns, _) => Operand::Columns(mat),
            _ => Operand::Rows(mat),
        }
    }
}

/// A product to check: its segments, and how they end in C.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) segments: Vec<(usize, Kind, Elem, Elem)>,
    pub(super) c: Elem,
    pub(super) scale: f32,
    pub(super) bias: bool,
    pub(super) add: Option<Elem>,
    pub(super) accumulate: bool,
}

impl Case {
    pub(super) fn plain(m: usize, n: usize, k: usize, kind: Kind, a: Elem, b: Elem) -> Self {
        let segments = vec![(k, kind, a, b)];
        Self { m, n, segments, c: Elem::F32, scale: 1.0, bias: false, add: None, accumulate: false }
    }
}

/// Operands of a case.
struct Inputs {
    a: Vec<Owned>,
    b: Vec<Owned>,
    panels: Vec<Option<Panels>>,
    bias: Vec<f32>,
    add: Option<Owned>,
    c: Owned,
}

impl Inputs {
    fn new(case: &Case) -> Self {
        let pool = pool(1);
        let (mut a, mut b, mut panels) = (Vec::new(), Vec::new(), Vec::new());
        for (idx, &(k, kind, a_elem, b_elem)) in case.segments.iter().enumerate() {
            a.push(Owned::new(a_elem, case.m, k, 11 + idx));
            let (rows, cols) = if kind.is_k_by_n() { (k, case.n) } else { (case.n, k) };
            let mat = Owned::new(b_elem, rows, cols, 21 + idx);
            panels.push(kind.panels().map(|precision| Panels::from_rows(&pool, mat.mat(), precision)));
            b.push(mat);
        }
        Self {
            a,
            b,
            panels,
            bias: numbers(31, case.n),
            add: case.add.map(|elem| Owned::new(elem, case.m, case.n, 41)),
            c: Owned::new(case.c, case.m, case.n, 51),
        }
    }

    fn run(&self, case: &Case, pool: &Pool, isa: Isa, precision: Precision) -> Owned {
        let segment = |idx: usize| Segment {
            a: self.a[idx].mat(),
            b: case.segments[idx].1.operand(self.b[idx].mat(), self.panels[idx].as_ref()),
        };
        let segments: Vec<_> = (0..self.a.len()).map(segment).collect();
        let epilogue = Epilogue {
            scale: case.scale,
            bias: case.bias.then_some(&self.bias),
            add: self.add.as_ref().map(Owned::mat),
            accumulate: case.accumulate,
        };
        let mut c = self.c.clone();
        gemm(pool, isa, precision, &segments, &epilogue, c.mat_mut());
        c
    }

    /// The value of an element and the sum of the sizes of its terms.
    fn expected(&self, case: &Case, precision: Precision, row: usize, col: usize) -> (f64, f64) {
        let (mut sum, mut size) = (0.0, 0.0);
        for (idx, &(k, kind, ..)) in case.segments.iter().enumerate() {
            let stored = kind.panels().unwrap_or(Precision::F32);
            for k in 0..k {
                let (r, c) = if kind.is_k_by_n() { (k, col) } else { (col, k) };
                let coarser = if stored == Precision::Bf16 { stored } else { precision };
                let term = self.a[idx].get(row, k, precision) * self.b[idx].get(r, c, coarser);
                sum += term;
                size += term.abs();
            }
        }
        let mut value = f64::from(case.scale) * sum;
        if case.bias {
            value += f64::from(self.bias[col]);
        }
        for mat in self.add.iter().chain(case.accumulate.then_some(&self.c)) {
            value += mat.get(row, col, Precision::F32);
        }
        (value, size + value.abs())
    }
}

/// Checks a case on every instruction set, in both precisions, on 1 to 3 threads.
pub(super) fn check(case: &Case) {
    let inputs = Inputs::new(case);
    let pools = [pool(1), pool(2), pool(3)];
    for precision in [Precision::F32, Precision::Bf16] {
        for isa in Isa::available() {
            let name = format!("{isa}, {precision:?}, {case:?}");
            let c = inputs.run(case, &pools[0], isa, precision);
            for pool in &pools[1..] {
                assert!(inputs.run(case, pool, isa, precision) == c, "depends on threads: {name}");
            }
            assert!(c.has_intact_canaries(), "wrote outside of C: {name}");
            // f32 sums err by a few units in the last place of their largest terms;
            // a bf16 result by half a unit of eight bits.
            let unit = if case.c == Elem::Bf16 { 1.0 / 256.0 } else { 0.0 };
            for row in 0..case.m {
                for col in 0..case.n {
                    let (value, size) = inputs.expected(case, precision, row, col);
                    let found = f64::from(c.mat().get(row, col));
                    let allowed = 2e-6 * size + unit * value.abs() + 1e-7;
                    assert!((found - value).abs() <= allowed, "({row}, {col}) {found} {value}: {name}");
                }
            }
        }
    }
}
