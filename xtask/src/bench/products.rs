//! Times bare products of the sizes that models have, against the register peak measured beside them.
//!
//! `ops` times operations where they stand, with low-rank pairs, residuals and caches as their
//! neighbours leave them; this is what the kernels reach on their own. What has to be packed on the
//! way is packed within the time: the weight of a frozen base is stored packed, its gradient for the
//! input packs it again from the side, a gradient of the weights packs the input.

use std::num::NonZeroUsize;

use half::bf16;
use penname_engine::Precision;
use penname_engine::backend::cpu::gemm::{Epilogue, Operand, Panels, Segment, gemm};
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::backend::cpu::pool::Pool;
use penname_engine::backend::cpu::view::{Mat, MatMut};
use penname_ledger::Stopwatch;
use serde_json::json;

use super::ops::paths;
use super::{median, peak};
use crate::Result;
use crate::screen::say;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rows of the input.
    #[arg(long, value_delimiter = ',', default_value = "32,128,512,1024")]
    rows: Vec<usize>,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Tries, of which the median counts; the peak is measured between them.
    #[arg(long, default_value_t = 5)]
    tries: usize,
    /// One line of JSON for each product instead of a table.
    #[arg(long)]
    json: bool,
}

/// Outputs and inputs of the projections of a model.
type Sizes = (&'static str, [(usize, usize); 4]);

const MODELS: [Sizes; 3] = [
    ("smollm2-135m", [(576, 576), (192, 576), (1536, 576), (576, 1536)]),
    ("gpt2-124m", [(2304, 768), (768, 768), (3072, 768), (768, 3072)]),
    ("qwen3-0.6b", [(2048, 1024), (1024, 2048), (3072, 1024), (1024, 3072)]),
];

/// What a product is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    /// y = x Wᵀ.
    Forward,
    /// dx = dy W.
    Input,
    /// dW = dyᵀ x.
    Weight,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Forward, Self::Input, Self::Weight];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "y",
            Self::Input => "dx",
            Self::Weight => "dW",
        }
    }
}

/// Floating-point operations that a try takes about, for each thread.
const TRY_FLOPS: f64 = 4e9;

/// Numbers in the storage of a precision.
enum Numbers {
    Floats(Vec<f32>),
    Halves(Vec<bf16>),
}

impl Numbers {
    fn new(precision: Precision, len: usize) -> Self {
        let value = |idx: usize| ((idx * 7 % 13) as f32 - 6.0) / 64.0;
        match precision {
            Precision::F32 => Self::Floats((0..len).map(value).collect()),
            Precision::Bf16 => Self::Halves((0..len).map(|idx| bf16::from_f32(value(idx))).collect()),
        }
    }

    fn mat(&self, rows: usize, cols: usize) -> Mat<'_> {
        match self {
            Self::Floats(data) => Mat::f32(data, rows, cols),
            Self::Halves(data) => Mat::bf16(data, rows, cols),
        }
    }

    fn mat_mut(&mut self, rows: usize, cols: usize) -> MatMut<'_> {
        match self {
            Self::Floats(data) => MatMut::f32(data, rows, cols),
            Self::Halves(data) => MatMut::bf16(data, rows, cols),
        }
    }
}

/// A path, and the threads that go it.
struct Runner {
    pool: Pool,
    threads: NonZeroUsize,
    isa: Isa,
    precision: Precision,
}

impl Runner {
    /// Medians of GFLOP/s and of their share of the peak measured before each try.
    fn measure(&self, purpose: Purpose, (m, n, k): (usize, usize, usize), n_tries: usize) -> (f64, f64) {
        let numbers = |len| Numbers::new(self.precision, len);
        let (x, dy, w) = (numbers(m * k), numbers(m * n), numbers(n * k));
        let panels = Panels::from_rows(&self.pool, w.mat(n, k), self.precision);
        let turned = numbers(n * m);
        let (mut out, mut sums) = (numbers(m * n.max(k)), vec![0.0; n * k]);
        let (segment, c) = match purpose {
            Purpose::Forward => {
                (Segment { a: x.mat(m, k), b: Operand::Panels(panels.view()) }, out.mat_mut(m, n))
            }
            Purpose::Input => {
                (Segment { a: dy.mat(m, n), b: Operand::PanelsTransposed(panels.view()) }, out.mat_mut(m, k))
            }
            Purpose::Weight => (
                Segment { a: turned.mat(n, m), b: Operand::Columns(x.mat(m, k)) },
                MatMut::f32(&mut sums, n, k),
            ),
        };
        let flops = 2.0 * (m * n * k) as f64;
        let n_rounds = (TRY_FLOPS * self.threads.get() as f64 / flops).ceil().max(1.0);
        let once = || gemm(&self.pool, self.isa, self.precision, &[segment], &Epilogue::default(), c);
        once();
        let tries = (0..n_tries).map(|_| {
            let peak = peak::gflops(self.threads, self.isa, self.precision);
            let watch = Stopwatch::start();
            (0..n_rounds as usize).for_each(|_| once());
            let gflops = flops * n_rounds / watch.seconds() / 1e9;
            (gflops, gflops / peak)
        });
        let (gflops, shares): (Vec<f64>, Vec<f64>) = tries.unzip();
        (median(&gflops), median(&shares))
    }
}

/// Times everything and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let threads = options.threads.map_or_else(std::thread::available_parallelism, Ok)?;
    for (path, isa, precision) in paths() {
        let runner = Runner { pool: Pool::new(threads), threads, isa, precision };
        if !options.json {
            let rows: String = options.rows.iter().map(|rows| format!("{rows:>16} rows")).collect();
            say(&format!("# {path}, GFLOP/s and share of the register peak\n\n{:<32}{rows}", ""));
        }
        for (model, sizes) in MODELS {
            for ((n, k), purpose) in sizes.into_iter().flat_map(|size| Purpose::ALL.map(|of| (size, of))) {
                let measured =
                    options.rows.iter().map(|&m| (m, runner.measure(purpose, (m, n, k), options.tries)));
                if options.json {
                    measured.for_each(|(m, (gflops, share))| {
                        let line = json!({
                            "path": path, "model": model, "product": purpose.name(), "outputs": n,
                            "inputs": k, "rows": m, "gflops": gflops, "share_of_peak": share,
                        });
                        say(&line.to_string());
                    });
                    continue;
                }
                let cells: String = measured
                    .map(|(_, (gflops, share))| format!("{gflops:>11.0} {:>7.1} %", 100.0 * share))
                    .collect();
                say(&format!("{:<32}{cells}", format!("{model} {n} × {k}, {}", purpose.name())));
            }
        }
        if !options.json {
            say("");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_is_timed() {
        let one = NonZeroUsize::MIN;
        let (isa, precision) = (Isa::best(), Precision::F32);
        let runner = Runner { pool: Pool::new(one), threads: one, isa, precision };
        for purpose in Purpose::ALL {
            let (gflops, share) = runner.measure(purpose, (48, 96, 64), 1);
            assert!(gflops > 0.01 && share > 0.0, "{purpose:?}: {gflops}, {share}");
        }
    }
}
