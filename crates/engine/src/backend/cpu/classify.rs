//! The vocabulary projection and its cross entropy, some rows at a time.
//!
//! A task multiplies all rows of a chunk with a block of the vocabulary and turns the logits into
//! exponentials while they are in its cache; see [`super::loss`]. When all blocks of the rows are
//! known, the exponentials become the gradient where they lie.

use super::device::Cpu;
use super::elementwise;
use super::embed;
use super::gemm::{ALIAS_BYTES, Epilogue, Operand, PANEL, Segment, gemm, scratch};
use super::isa::Isa;
use super::loss::{self, Parts, Settled, WIDEST};
use super::pool::Pool;
use super::tensor::elem;
use super::view::{Elem, Mat, MatMut};
use crate::backend::Bound;
use crate::op::{self, IGNORE};
use crate::program::Precision;

/// Logits of a task: 128 KiB, which leave room for the block's weights in a second cache.
pub(super) const TASK_LOGITS: usize = 32 * 1024;
/// The most rows of a task.
const TASK_ROWS: usize = 512;
/// Bytes between rows of the gradient that would have to be copied before they are multiplied.
const APART_BYTES: usize = 64;

/// Columns of a block of the vocabulary, for a chunk of this many rows: whole panels of its weights.
pub(super) fn block_width(n_rows: usize) -> usize {
    (TASK_LOGITS / n_rows.clamp(1, TASK_ROWS) / PANEL * PANEL).clamp(2 * PANEL, WIDEST)
}

/// Numbers from one row of the gradient to the next.
pub(super) fn gradient_stride(vocabulary: usize, elem: Elem) -> usize {
    let is_aliased = (vocabulary * elem.bytes()).is_multiple_of(ALIAS_BYTES);
    vocabulary + if is_aliased { APART_BYTES / elem.bytes() } else { 0 }
}

impl Cpu {
    pub(super) fn cross_entropy(&self, bound: &Bound<'_>, op: &op::CrossEntropy) {
        let targets = self.ids(bound, op.targets);
        let rows: Vec<u32> =
            (0..).zip(targets).filter(|(_, target)| **target != IGNORE).map(|(row, _)| row).collect();
        self.floats_mut(bound, op.losses).fill(0.0);
        if let Some(dx) = op.dx {
            elementwise::fill(&self.pool, self.isa, 0.0, self.mat_mut(bound, dx));
        }
        let chunk = spread(self.mat_mut(bound, op.chunk), bound.program.compute());
        // Chunks of equal size: each reads the whole vocabulary.
        let n_chunks = rows.len().div_ceil(chunk.rows).max(1);
        rows.chunks(rows.len().div_ceil(n_chunks).max(1))
            .for_each(|rows| self.classify_rows(bound, op, rows, chunk.rows(0, rows.len())));
    }

    /// Loss and gradients of the rows given, whose exponentials fit into `chunk`.
    fn classify_rows(&self, bound: &Bound<'_>, op: &op::CrossEntropy, rows: &[u32], chunk: MatMut<'_>) {
        let mut gathered = Vec::new();
        let x = self.pick(self.mat(bound, op.x), rows, &mut gathered);
        let targets = self.ids(bound, op.targets);
        let targets: Vec<u32> = rows.iter().map(|&row| targets[row as usize]).collect();
        let scale = self.floats(bound, op.gradient_scale)[0];
        let wants_gradient = op.dx.is_some() || op.dweight.is_some();
        let powers = wants_gradient.then_some(chunk);
        let job = Job {
            alone: &self.alone,
            isa: self.isa,
            precision: bound.program.compute(),
            x,
            weight: self.forward_operand(bound, op.weight),
            targets: &targets,
            scale,
            powers,
        };
        let losses = job.losses(&self.pool);
        let all_losses = self.floats_mut(bound, op.losses);
        rows.iter().zip(&losses).for_each(|(&row, &loss)| all_losses[row as usize] = loss);

        // SAFETY: written above, only read from here on.
        let dlogits = unsafe { chunk.as_mat() };
        if let Some(dx) = op.dx {
            let segment = Segment { a: dlogits, b: self.backward_operand(bound, op.weight) };
            self.place(bound, &[segment], rows, self.mat_mut(bound, dx));
        }
        if let Some(dweight) = op.dweight {
            let dlogits = self.transposed(dlogits);
            let segment = Segment { a: dlogits.mat(), b: Operand::Columns(x) };
            self.add_product(bound, segment, dweight);
        }
    }

    /// The rows of `x` wanted: in place if they lie together, else copied into `room`.
    fn pick<'a>(&self, x: Mat<'a>, rows: &[u32], room: &'a mut Vec<u32>) -> Mat<'a> {
        if let Some(first) = run_of(rows) {
            return x.rows(first, rows.len());
        }
        room.resize(rows.len() * x.cols, 0);
        // SAFETY: `room` holds four bytes for every number and lives as long as the result.
        let picked =
            unsafe { MatMut::from_raw(room.as_mut_ptr().cast(), x.elem, rows.len(), x.cols, x.cols) };
        embed::gather(&self.pool, self.isa, x, rows, picked);
        // SAFETY: written above, only read from here on.
        unsafe { picked.as_mat() }
    }

    /// Writes the rows of a product to the rows wanted of `to`.
    fn place(&self, bound: &Bound<'_>, segments: &[Segment<'_>], rows: &[u32], to: MatMut<'_>) {
        if let Some(first) = run_of(rows) {
            return self.product(bound, segments, &Epilogue::default(), to.rows(first, rows.len()));
        }
        let mut room = vec![0.0_f32; rows.len() * to.cols];
        self.product(bound, segments, &Epilogue::default(), MatMut::f32(&mut room, rows.len(), to.cols));
        for (&row, values) in rows.iter().zip(room.chunks(to.cols)) {
            elementwise::copy(&self.pool, self.isa, Mat::f32(values, 1, to.cols), to.rows(row as usize, 1));
        }
    }
}

/// Rows with loss, and what they are held against.
struct Job<'a> {
    /// A pool of one, for products on a thread of the pool.
    alone: &'a Pool,
    isa: Isa,
    precision: Precision,
    /// (rows, D).
    x: Mat<'a>,
    weight: Operand<'a>,
    targets: &'a [u32],
    /// Multiplies the gradient.
    scale: f32,
    /// Room for exponentials and then the gradient of the logits, if it is wanted, (rows, V).
    powers: Option<MatMut<'a>>,
}

/// What a task computes of the logits.
struct Area {
    block: usize,
    first_row: usize,
    rows: usize,
    first_col: usize,
    cols: usize,
}

impl Job<'_> {
    /// The loss of every row, and the gradient of its logits where there is room for it.
    fn losses(&self, pool: &Pool) -> Vec<f32> {
        let (n_rows, vocabulary) = (self.x.rows, self.weight.n());
        for &target in self.targets {
            assert!((target as usize) < vocabulary, "target {target} in a vocabulary of {vocabulary}");
        }
        let width = block_width(n_rows);
        let (n_blocks, n_pieces) = (vocabulary.div_ceil(width), n_rows.div_ceil(TASK_ROWS));
        let (mut largest, mut totals) = (vec![0.0; n_blocks * n_rows], vec![0.0; n_blocks * n_rows]);
        let parts = Parts {
            largest: MatMut::f32(&mut largest, n_blocks, n_rows),
            totals: MatMut::f32(&mut totals, n_blocks, n_rows),
        };
        let (mut found, mut losses) = (vec![0.0_f32; n_rows], vec![0.0_f32; n_rows]);
        let (found, to) = (MatMut::f32(&mut found, n_rows, 1), MatMut::f32(&mut losses, n_rows, 1));
        pool.run(n_blocks * n_pieces, |task| {
            let (block, first_row) = (task / n_pieces, task % n_pieces * TASK_ROWS);
            let first_col = block * width;
            let (rows, cols) = (TASK_ROWS.min(n_rows - first_row), width.min(vocabulary - first_col));
            // SAFETY: each task has an area of its own.
            unsafe { self.exponentials(&Area { block, first_row, rows, first_col, cols }, &parts, found) };
        });
        pool.run(n_rows, |row| {
            let settled = Settled::new(&parts, row);
            // SAFETY: logits are complete, and each task owns its row of the rest.
            unsafe {
                let logit = found.as_mat().get(row, 0);
                to.row_f32(row)[0] = settled.loss(logit);
                if let Some(powers) = self.powers {
                    let hit = (self.targets[row] as usize, logit, self.scale);
                    loss::settle(self.isa, powers, (&parts, &settled), row, width, hit);
                }
            }
        });
        losses
    }

    /// Exponentials of some rows in one block, and the logits of targets that are in it.
    ///
    /// # Safety
    /// No other thread touches the area.
    unsafe fn exponentials(&self, at: &Area, parts: &Parts<'_>, found: MatMut<'_>) {
        let Area { block, first_row, rows, first_col, cols } = *at;
        scratch::with(rows * cols, |room| {
            // SAFETY: the room was measured for them.
            let logits = unsafe { MatMut::from_raw(room.cast(), Elem::F32, rows, cols, cols) };
            let segment =
                Segment { a: self.x.rows(first_row, rows), b: self.weight.columns(first_col, cols) };
            gemm(self.alone, self.isa, self.precision, &[segment], &Epilogue::default(), logits);
            // SAFETY: the area is this task's, and a target is in one block.
            unsafe {
                let logits = logits.as_mat();
                for row in 0..rows {
                    let target = self.targets[first_row + row] as usize;
                    if (first_col..first_col + cols).contains(&target) {
                        found.row_f32(first_row + row)[0] = logits.get(row, target - first_col);
                    }
                }
                let powers = self.powers.map(|powers| powers.rows(first_row, rows).columns(first_col, cols));
                let [largest, totals] =
                    [parts.largest, parts.totals].map(|part| part.columns(first_row, rows).row_f32(block));
                loss::exponentials(self.isa, logits, powers, largest, totals);
            }
        });
    }
}

/// As many rows as the memory of `room` holds in the storage that products read, laid apart if
/// they would otherwise have to be copied.
fn spread(room: MatMut<'_>, precision: Precision) -> MatMut<'_> {
    let elem = elem(precision.dtype());
    let numbers = room.rows * room.stride * room.elem.bytes() / elem.bytes();
    // Room for one row alone has none to spare.
    let stride = gradient_stride(room.cols, elem).min(numbers);
    // SAFETY: the same bytes.
    unsafe { MatMut::from_raw(room.row_ptr(0), elem, numbers / stride, room.cols, stride) }
}

/// The first of `rows` if they are consecutive.
fn run_of(rows: &[u32]) -> Option<usize> {
    let (&first, &last) = rows.first().zip(rows.last())?;
    ((last - first) as usize + 1 == rows.len()).then_some(first as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};

    const WIDTH: usize = 8;

    /// Losses, and the gradient of the logits.
    fn losses(pool: &Pool, isa: Isa, vocabulary: usize, targets: &[u32]) -> (Vec<f32>, Buffer) {
        let alone = Pool::new(std::num::NonZeroUsize::MIN);
        let (x, w) = (noise(targets.len() * WIDTH, 1), noise(vocabulary * WIDTH, 2));
        let mut gradient = Buffer::new(Elem::F32, &vec![0.0; targets.len() * vocabulary]);
        let job = Job {
            alone: &alone,
            isa,
            precision: Precision::F32,
            x: Mat::f32(&x, targets.len(), WIDTH),
            weight: Operand::Rows(Mat::f32(&w, vocabulary, WIDTH)),
            targets,
            scale: 0.5,
            powers: Some(gradient.mat_mut(targets.len(), vocabulary)),
        };
        (job.losses(pool), gradient)
    }

    #[test]
    fn neither_pieces_nor_threads_change_a_loss() {
        let (rows, vocabulary) = (TASK_ROWS + 100, 300);
        let targets: Vec<u32> = (0..rows as u32).map(|row| row * 7 % vocabulary as u32).collect();
        let (x, w) = (noise(rows * WIDTH, 1), noise(vocabulary * WIDTH, 2));
        let logit = |row: usize, col: usize| -> f64 {
            (0..WIDTH).map(|k| f64::from(x[row * WIDTH + k]) * f64::from(w[col * WIDTH + k])).sum()
        };
        let expected = targets.iter().enumerate().map(|(row, &target)| {
            (0..vocabulary).map(|col| logit(row, col).exp()).sum::<f64>().ln() - logit(row, target as usize)
        });
        let expected: Vec<f64> = expected.collect();
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let (losses, gradient) = losses(&pool, isa, vocabulary, &targets);
                let wide: Vec<f64> = losses.iter().map(|&loss| loss.into()).collect();
                assert_close("loss", &wide, &expected, 1e-6);
                // What is taken from the target is given to the others.
                let sums = gradient.wide();
                let sums = sums.chunks(vocabulary).map(|row| row.iter().sum::<f64>());
                assert_close("sum", &sums.collect::<Vec<_>>(), &vec![0.0; rows], 1e-5);
                assert_same(isa, &mut of_isa, (losses, gradient));
            }
        }
    }

    #[test]
    #[should_panic(expected = "target 4 in a vocabulary of 4")]
    fn a_target_outside_the_vocabulary_is_named() {
        losses(&pools()[0], Isa::best(), 4, &[4]);
    }
}
