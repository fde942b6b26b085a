//! What this machine could do at best, measured in the run that is held against it: products on
//! operands that never leave the registers, and copies of memory.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use penname_engine::Precision;
use penname_engine::backend::cpu::gemm::saturate;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::backend::cpu::pool::Pool;
use penname_ledger::Stopwatch;

use super::trained::Job;

/// What is at most to be had of one machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// 10⁹ floating-point operations a second on operands in registers.
    pub(super) gflops: f64,
    /// 10⁹ bytes a second, read and written by a copy of memory; not a number where it was not asked.
    pub(super) gbytes: f64,
}

impl Limits {
    /// The least time that so much work takes, in seconds: it computes and moves memory at once.
    pub(super) fn floor(&self, flops: f64, n_bytes: f64) -> f64 {
        (flops / self.gflops / 1e9).max(n_bytes / self.gbytes / 1e9)
    }
}

impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "register peak {:.0} GFLOP/s, copy {:.1} GB/s", self.gflops, self.gbytes)
    }
}

/// The limits of what a job runs on.
pub(super) fn limits(job: &Job, with_memory: bool) -> Limits {
    Limits {
        gflops: gflops(job.threads, job.isa, job.precision),
        gbytes: if with_memory { memory_gbytes(job.threads) } else { f64::NAN },
    }
}

const N_TRIES: usize = 7;
/// Products in registers take about this long a try.
const TRY_SECONDS: f64 = 0.02;
/// Bytes of a block that a thread copies at a time: within anybody's second cache.
const BLOCK_BYTES: usize = 64 << 10;
/// Memory that no cache holds.
const MEMORY_BYTES: usize = 512 << 20;
/// A try copies at least this much, over and over if the memory is small.
const LEAST_COPIED: usize = 64 << 20;

/// GFLOP/s of products on operands that never leave the registers; the best of a few tries.
pub(super) fn gflops(threads: NonZeroUsize, isa: Isa, precision: Precision) -> f64 {
    let pool = Pool::new(threads);
    let rate = |rounds: usize| {
        let watch = Stopwatch::start();
        let flops = saturate(&pool, isa, precision, rounds);
        (flops / watch.seconds(), watch.seconds())
    };
    // The first try wakes the threads and says how long a round takes.
    let (_, seconds) = rate(10_000);
    let rounds = (10_000.0 * TRY_SECONDS / seconds.max(1e-6)).clamp(1_000.0, 1e8) as usize;
    (0..N_TRIES).map(|_| rate(rounds).0).fold(0.0, f64::max) / 1e9
}

/// GB/s of copying from memory to memory, what is read and what is written both counted.
pub(super) fn memory_gbytes(threads: NonZeroUsize) -> f64 {
    copy_gbytes(threads, MEMORY_BYTES)
}

/// GB/s of copying where source and target together are this large: what caches hold is faster. The
/// best of a few tries.
pub(super) fn copy_gbytes(threads: NonZeroUsize, n_bytes: usize) -> f64 {
    let pool = Pool::new(threads);
    let half = (n_bytes / 2).clamp(4 << 10, MEMORY_BYTES / 2);
    let source = vec![1_u64; half / 8];
    let mut target = vec![0_u64; half / 8];
    // A thread of its own part: small memory is divided, large memory goes in blocks.
    let block = (half / threads.get()).clamp(4 << 10, BLOCK_BYTES) / 8;
    let parts: Vec<_> = source.chunks(block).zip(target.chunks_mut(block)).map(Mutex::new).collect();
    let n_rounds = (LEAST_COPIED / half).max(1);
    let mut best = f64::INFINITY;
    for _ in 0..=N_TRIES {
        let watch = Stopwatch::start();
        for _ in 0..n_rounds {
            pool.run(parts.len(), |idx| {
                if let Ok(mut part) = parts[idx].lock() {
                    let (source, target) = &mut *part;
                    target.copy_from_slice(std::hint::black_box(source));
                }
            });
        }
        best = best.min(watch.seconds() / n_rounds as f64);
    }
    (2 * half) as f64 / best / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_positive_numbers() {
        let one = NonZeroUsize::MIN;
        assert!(gflops(one, Isa::Scalar, Precision::F32) > 0.1);
        assert!(copy_gbytes(one, 1 << 20) > 0.1);
    }
}
