//! The most products this machine does in a second: what every step is measured against.

use std::num::NonZeroUsize;

use half::bf16;
use penname_engine::Precision;
use penname_engine::backend::cpu::gemm::{Epilogue, Operand, Panels, Segment, gemm};
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::backend::cpu::pool::Pool;
use penname_engine::backend::cpu::view::{Mat, MatMut};
use penname_ledger::Stopwatch;

/// Rows, columns and contraction of the products that are tried.
const SHAPES: [(usize, usize, usize); 3] = [(1024, 1536, 1536), (1024, 4096, 1024), (2048, 2048, 2048)];
const N_TRIES: usize = 6;

/// GFLOP/s of the fastest of a few large products with `backend::cpu::gemm`, the right operand
/// packed beforehand as a frozen weight is.
pub(super) fn gflops(threads: NonZeroUsize, precision: Precision) -> f64 {
    let pool = Pool::new(threads);
    SHAPES.into_iter().map(|shape| best_of(&pool, precision, shape)).fold(0.0, f64::max)
}

fn best_of(pool: &Pool, precision: Precision, (m, n, k): (usize, usize, usize)) -> f64 {
    let value = |i: usize| (i * 7919 % 1013) as f32 / 1013.0 - 0.5;
    let (a, b): (Vec<f32>, Vec<f32>) = ((0..m * k).map(value).collect(), (0..n * k).map(value).collect());
    let rounded: Vec<bf16> = a.iter().copied().map(bf16::from_f32).collect();
    let left = match precision {
        Precision::F32 => Mat::f32(&a, m, k),
        Precision::Bf16 => Mat::bf16(&rounded, m, k),
    };
    let panels = Panels::from_rows(pool, Mat::f32(&b, n, k), precision);
    let mut c = vec![0.0; m * n];
    let mut fastest = f64::INFINITY;
    for _ in 0..N_TRIES {
        let segment = Segment { a: left, b: Operand::Panels(panels.view()) };
        let watch = Stopwatch::start();
        gemm(pool, Isa::best(), precision, &[segment], &Epilogue::default(), MatMut::f32(&mut c, m, n));
        fastest = fastest.min(watch.seconds());
    }
    2e-9 * (m * n * k) as f64 / fastest
}
