//! Right operands that are packed once, for all tasks of a job.
//!
//! A task packs what it reads into its own cache. Where the rows of C are cut, several tasks pack the
//! same panels, which is a twentieth of a product of a thousand rows. Operands that fit a last cache
//! are packed before, a panel a task, and then lie as stored panels do.

use super::kernel::{Kernel, PANEL};
use super::pack;
use super::scratch::Target;
use super::split::Split;
use super::task::Work;
use super::word::Form;
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::program::Precision;

/// The most that is packed for all: it is read back from a cache that the threads share.
const MOST_BYTES: usize = 8 << 20;

/// Fewer tasks than this pack for themselves: another job costs what they would save.
const LEAST_READERS: usize = 3;

/// Segments whose right operands are packed for all.
pub(super) struct Shared {
    kernel: &'static Kernel,
    form: Form,
    /// Product and segment, and the words before its panels.
    segments: Vec<(usize, usize, usize)>,
    /// Words that all take.
    pub(super) words: usize,
}

impl Shared {
    /// Chooses them for products that would be cut so.
    pub(super) fn choose(form: Form, kernel: &'static Kernel, works: &[Work<'_>], splits: &[Split]) -> Self {
        let mut shared = Self { form, kernel, segments: Vec::new(), words: 0 };
        let is_shared = |split: &Split| split.readers() >= LEAST_READERS;
        let cut = works.iter().zip(splits).enumerate().filter(|(_, (_, split))| is_shared(split));
        for (product, (work, _)) in cut {
            for segment in (0..work.segments.len()).filter(|segment| work.is_packed(*segment)) {
                let words = work.segments[segment].words(form) * work.c.cols.div_ceil(PANEL) * PANEL;
                if (shared.words + words) * 4 <= MOST_BYTES {
                    shared.segments.push((product, segment, shared.words));
                    shared.words += words;
                }
            }
        }
        shared
    }

    /// Packs them into `memory` and tells their products.
    pub(super) fn make(&self, pool: &Pool, works: &mut [Work<'_>], memory: *mut u32) {
        let memory = Target(memory);
        for &(product, segment, at) in &self.segments {
            let (work, form) = (&works[product], self.form);
            let (k, b) = (work.segments[segment].words(form), &work.segments[segment].b);
            pool.run(work.c.cols.div_ceil(PANEL), |panel| {
                // SAFETY: each task has a panel of its own, whose words were counted.
                unsafe {
                    pack::pack(self.kernel, b, form, panel, &(0..k), memory.at(at + panel * k * PANEL))
                };
            });
        }
        for &(product, segment, at) in &self.segments {
            works[product].shared[segment] = Some(memory.at(at).cast_const());
        }
    }
}

/// Words of the panels of K × N.
fn panel_words(form: Form, k: usize, n: usize) -> usize {
    form.words(k) * n.div_ceil(PANEL) * PANEL
}

/// The most bytes that right operands of `n` columns take here, whose contractions are these long.
pub(in crate::backend::cpu) fn shared_bytes(
    isa: Isa,
    precision: Precision,
    contractions: impl Iterator<Item = usize>,
    n: usize,
) -> usize {
    let form = Form::choose(isa, precision);
    let fits = |bytes: &usize| *bytes <= MOST_BYTES;
    contractions.map(|k| 4 * panel_words(form, k, n)).filter(fits).sum::<usize>().min(MOST_BYTES)
}
