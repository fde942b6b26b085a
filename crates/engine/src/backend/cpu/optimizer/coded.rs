//! AdamW over moments of a byte each: 256 at a time are decoded in cache, updated, and coded again.
//!
//! The nearest of 256 numbers is found without a search. The upper half of a float names a cell of
//! numbers so narrow that at most one code ends inside it; a table has the code of the lowest number of
//! every cell, and one comparison says whether it is that code or the next.

use std::marker::PhantomData;
use std::sync::LazyLock;

use super::{AdamW, CHUNK, MatMut, Pool, Step, part, step_chunk};
use crate::backend::cpu::isa::Isa;
use crate::backend::cpu::simd::kernel;
use crate::coding::dynamic::{BLOCK, Book, SIGNED, UNSIGNED};
use crate::op::optimizer::moments::{LEAST, WORD};

const _: () = assert!(CHUNK.is_multiple_of(BLOCK), "tasks have whole blocks");

/// Cells: the upper halves of all floats.
const CELLS: usize = 1 << 16;

/// A moment as codes, four to a word, and the largest magnitude of every 256.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Codes, the first of each word in its lowest byte.
    pub codes: &'a mut [u32],
    /// Largest magnitudes.
    pub largest: &'a mut [f32],
}

/// One parameter, its gradient and its moments.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// The weights.
    pub weights: &'a mut [f32],
    /// Their gradient.
    pub grad: &'a [f32],
    /// Mean gradient.
    pub m: Moment<'a>,
    /// Mean squared gradient.
    pub v: Moment<'a>,
}

/// One step of AdamW with the gradient multiplied by `clip`.
///
/// # Panics
/// If the lengths do not belong together or the step is 0.
pub fn adamw(pool: &Pool, isa: Isa, settings: &AdamW, clip: f32, parameter: Parameter<'_>) {
    let Parameter { weights, grad, m, v } = parameter;
    let n = weights.len();
    assert_eq!(grad.len(), n, "weights and gradient of one length");
    let step = Step::new(settings, clip);
    let (m, v) = (Shared::new(m, &SIGNED_CODES, n), Shared::new(v, &UNSIGNED_CODES, n));
    let weights = MatMut::f32(weights, 1, n);
    pool.for_chunks(n, CHUNK, |range| {
        for start in range.clone().step_by(BLOCK) {
            let block = start..range.end.min(start + BLOCK);
            // SAFETY: each task has its own columns, and whole blocks of the moments.
            let (weights, mut m, mut v) = unsafe {
                (part(weights, block.clone()), m.block(start, block.len()), v.block(start, block.len()))
            };
            let (mut means, mut squares) = ([0.0; BLOCK], [0.0; BLOCK]);
            let (means, squares) = (&mut means[..block.len()], &mut squares[..block.len()]);
            m.decode(isa, means);
            v.decode(isa, squares);
            step_chunk(isa, &step, weights, &grad[block], means, squares);
            m.encode(isa, means);
            v.encode(isa, squares);
        }
    });
}

static SIGNED_CODES: LazyLock<Codes> = LazyLock::new(|| Codes::new(&SIGNED));
static UNSIGNED_CODES: LazyLock<Codes> = LazyLock::new(|| Codes::new(&UNSIGNED));

/// A code book, ready for both ways.
struct Codes {
    numbers: &'static [f32; 256],
    bounds: [f32; 256],
    /// The code of the lowest number of every cell.
    lowest: Box<[u8; CELLS]>,
}

impl Codes {
    fn new(book: &'static Book) -> Self {
        let bounds = std::array::from_fn(|code| book.bound(code as u8));
        let mut lowest = Box::new([0; CELLS]);
        for (cell, code) in lowest.iter_mut().enumerate() {
            let x = cell_ends(cell as u32)[0];
            *code = bounds.partition_point(|bound| *bound < x).min(255) as u8;
        }
        Self { numbers: book.numbers(), bounds, lowest }
    }
}

/// The lowest and the highest number whose upper half is `cell`.
fn cell_ends(cell: u32) -> [f32; 2] {
    let ends = [cell << 16, cell << 16 | 0xffff].map(f32::from_bits);
    if cell < 1 << 15 { ends } else { [ends[1], ends[0]] }
}

/// A moment that tasks have whole blocks of.
struct Shared<'a> {
    codes: *mut u32,
    largest: *mut f32,
    n: usize,
    table: &'static Codes,
    life: PhantomData<&'a mut [u32]>,
}

// SAFETY: tasks take disjoint blocks; taking one is `unsafe` and says so.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    fn new(moment: Moment<'a>, table: &'static Codes, n: usize) -> Self {
        let Moment { codes, largest } = moment;
        let found = (codes.len(), largest.len());
        assert_eq!(
            found,
            (n.div_ceil(WORD), n.div_ceil(BLOCK)),
            "codes and largest magnitudes of {n} numbers"
        );
        Self { codes: codes.as_mut_ptr(), largest: largest.as_mut_ptr(), n, table, life: PhantomData }
    }

    /// The block of `len` numbers that begins at `start`.
    ///
    /// # Safety
    /// No other thread or live slice may touch it.
    unsafe fn block(&self, start: usize, len: usize) -> Block<'a> {
        assert!(
            start.is_multiple_of(BLOCK) && len <= BLOCK && start + len <= self.n,
            "a block of {}",
            self.n
        );
        // SAFETY: in bounds by the assertion, exclusive by the caller's promise.
        let (codes, largest) = unsafe {
            let codes = std::slice::from_raw_parts_mut(self.codes.add(start / WORD), len.div_ceil(WORD));
            (codes, &mut *self.largest.add(start / BLOCK))
        };
        Block { codes, largest, table: self.table }
    }
}

/// The moments of at most 256 numbers.
struct Block<'a> {
    codes: &'a mut [u32],
    largest: &'a mut f32,
    table: &'static Codes,
}

impl Block<'_> {
    fn decode(&self, isa: Isa, to: &mut [f32]) {
        decode(isa, self.codes, self.table.numbers, *self.largest, to);
    }

    fn encode(&mut self, isa: Isa, from: &[f32]) {
        *self.largest = encode(isa, from, self.table, self.codes);
    }
}

kernel! {
    fn decode<S>(codes: &[u32], numbers: &[f32; 256], largest: f32, to: &mut [f32]) {
        for (word, to) in codes.iter().zip(to.chunks_mut(WORD)) {
            for (code, to) in word.to_le_bytes().into_iter().zip(to) {
                *to = numbers[usize::from(code)] * largest;
            }
        }
    }
}

kernel! {
    fn encode<S>(from: &[f32], table: &Codes, codes: &mut [u32]) -> f32 {
        let mut lanes = [0.0_f32; 32];
        let (blocks, tail) = from.as_chunks::<32>();
        for block in blocks {
            for idx in 0..32 {
                lanes[idx] = lanes[idx].max(block[idx].abs());
            }
        }
        let largest = lanes.into_iter().chain(tail.iter().map(|x| x.abs())).fold(0.0, f32::max);
        let inverse = 1.0 / largest.max(LEAST);
        for (word, from) in codes.iter_mut().zip(from.chunks(WORD)) {
            let mut bytes = [0; WORD];
            for (byte, x) in bytes.iter_mut().zip(from) {
                let x = x * inverse;
                let code = table.lowest[usize::from((x.to_bits() >> 16) as u16)];
                *byte = code.wrapping_add(u8::from(x > table.bounds[usize::from(code)]));
            }
            *word = u32::from_le_bytes(bytes);
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::optimizer;
    use crate::backend::cpu::row::tests::{assert_same, noise, pools};

    #[test]
    fn at_most_one_code_ends_in_a_cell() {
        for codes in [&SIGNED_CODES, &UNSIGNED_CODES] {
            // Up to twice the largest number there is.
            for cell in (0..CELLS as u32).filter(|cell| f32::from_bits((cell & 0x7fff) << 16) < 2.0) {
                let [low, high] = cell_ends(cell);
                let n = codes.bounds.iter().filter(|bound| (low..high).contains(*bound)).count();
                assert!(n <= 1, "{n} bounds in {low}..{high}");
            }
        }
    }

    fn check_nearest(book: &'static Book, x: &[f32]) {
        let table = Codes::new(book);
        for isa in Isa::available() {
            let mut words = vec![0; x.len().div_ceil(WORD)];
            let largest = encode(isa, x, &table, &mut words);
            let scaled = |x: &f32| f64::from(x * (1.0 / largest.max(LEAST)));
            let found = words.iter().flat_map(|word| word.to_le_bytes());
            for (x, code) in x.iter().zip(found) {
                assert_eq!(code, book.nearest(scaled(x)), "{x} of {largest} on {isa}");
            }
        }
    }

    #[test]
    fn codes_are_those_of_the_nearest_numbers() {
        let spread: Vec<f32> =
            noise(256, 5).iter().zip(noise(256, 6)).map(|(a, b)| a * (b * 9.0).exp()).collect();
        let positive: Vec<f32> = spread.iter().map(|x| x * x).collect();
        let bounds = |book: &Book| -> Vec<f32> {
            (0..255)
                .flat_map(|code| [book.bound(code).next_down(), book.bound(code), book.bound(code).next_up()])
                .chain([1.0, 0.0])
                .collect()
        };
        for (book, x) in [(&SIGNED, &spread), (&UNSIGNED, &positive)] {
            check_nearest(book, x);
            check_nearest(book, &x[..37]);
            bounds(book).chunks(200).for_each(|part| check_nearest(book, &[part, &[1.0]].concat()));
        }
        check_nearest(&SIGNED, &[0.0; 9]);
        check_nearest(&SIGNED, &[1e-42, -1e-43, 0.0]);
        check_nearest(&SIGNED, &[]);
    }

    /// Three steps with moments as codes, and as numbers.
    fn three_steps(isa: Isa, pool: &Pool, n: usize) -> [Vec<f32>; 2] {
        let settings = AdamW { lr: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, step: 1 };
        let [mut weights, mut plain] = [noise(n, 1), noise(n, 1)];
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let mut codes = [vec![0; n.div_ceil(WORD)], vec![0; n.div_ceil(WORD)]];
        let mut largest = [vec![0.0; n.div_ceil(BLOCK)], vec![0.0; n.div_ceil(BLOCK)]];
        for step in 1..=3 {
            let (grad, settings) = (&noise(n, 10 + u64::from(step)), AdamW { step, ..settings });
            let [m_codes, v_codes] = &mut codes;
            let [m_largest, v_largest] = &mut largest;
            let coded = Parameter {
                weights: &mut weights,
                grad,
                m: Moment { codes: m_codes, largest: m_largest },
                v: Moment { codes: v_codes, largest: v_largest },
            };
            adamw(pool, isa, &settings, 1.0, coded);
            let parameter = optimizer::Parameter { weights: &mut plain, grad, m: &mut m, v: &mut v };
            optimizer::adamw(pool, isa, &settings, 1.0, parameter);
        }
        [weights, plain]
    }

    #[test]
    fn steps_are_near_those_over_numbers_and_the_same_for_any_threads() {
        for (n, isa) in
            [0, 1, 37, 300, CHUNK + 261].into_iter().flat_map(|n| Isa::available().map(move |isa| (n, isa)))
        {
            let mut of_isa = None;
            for pool in pools() {
                let [weights, plain] = three_steps(isa, &pool, n);
                // A step moves a weight by about the rate; codes round a moment by a few per cent.
                let far = weights.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 3e-3 && (n < 2 || far > 0.0), "{n} on {isa}: {far} apart");
                assert_same(isa, &mut of_isa, weights);
            }
        }
    }
}
