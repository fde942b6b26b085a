//! A code book of 256 numbers whose spacing grows with their size: seven decades below one, each with
//! twice as many numbers as the one below it.
//!
//! Numbers that share a largest magnitude are divided by it and named by the code of the nearest
//! number. What is small beside the largest keeps its order of magnitude, which is what running
//! moments of gradients need. This is not a [`Coding`](super::Coding): weights are never kept so.
//!
//! # Source
//! Dettmers, Lewis, Shleifer and Zettlemoyer, "8-bit Optimizers via Block-wise Quantization", 2022,
//! arXiv 2110.02861, section 2. The numbers are those of bitsandbytes' `create_dynamic_map`, bit for
//! bit; its decades are cut in f32 by fused multiply-adds.

/// Numbers that share a largest magnitude.
pub const BLOCK: usize = 256;

/// 256 numbers in ascending order.
#[derive(Debug)]
pub struct Book {
    numbers: [f32; 256],
}

/// For numbers of both signs: 127 below zero, zero, 127 above it, and one.
pub static SIGNED: Book = Book::new(true);

/// For numbers that are not negative: zero, 254 above it, and one.
pub static UNSIGNED: Book = Book::new(false);

/// 10⁻⁶ to 1.
const DECADES: [f32; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

impl Book {
    const fn new(signed: bool) -> Self {
        let mut numbers = [0.0; 256];
        let zero = if signed { 127 } else { 0 };
        let (mut decade, mut at) = (0, 1);
        while decade < DECADES.len() {
            let n = if signed { 1 << decade } else { 2 << decade };
            let mut idx = 0;
            while idx < n {
                let number = DECADES[decade] * ((cut(idx, n) + cut(idx + 1, n)) / 2.0);
                numbers[zero + at] = number;
                if signed {
                    numbers[zero - at] = -number;
                }
                (idx, at) = (idx + 1, at + 1);
            }
            decade += 1;
        }
        numbers[255] = 1.0;
        Self { numbers }
    }

    /// What the codes stand for.
    pub const fn numbers(&self) -> &[f32; 256] {
        &self.numbers
    }

    /// Halfway from the number of `code` to the next: what lies above is not that number. There is
    /// nothing above the last.
    pub const fn bound(&self, code: u8) -> f32 {
        if code == u8::MAX {
            return f32::INFINITY;
        }
        (self.numbers[code as usize] + self.numbers[code as usize + 1]) / 2.0
    }

    /// The code of the number nearest to `x`, the lower one where two are equally near.
    pub fn nearest(&self, x: f64) -> u8 {
        // As many codes as there are bounds below x.
        (0..u8::MAX).take_while(|code| f64::from(self.bound(*code)) < x).count() as u8
    }
}

/// The point at which part `idx` of `n` equal parts of 0.1 to 1 begins.
const fn cut(idx: usize, n: usize) -> f32 {
    let (low, high) = (0.1_f32, 1.0_f32);
    let step = (high - low) / n as f32;
    // Products of these are exact in f64, so each point is rounded once.
    if idx < n.div_ceil(2) {
        (low as f64 + step as f64 * idx as f64) as f32
    } else {
        (high as f64 - step as f64 * (n - idx) as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_to_one_and_the_nearest_is_found() {
        for book in [&SIGNED, &UNSIGNED] {
            assert!(book.numbers().is_sorted_by(|a, b| a < b));
            assert_eq!((book.numbers()[255], book.numbers().iter().filter(|x| **x == 0.0).count()), (1.0, 1));
            for (code, x) in (0..=u8::MAX).zip(book.numbers()) {
                assert_eq!(book.nearest(f64::from(*x)), code);
            }
            let tie = book.bound(200);
            assert_eq!(book.nearest(f64::from(tie)), 200);
            assert_eq!(book.nearest(f64::from(tie.next_up())), 201);
            assert_eq!((book.nearest(2.0), book.nearest(-2.0)), (255, 0));
        }
    }
}
