//! Bytes against what they are worth, and against the numbers they were made of.

use super::super::{Epilogue, Mat, MatMut, Operand, Precision, Segment, gemm};
use super::weight::Int8;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::row::tests::{Buffer, noise, pools};
use crate::backend::cpu::view::Elem;

const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (3, 33, 5), (13, 64, 64), (25, 40, 130), (70, 96, 2050), (5, 7, 39)];

fn weight(n: usize, k: usize) -> (Vec<f32>, Int8) {
    let numbers = noise(n * k, 7);
    let fill = |rows: std::ops::Range<usize>, room: &mut [f32]| {
        room.copy_from_slice(&numbers[rows.start * k..rows.end * k]);
    };
    let int8 = Int8::from_fill(&pools()[0], (n, k), &fill).unwrap();
    (numbers, int8)
}

#[test]
fn a_weight_is_worth_its_nearest_steps() {
    for (_, n, k) in SHAPES {
        let (numbers, int8) = weight(n, k);
        let mut read = vec![0.0; n * k];
        int8.read(&mut read);
        for (row, (found, wanted)) in read.chunks(k).zip(numbers.chunks(k)).enumerate() {
            let top = wanted.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
            for (x, y) in found.iter().zip(wanted) {
                assert!((x - y).abs() <= top / 127.0 * 0.501, "{x} for {y} in row {row} of {n} × {k}");
            }
        }
    }
}

/// `x · Wᵀ` or `x · W` by every path, all of them equal to the last bit.
fn product(elem: Elem, x: &[f32], (m, k): (usize, usize), operand: Operand<'_>) -> Vec<f32> {
    let x = Buffer::new(elem, x);
    let mut first: Option<Vec<f32>> = None;
    for isa in Isa::available() {
        for pool in pools() {
            let mut c = vec![f32::NAN; m * operand.n()];
            let segments = [Segment { a: x.mat(m, k), b: operand }];
            let c_mat = MatMut::f32(&mut c, m, operand.n());
            gemm(&pool, isa, Precision::F32, &segments, &Epilogue::default(), c_mat);
            let first = first.get_or_insert_with(|| c.clone());
            assert!(*first == c, "{isa} differs");
        }
    }
    first.unwrap()
}

#[test]
fn products_are_those_of_rounded_rows() {
    for (m, n, k) in SHAPES {
        let (_, int8) = weight(n, k);
        let mut worth = vec![0.0; n * k];
        int8.read(&mut worth);
        for elem in [Elem::F32, Elem::Bf16] {
            let x = noise(m * k, 3);
            let found = product(elem, &x, (m, k), Operand::Int8(&int8));
            check(&found, &x, (m, n, k), |n, at| worth[n * k + at], elem);
            let dy = noise(m * n, 4);
            let found = product(elem, &dy, (m, n), Operand::Int8Transposed(&int8));
            check(&found, &dy, (m, k, n), |col, at| worth[at * k + col], elem);
        }
    }
}

/// Rounding a row moves each of its numbers by at most half a step.
fn check(
    found: &[f32],
    x: &[f32],
    (m, n, k): (usize, usize, usize),
    w: impl Fn(usize, usize) -> f32,
    elem: Elem,
) {
    for row in 0..m {
        let x = &x[row * k..][..k];
        for col in 0..n {
            let exact: f64 = x.iter().enumerate().map(|(at, x)| f64::from(*x) * f64::from(w(col, at))).sum();
            let magnitude: f64 =
                x.iter().enumerate().map(|(at, x)| f64::from(x.abs() * w(col, at).abs())).sum();
            let size: f64 = (0..k).map(|at| f64::from(w(col, at)).powi(2)).sum::<f64>().sqrt();
            let spread =
                size / 127.0 * 4.0 * 1.0_f64.max(f64::from(x.iter().fold(0.0_f32, |a, b| a.max(b.abs()))));
            let rounding = if elem == Elem::Bf16 { 4e-3 * magnitude } else { 0.0 };
            let found = f64::from(found[row * n + col]);
            assert!(
                (found - exact).abs() <= spread + rounding + 1e-6,
                "{found} for {exact} at {row}, {col} of {m} × {n} × {k}"
            );
        }
    }
}

#[test]
fn columns_that_are_far_larger_are_multiplied_as_they_are() {
    let (m, n, k) = (40, 64, 96);
    let (_, int8) = weight(n, k);
    let mut worth = vec![0.0; n * k];
    int8.read(&mut worth);
    let mut x = noise(m * k, 5);
    let error = |x: &[f32]| {
        let mut found = vec![0.0; m * n];
        let segments = [Segment { a: Mat::f32(x, m, k), b: Operand::Int8(&int8) }];
        let c = MatMut::f32(&mut found, m, n);
        gemm(&pools()[0], Isa::best(), Precision::F32, &segments, &Epilogue::default(), c);
        let mut worst = 0.0_f64;
        for (row, col) in (0..m).flat_map(|row| (0..n).map(move |col| (row, col))) {
            let exact: f64 =
                (0..k).map(|at| f64::from(x[row * k + at]) * f64::from(worth[col * k + at])).sum();
            worst = worst.max((f64::from(found[row * n + col]) - exact).abs());
        }
        worst
    };
    let usual = error(&x);
    (0..m).for_each(|row| x[row * k + 17] = if row % 2 == 0 { 300.0 } else { -250.0 });
    let with_large = error(&x);
    assert!(with_large < 1.5 * usual, "{with_large} beside {usual}");
}

#[test]
fn rows_that_are_not_finite_give_nothing_finite() {
    let (_, int8) = weight(40, 24);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = noise(3 * 24, 2);
        x[24 + 5] = bad;
        let found = product_of_one(&x, &int8);
        assert!(found[..40].iter().all(|y| y.is_finite()) && found[80..].iter().all(|y| y.is_finite()));
        assert!(found[40..80].iter().all(|y| !y.is_finite()), "{bad}: {:?}", &found[40..44]);
    }
}

fn product_of_one(x: &[f32], int8: &Int8) -> Vec<f32> {
    let mut c = vec![0.0; 3 * 40];
    let segments = [Segment { a: Mat::f32(x, 3, 24), b: Operand::Int8(int8) }];
    gemm(
        &pools()[0],
        Isa::best(),
        Precision::F32,
        &segments,
        &Epilogue::default(),
        MatMut::f32(&mut c, 3, 40),
    );
    c
}
