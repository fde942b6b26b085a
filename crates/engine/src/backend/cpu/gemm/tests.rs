use super::*;
use crate::backend::cpu::view::Elem;
use half::bf16;
use std::num::NonZeroUsize;

/// What a canary looks like in memory, as f32 and as bf16.
const CANARY: f32 = -12345.0;

fn pool(threads: usize) -> Pool {
    Pool::new(NonZeroUsize::new(threads).unwrap())
}

/// Numbers in −1..1 from a small generator.
fn numbers(seed: usize, len: usize) -> Vec<f32> {
    let mut state = seed as u64 * 2 + 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A matrix that owns its numbers, inside a larger buffer full of canaries.
#[derive(Clone, PartialEq)]
struct Owned {
    elem: Elem,
    rows: usize,
    cols: usize,
    stride: usize,
    floats: Vec<f32>,
    halves: Vec<bf16>,
}

impl Owned {
    fn new(elem: Elem, rows: usize, cols: usize, seed: usize) -> Self {
        let stride = cols + 1 + seed % 3;
        let mut floats = vec![CANARY; (rows + 2) * stride];
        for (row, line) in numbers(seed, rows * cols).chunks(cols.max(1)).enumerate() {
            floats[(row + 1) * stride..][..cols].copy_from_slice(line);
        }
        let halves = floats.iter().map(|&x| bf16::from_f32(x)).collect();
        Self { elem, rows, cols, stride, floats, halves }
    }

    fn mat(&self) -> Mat<'_> {
        match self.elem {
            Elem::F32 => Mat::f32(&self.floats, self.rows + 2, self.stride),
            Elem::Bf16 => Mat::bf16(&self.halves, self.rows + 2, self.stride),
        }
        .rows(1, self.rows)
        .columns(0, self.cols)
    }

    fn mat_mut(&mut self) -> MatMut<'_> {
        match self.elem {
            Elem::F32 => MatMut::f32(&mut self.floats, self.rows + 2, self.stride),
            Elem::Bf16 => MatMut::bf16(&mut self.halves, self.rows + 2, self.stride),
        }
        .rows(1, self.rows)
        .columns(0, self.cols)
    }

    /// The number as a product of `precision` sees it.
    fn get(&self, row: usize, col: usize, precision: Precision) -> f64 {
        let x = self.mat().get(row, col);
        f64::from(if precision == Precision::Bf16 { bf16::from_f32(x).to_f32() } else { x })
    }

    fn has_intact_canaries(&self) -> bool {
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
enum Kind {
    Rows,
    Columns,
    Panels(Precision),
    PanelsTransposed(Precision),
}

const KINDS: [Kind; 6] = [
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
struct Case {
    m: usize,
    n: usize,
    segments: Vec<(usize, Kind, Elem, Elem)>,
    c: Elem,
    scale: f32,
    bias: bool,
    add: Option<Elem>,
    accumulate: bool,
}

impl Case {
    fn plain(m: usize, n: usize, k: usize, kind: Kind, a: Elem, b: Elem) -> Self {
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
fn check(case: &Case) {
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

#[test]
fn every_kind_of_operand_at_awkward_shapes() {
    let shapes =
        [(1, 1, 1), (13, 33, 17), (7, 31, 64), (12, 32, 32), (25, 65, 35), (40, 16, 130), (16, 70, 95)];
    for (m, n, k) in shapes {
        for kind in KINDS {
            for (a, b) in [(Elem::F32, Elem::F32), (Elem::Bf16, Elem::Bf16), (Elem::Bf16, Elem::F32)] {
                check(&Case::plain(m, n, k, kind, a, b));
            }
        }
    }
}

#[test]
fn every_number_of_rows_of_a_tile() {
    for m in 1..=24 {
        check(&Case::plain(m, 48, 18, Kind::Rows, Elem::Bf16, Elem::F32));
    }
}

#[test]
fn long_contractions_continue_between_strips() {
    for kind in [Kind::Columns, Kind::Panels(Precision::Bf16)] {
        check(&Case::plain(5, 40, 2111, kind, Elem::F32, Elem::F32));
    }
}

#[test]
fn many_tasks_and_groups() {
    check(&Case::plain(150, 300, 24, Kind::Panels(Precision::Bf16), Elem::Bf16, Elem::Bf16));
    check(&Case::plain(150, 40, 24, Kind::PanelsTransposed(Precision::Bf16), Elem::Bf16, Elem::Bf16));
}

#[test]
fn nothing_to_contract_leaves_the_epilogue() {
    let mut case = Case::plain(5, 37, 0, Kind::Rows, Elem::F32, Elem::F32);
    check(&case);
    case.bias = true;
    case.accumulate = true;
    check(&case);
    case.segments.clear();
    check(&case);
    for (m, n) in [(0, 5), (5, 0), (0, 0)] {
        check(&Case::plain(m, n, 7, Kind::Columns, Elem::F32, Elem::F32));
    }
}

#[test]
fn epilogues_and_segments() {
    let low_rank = (8, Kind::Rows, Elem::F32, Elem::F32);
    let dx_low_rank = (9, Kind::Columns, Elem::Bf16, Elem::F32);
    for (kind, extra) in [
        (Kind::Panels(Precision::Bf16), low_rank),
        (Kind::Panels(Precision::F32), low_rank),
        (Kind::PanelsTransposed(Precision::Bf16), dx_low_rank),
        (Kind::Rows, (0, Kind::Columns, Elem::F32, Elem::F32)),
    ] {
        for c in [Elem::F32, Elem::Bf16] {
            for add in [None, Some(Elem::F32), Some(Elem::Bf16)] {
                for accumulate in [false, true] {
                    let mut case = Case::plain(29, 45, 70, kind, Elem::Bf16, Elem::Bf16);
                    case.segments.push(extra);
                    case.segments.push((1, Kind::Rows, Elem::Bf16, Elem::Bf16));
                    check(&Case { c, add, accumulate, bias: accumulate, scale: -0.75, ..case });
                }
            }
        }
    }
}

#[test]
fn a_residual_may_be_c_itself() {
    let (pool, x) = (pool(2), Owned::new(Elem::F32, 20, 9, 1));
    let w = Owned::new(Elem::F32, 33, 9, 2);
    let segments = [Segment { a: x.mat(), b: Operand::Rows(w.mat()) }];
    let mut twice = Owned::new(Elem::F32, 20, 33, 3);
    let mut once = twice.clone();
    let c = twice.mat_mut();
    // SAFETY: each element is read before it is written, by the same thread.
    let add = Some(unsafe { c.as_mat() });
    gemm(&pool, Isa::best(), Precision::F32, &segments, &Epilogue { add, ..Default::default() }, c);
    let accumulate = Epilogue { accumulate: true, ..Default::default() };
    gemm(&pool, Isa::best(), Precision::F32, &segments, &accumulate, once.mat_mut());
    assert!(once == twice);
}

#[test]
fn panels_give_back_their_rows() {
    let pool = pool(2);
    for (n, k) in [(1, 1), (33, 7), (64, 32), (70, 101)] {
        let mat = Owned::new(Elem::F32, n, k, n);
        for precision in [Precision::F32, Precision::Bf16] {
            let panels = Panels::from_rows(&pool, mat.mat(), precision);
            assert_eq!((panels.n(), panels.k()), (n, k));
            let mut row = vec![0.0; k];
            for n in 0..n {
                panels.row(n, &mut row);
                let expected: Vec<_> = (0..k).map(|col| mat.get(n, col, precision) as f32).collect();
                assert_eq!(row, expected, "{n} {precision:?}");
            }
        }
    }
}

#[test]
fn panels_in_part_are_products_in_part() {
    let (pool, isa) = (pool(2), Isa::best());
    let (x, w) = (Owned::new(Elem::Bf16, 9, 50, 1), Owned::new(Elem::F32, 101, 50, 2));
    let panels = Panels::from_rows(&pool, w.mat(), Precision::Bf16);
    let mut whole = Owned::new(Elem::F32, 9, 101, 3);
    let mut parts = whole.clone();
    let run = |view, c: MatMut<'_>| {
        let segment = Segment { a: x.mat(), b: Operand::Panels(view) };
        gemm(&pool, isa, Precision::Bf16, &[segment], &Epilogue::default(), c);
    };
    run(panels.view(), whole.mat_mut());
    for range in [0..32, 32..96, 96..101, 101..101] {
        let c = parts.mat_mut().columns(range.start, range.len());
        run(panels.rows(range), c);
    }
    assert!(whole == parts);

    // The other direction: contracting over parts adds up to the whole.
    let dy = Owned::new(Elem::Bf16, 9, 101, 4);
    let (mut whole, mut parts) = (Owned::new(Elem::F32, 9, 50, 5), Owned::new(Elem::F32, 9, 50, 5));
    let run = |dy, view, accumulate, c: MatMut<'_>| {
        let segment = Segment { a: dy, b: Operand::PanelsTransposed(view) };
        gemm(&pool, isa, Precision::Bf16, &[segment], &Epilogue { accumulate, ..Default::default() }, c);
    };
    run(dy.mat(), panels.view(), false, whole.mat_mut());
    for range in [0..64, 64..101] {
        let part = dy.mat().columns(range.start, range.len());
        run(part, panels.rows(range.clone()), range.start > 0, parts.mat_mut());
    }
    for row in 0..9 {
        for col in 0..50 {
            // Two roundings of sums of about 100 terms below one.
            assert!((whole.mat().get(row, col) - parts.mat().get(row, col)).abs() < 1e-5);
        }
    }
}

#[test]
fn transposing_twice_returns() {
    for elem in [Elem::F32, Elem::Bf16] {
        for (rows, cols) in [(1, 1), (33, 70), (64, 16), (0, 3)] {
            let from = Owned::new(elem, rows, cols, 7);
            let mut to = Owned::new(elem, cols, rows, 8);
            transpose(&pool(2), from.mat(), to.mat_mut());
            assert!(to.has_intact_canaries());
            for row in 0..rows {
                for col in 0..cols {
                    assert_eq!(from.mat().get(row, col), to.mat().get(col, row));
                }
            }
        }
    }
}

#[test]
fn bf16_rounding_is_to_nearest_even() {
    let mut values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN];
    values.extend((0..4000).map(|i| f32::from_bits(0x3f80_0000 + i * 0x1001)));
    values.extend(numbers(3, 4000));
    for x in values {
        assert_eq!(word::round(x), bf16::from_f32(x).to_bits(), "{x}");
    }
}
