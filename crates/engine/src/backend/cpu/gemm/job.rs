//! Several products as one job of the pool.
//!
//! Three projections of one input are three products. Handing each over on its own costs more than
//! the waiting: every start finds memory idle, and the last task of each holds the others up. Blocks
//! of all of them are tasks of one job, and an input they share is converted once.

use super::kernel::Kernel;
use super::left::{self, Left, LeftShape};
use super::scratch::Target;
use super::shared::Shared;
use super::split::Split;
use super::task::Work;
use super::word::Form;
use super::{Precision, Product, Segment, int8, scratch};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::pool::Pool;
use crate::backend::cpu::view::Mat;

/// Rows of A that are converted in one task.
const CONVERTED_ROWS: usize = 64;

/// Computes the products; shapes are checked and no C is empty.
pub(super) fn run(pool: &Pool, isa: Isa, precision: Precision, products: &[Product<'_>]) {
    #[cfg(feature = "accelerate")]
    if products.iter().all(|product| super::accelerate::takes(precision, product)) {
        return products.iter().for_each(|product| super::accelerate::run(pool, isa, product));
    }
    let lowered = int8::Lowered::new(pool, isa, products);
    if lowered.is_empty() {
        return run_lowered(pool, isa, precision, (products, &lowered));
    }
    let segments = lowered.segments(products);
    let with_kept = products.iter().zip(&segments);
    let products: Vec<_> = with_kept.map(|(product, segments)| Product { segments, ..*product }).collect();
    run_lowered(pool, isa, precision, (&products, &lowered));
}

/// As [`run`], where left operands of weights in bytes exist.
fn run_lowered(
    pool: &Pool,
    isa: Isa,
    precision: Precision,
    (products, lowered): (&[Product<'_>], &int8::Lowered<'_>),
) {
    let form = Form::choose(isa, precision);
    let kernel = Kernel::choose(isa, form);
    let copies = Copies::new(form, kernel, products);
    let int8 = int8::Kernel::choose(isa);
    scratch::with(copies.words, |memory| {
        copies.make(pool, Target(memory));
        let mut works: Vec<Work<'_>> =
            products.iter().map(|product| copies.work(product, memory, (lowered, int8))).collect();
        let cut = |works: &[Work<'_>]| -> Vec<Split> {
            works.iter().map(|work| Split::choose(work.load(pool.threads()))).collect()
        };
        let splits = cut(&works);
        let shared = Shared::choose(form, kernel, &works, &splits);
        scratch::with(shared.words, |memory| {
            shared.make(pool, &mut works, memory);
            // What is packed already weighs no more.
            let splits = if shared.words > 0 { cut(&works) } else { splits };
            let order = order(&splits, pool.threads());
            pool.run(order.len(), |task| {
                let (product, task) = order[task];
                let (tiles, panels) = splits[product].block(task);
                // SAFETY: blocks are disjoint, and `kernel` was chosen for a present `isa`.
                unsafe { works[product].block(tiles, panels) };
            });
        });
    });
}

/// The tasks of all products as `(product, task)`: of every product the first part, then of every
/// product the second, a part for each thread. Threads begin with equal shares of the whole, and within
/// a share neighbouring tasks read memory in order, or share what they pack.
fn order(splits: &[Split], threads: usize) -> Vec<(usize, usize)> {
    let mut order = Vec::with_capacity(splits.iter().map(Split::tasks).sum());
    for part in 0..threads {
        for (product, split) in splits.iter().enumerate() {
            let end = |part: usize| split.tasks() * part / threads;
            order.extend((end(part)..end(part + 1)).map(|task| (product, task)));
        }
    }
    order
}

/// Left operands that a kernel does not read where they are.
struct Copies<'a> {
    form: Form,
    kernel: &'static Kernel,
    /// Each of them once, and the words before its copy.
    mats: Vec<(Mat<'a>, usize)>,
    /// Words that the copies take.
    words: usize,
}

impl<'a> Copies<'a> {
    fn new(form: Form, kernel: &'static Kernel, products: &[Product<'a>]) -> Self {
        let mut copies = Self { form, kernel, mats: Vec::new(), words: 0 };
        for product in products {
            for segment in product.segments.iter().filter(|segment| !segment.is_int8()) {
                if !copies.is_direct(product, segment) && copies.place(&segment.a).is_none() {
                    copies.mats.push((segment.a, copies.words));
                    copies.words += left::converted_stride(form, segment.a.cols) * segment.a.rows;
                }
            }
        }
        copies
    }

    fn is_direct(&self, product: &Product<'_>, segment: &Segment<'_>) -> bool {
        left::is_direct(self.form, self.kernel.rows, &LeftShape::of(&segment.a), product.c.cols)
    }

    /// The words before the copy of `mat`, if there is one.
    fn place(&self, mat: &Mat<'_>) -> Option<usize> {
        self.mats.iter().find(|(copied, _)| copied.is_same(mat)).map(|(_, at)| *at)
    }

    fn make(&self, pool: &Pool, memory: Target) {
        for &(mat, at) in &self.mats {
            let stride = left::converted_stride(self.form, mat.cols);
            pool.for_chunks(mat.rows, CONVERTED_ROWS, |chunk| {
                let part = mat.rows(chunk.start, chunk.len());
                // SAFETY: the chunk's rows are this task's own part of the scratch memory.
                unsafe {
                    (self.kernel.convert)(part, self.form, memory.at(at + chunk.start * stride), stride)
                };
            });
        }
    }

    /// A product whose left operands are where they are or in `memory`.
    fn work<'p>(
        &self,
        product: &'p Product<'p>,
        memory: *mut u32,
        (lowered, int8): (&'p int8::Lowered<'_>, int8::Kernel),
    ) -> Work<'p> {
        let bytes: Vec<_> = product.segments.iter().map(|segment| lowered.rows(segment)).collect();
        let left =
            |(segment, bytes): (&Segment<'_>, &Option<&int8::Rows>)| match (bytes, self.place(&segment.a)) {
                (Some(bytes), _) => bytes.left(segment.a.cols),
                (None, Some(at)) if !self.is_direct(product, segment) => Left {
                    first: memory.wrapping_add(at).cast_const().cast(),
                    stride: left::converted_stride(self.form, segment.a.cols) * 4,
                },
                _ => Left::direct(&segment.a),
            };
        let Product { segments, epilogue, c } = product;
        Work {
            kernel: self.kernel,
            form: self.form,
            segments,
            epilogue,
            c: *c,
            tiles: c.rows.div_ceil(self.kernel.rows),
            left: segments.iter().zip(&bytes).map(left).collect(),
            bytes,
            int8,
            shared: vec![None; segments.len()],
        }
    }
}
