//! The most this processor multiplies: operands that never leave the registers.

use super::kernel::Kernel;
use super::word::Form;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::program::Precision;

/// Tasks of a thread: enough that a thread that was put aside holds nobody up for long.
const SHARES: usize = 8;

/// Multiplies and adds in the registers of every thread, `rounds` times in each of several tasks, with
/// the instructions of the products. Returns the floating-point operations done, for whoever has a
/// clock.
///
/// # Panics
/// If the processor lacks `isa`.
pub fn saturate(pool: &Pool, isa: Isa, precision: Precision, rounds: usize) -> f64 {
    assert!(isa.is_present(), "this processor lacks {isa}");
    let form = Form::choose(isa, precision);
    let kernel = Kernel::choose(isa, form);
    let n_tasks = SHARES * pool.threads();
    pool.run(n_tasks, |_| {
        // SAFETY: the processor has `isa`, and the kernel was chosen for it.
        std::hint::black_box(unsafe { (kernel.saturate)(rounds) });
    });
    (2 * form.numbers() * n_tasks * rounds * kernel.sums) as f64
}
