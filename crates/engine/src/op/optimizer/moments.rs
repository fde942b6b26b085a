//! Running moments: as numbers, or as codes of a byte each.
//!
//! Coded, 256 moments in a row share the largest magnitude among them and a byte each names the
//! nearest of 256 numbers between that and zero. They are decoded before an update and coded after it,
//! so what the update computes with is the same; what is carried to the next one is rounded.
//!
//! # Source
//! Dettmers, Lewis, Shleifer and Zettlemoyer, "8-bit Optimizers via Block-wise Quantization", 2022,
//! arXiv 2110.02861, section 2, as bitsandbytes' `AdamW8bit` computes it.

use super::super::{Access, Host, Real, expect, expect_f32, expect_ids};
use crate::coding::dynamic::{BLOCK, Book, SIGNED, UNSIGNED};
use crate::program::{Program, ShapeError, TensorId};

/// Codes in a word, the first in its lowest byte.
pub(crate) const WORD: usize = 4;

/// The smallest that a largest magnitude counts as where it divides.
pub(crate) const LEAST: f32 = 1e-38;

/// How the two moments of a weight are kept between updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// As f32, of the shape of the weight.
    Plain {
        /// First moment m.
        mean: TensorId,
        /// Second moment v.
        square: TensorId,
    },
    /// As codes.
    Coded {
        /// First moment m, of both signs.
        mean: Coded,
        /// Second moment v, never negative.
        square: Coded,
    },
}

/// Numbers kept as codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coded {
    /// A byte for every number, four to a word, (1, n / 4), ids.
    pub codes: TensorId,
    /// The largest magnitude of every 256 numbers, (1, n / 256), f32.
    pub largest: TensorId,
}

impl Coded {
    /// Words for the codes of `n` numbers.
    pub const fn words(n: usize) -> usize {
        n.div_ceil(WORD)
    }

    /// Blocks of `n` numbers.
    pub const fn blocks(n: usize) -> usize {
        n.div_ceil(BLOCK)
    }

    fn read<R: Real>(self, host: &Host<R>, book: &Book, n: usize) -> Vec<R> {
        let (words, largest) = (host.ids(self.codes), host.get(self.largest));
        let code = |at: usize| words[at / WORD].to_le_bytes()[at % WORD];
        let number = |at: usize| R::from_f64(f64::from(book.numbers()[usize::from(code(at))]));
        (0..n).map(|at| number(at) * largest[at / BLOCK]).collect()
    }

    fn write<R: Real>(self, host: &mut Host<R>, book: &Book, numbers: &[R]) {
        let magnitude = |x: &R| x.to_f64().abs();
        let largest: Vec<f64> =
            numbers.chunks(BLOCK).map(|block| block.iter().map(magnitude).fold(0.0, f64::max)).collect();
        let code = |(at, x): (usize, &R)| book.nearest(x.to_f64() / largest[at / BLOCK].max(LEAST.into()));
        let codes: Vec<u8> = numbers.iter().enumerate().map(code).collect();
        let word = |codes: &[u8]| codes.iter().rev().fold(0, |word, code| word << 8 | u32::from(*code));
        host.set_ids(self.codes, codes.chunks(WORD).map(word).collect());
        host.put(self.largest, largest.into_iter().map(R::from_f64).collect());
    }

    fn check(self, op: &'static str, program: &Program, n: usize) -> Result<(), ShapeError> {
        let numbers = |id: TensorId| program.rows(id) * program.cols(id);
        expect_ids(op, program, self.codes)?;
        expect(op, program, self.codes, "words", numbers(self.codes), Self::words(n))?;
        expect_f32(op, program, self.largest)?;
        expect(op, program, self.largest, "numbers", numbers(self.largest), Self::blocks(n))
    }
}

impl Moments {
    /// Its tensors, with what they hold: `mean` and `square`, or the codes and largest magnitudes of
    /// each.
    pub fn parts(self) -> Vec<(&'static str, TensorId)> {
        match self {
            Self::Plain { mean, square } => vec![("mean", mean), ("square", square)],
            Self::Coded { mean, square } => vec![
                ("mean codes", mean.codes),
                ("mean largest", mean.largest),
                ("square codes", square.codes),
                ("square largest", square.largest),
            ],
        }
    }

    pub(super) fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        let tensors = match self {
            Self::Plain { mean, square } => vec![mean, square],
            Self::Coded { mean, square } => {
                vec![&mut mean.codes, &mut mean.largest, &mut square.codes, &mut square.largest]
            }
        };
        tensors.into_iter().for_each(|id| visitor(Access::Update, id));
    }

    pub(super) fn check(self, op: &'static str, program: &Program, n: usize) -> Result<(), ShapeError> {
        match self {
            Self::Plain { mean, square } => [mean, square].into_iter().try_for_each(|id| {
                expect_f32(op, program, id)?;
                expect(op, program, id, "numbers", program.rows(id) * program.cols(id), n)
            }),
            Self::Coded { mean, square } => {
                mean.check(op, program, n).and_then(|()| square.check(op, program, n))
            }
        }
    }

    /// Both moments of `n` numbers.
    pub(super) fn read<R: Real>(self, host: &Host<R>, n: usize) -> (Vec<R>, Vec<R>) {
        match self {
            Self::Plain { mean, square } => (host.get(mean).to_vec(), host.get(square).to_vec()),
            Self::Coded { mean, square } => (mean.read(host, &SIGNED, n), square.read(host, &UNSIGNED, n)),
        }
    }

    pub(super) fn write<R: Real>(self, host: &mut Host<R>, means: Vec<R>, squares: Vec<R>) {
        match self {
            Self::Plain { mean, square } => {
                host.put(mean, means);
                host.put(square, squares);
            }
            Self::Coded { mean, square } => {
                mean.write(host, &SIGNED, &means);
                square.write(host, &UNSIGNED, &squares);
            }
        }
    }
}
