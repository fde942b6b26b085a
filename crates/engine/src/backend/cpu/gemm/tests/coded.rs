//! Coded panels against panels of the numbers they stand for: equal to the last bit.

use super::super::{Epilogue, Isa, Operand, Panels, Precision, Segment, gemm};
use super::case::{Owned, pool};
use crate::backend::cpu::view::{Elem, Mat, MatMut};
use crate::coding::{
    CodedRow, CodedWeight, Coding, NUMBERS, OUTER_CHUNKS, Outer, QUANTILES, STEPS, half_power,
};
use crate::program::DType;
use half::f16;

/// A coded weight and the numbers it stands for, by the formulae of the formats.
struct Weight {
    coding: Coding,
    k: usize,
    rows: Vec<CodedRow>,
    outer: Option<Outer>,
    values: Vec<f32>,
}

/// Integers that look random, below `end`.
fn draw(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}

impl Weight {
    fn new(coding: Coding, n: usize, k: usize) -> Self {
        let mut state = (n * 1000 + k) as u64;
        let rows: Vec<CodedRow> = (0..n).map(|_| row(coding, k, &mut state)).collect();
        let n_outer = (n * k / coding.chunk()).div_ceil(OUTER_CHUNKS);
        let mut scale = || draw(&mut state, 1000) as f32 / 700.0 + 0.01;
        let outer = (coding == Coding::Nf4)
            .then(|| Outer { scales: (0..n_outer).map(|_| scale()).collect(), offset: 1.7 });
        let mut weight = Self { coding, k, rows, outer, values: Vec::new() };
        weight.values = (0..n * k).map(|at| weight.value(at / k, at % k)).collect();
        weight
    }

    fn value(&self, n: usize, at: usize) -> f32 {
        let row = &self.rows[n];
        let half = |bits: &[u16]| f16::from_bits(bits[at / self.coding.chunk()]).to_f32();
        let q = f32::from(row.codes[at]);
        match self.coding {
            Coding::Q8_0 => half(&row.d) * (q - 128.0),
            Coding::Q4_0 => half(&row.d) * (q - 8.0),
            Coding::Q5_0 => half(&row.d) * (q - 16.0),
            Coding::Q4_1 | Coding::Q5_1 => half(&row.d) * q + half(&row.m),
            Coding::Q4_K | Coding::Q5_K => {
                let (s, t) = (f32::from(row.scales[at / 32]), f32::from(row.minima[at / 32]));
                (half(&row.d) * s) * q - half(&row.m) * t
            }
            Coding::Q6_K => (half(&row.d) * f32::from(row.scales[at / 16] as i8)) * (q - 32.0),
            Coding::Mxfp4 => NUMBERS[usize::from(row.codes[at])] * half_power(row.scales[at / 32]),
            Coding::Nf4 => {
                let Some(outer) = &self.outer else { panic!("outer scales") };
                let chunk = (n * self.k + at) / 64;
                let step = STEPS[usize::from(row.scales[at / 64])];
                QUANTILES[usize::from(row.codes[at])] * (step * outer.scales[chunk / 256] + outer.offset)
            }
        }
    }

    fn mat(&self) -> Mat<'_> {
        Mat::f32(&self.values, self.rows.len(), self.k)
    }

    fn panels(&self, precision: Precision) -> Panels {
        let fill = |n: usize, row: &mut CodedRow| row.clone_from(&self.rows[n]);
        let dtype = if precision == Precision::Bf16 { DType::Bf16 } else { DType::F32 };
        let (rows, cols, coding) = (self.rows.len(), self.k, self.coding);
        let weight = CodedWeight { rows, cols, coding, dtype, outer: self.outer.as_ref(), fill: &fill };
        let panels = Panels::from_codes(&pool(2), &weight).unwrap();
        let outer = self.outer.as_ref().map_or(0, |outer| 4 * outer.scales.len());
        assert!(panels.bytes() + outer <= weight.bytes() + 64);
        panels
    }
}

/// Scales are finite, of either sign, some of them zero or subnormal.
fn row(coding: Coding, k: usize, state: &mut u64) -> CodedRow {
    let mut row = CodedRow::default();
    row.fill_zero(coding, k);
    row.codes.iter_mut().for_each(|code| *code = draw(state, 1 << coding.bits()) as u8);
    for d in row.d.iter_mut().chain(&mut row.m) {
        let size = [0x0000, 0x0003, 0x03ff][draw(state, 3) as usize];
        let usual = 0x1400 + draw(state, 0x1400) as u16;
        *d = if draw(state, 16) == 0 { size } else { usual } | (draw(state, 2) as u16) << 15;
    }
    // Exponents of numbers whose products and sums are finite.
    let (low, n) = if coding == Coding::Mxfp4 { (90, 60) } else { (0, 256) };
    row.scales.iter_mut().chain(&mut row.minima).for_each(|scale| *scale = (low + draw(state, n)) as u8);
    row
}

fn product(isa: Isa, precision: Precision, a: Mat<'_>, b: Operand<'_>) -> Vec<f32> {
    let mut c = vec![7.0; a.rows * b.n()];
    let cols = b.n();
    let segment = Segment { a, b };
    gemm(&pool(2), isa, precision, &[segment], &Epilogue::default(), MatMut::f32(&mut c, a.rows, cols));
    c
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Both directions of a product of `m` rows.
fn check(weight: &Weight, m: usize) {
    let (n, k) = (weight.rows.len(), weight.k);
    let [x, dy] = [Owned::new(Elem::Bf16, m, k, 5), Owned::new(Elem::F32, m, n, 6)];
    for stored in [Precision::F32, Precision::Bf16] {
        let coded = weight.panels(stored);
        let plain = Panels::from_rows(&pool(1), weight.mat(), stored);
        for isa in Isa::available() {
            for precision in [Precision::F32, Precision::Bf16] {
                let name = format!("{} {n} × {k}, {m} rows, {isa}, {stored:?}, {precision:?}", weight.coding);
                let run = |b| bits(&product(isa, precision, x.mat(), b));
                let (found, expected) =
                    (run(Operand::Panels(coded.view())), run(Operand::Panels(plain.view())));
                assert!(found == expected, "forward: {name}");
                let run = |b| bits(&product(isa, precision, dy.mat(), b));
                let (found, expected) = (
                    run(Operand::PanelsTransposed(coded.view())),
                    run(Operand::PanelsTransposed(plain.view())),
                );
                assert!(found == expected, "backward: {name}");
            }
        }
    }
}

#[test]
fn products_are_those_of_the_decoded_weight() {
    for coding in Coding::ALL {
        for (chunks, n, m) in [(1, 1, 1), (3, 45, 5), (2, 64, 13), (1, 33, 30)] {
            check(&Weight::new(coding, n, chunks * coding.chunk()), m);
        }
    }
    // Several visits, and outer scales that end within a row.
    for coding in [Coding::Q4_1, Coding::Q6_K, Coding::Nf4, Coding::Mxfp4] {
        check(&Weight::new(coding, 70, 2304), 26);
    }
}

#[test]
fn rows_are_those_of_the_decoded_weight() {
    for coding in Coding::ALL {
        let weight = Weight::new(coding, 37, 768);
        for precision in [Precision::F32, Precision::Bf16] {
            let (coded, plain) =
                (weight.panels(precision), Panels::from_rows(&pool(1), weight.mat(), precision));
            let (mut found, mut expected) = (vec![0.0; 768], vec![0.0; 768]);
            for n in 0..37 {
                coded.row(n, &mut found);
                plain.row(n, &mut expected);
                assert_eq!(bits(&found), bits(&expected), "{coding}, row {n}");
            }
        }
    }
}

#[test]
fn coded_panels_in_part_are_products_in_part() {
    let weight = Weight::new(Coding::Nf4, 101, 128);
    let panels = weight.panels(Precision::Bf16);
    let x = Owned::new(Elem::Bf16, 9, 128, 1);
    let run = |view| product(Isa::best(), Precision::Bf16, x.mat(), Operand::Panels(view));
    let whole = run(panels.view());
    for range in [0..32, 32..96, 96..101] {
        let part = run(panels.rows(range.clone()));
        for (row, part) in part.chunks(range.len()).enumerate() {
            assert_eq!(part, &whole[row * 101..][range.clone()], "{range:?}");
        }
    }
}

#[test]
#[should_panic(expected = "96 columns, NF4 has chunks of 64")]
fn part_of_a_chunk_is_refused() {
    let fill = |_: usize, _: &mut CodedRow| {};
    let (rows, cols, coding, dtype) = (1, 96, Coding::Nf4, DType::Bf16);
    Panels::from_codes(&pool(1), &CodedWeight { rows, cols, coding, dtype, outer: None, fill: &fill });
}
