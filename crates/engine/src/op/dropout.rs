//! Which numbers dropout drops: a pure function of seed, stream, row and column.
//!
//! Counters need no state, so the backward pass finds the same mask again and
//! no thread waits for another. Devices compute the same bits.
//!
//! # Source
//! The 32-bit mixing steps are the `lowbias32` constants of Chris Wellons,
//! *Prospecting for Hash Functions*, 2018; the 64-bit ones those of Steele, Lea
//! and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014 (SplitMix64).

/// The factor for a number: zero if it is dropped, else `1 / (1 − rate)`.
pub(crate) fn factor(seed: u32, stream: u32, (row, col): (usize, usize), rate: f32) -> f32 {
    let key = row_key(seed.into(), stream.into(), row as u64);
    if bits(key, col as u32) >= threshold(rate) { kept_factor(rate) } else { 0.0 }
}

/// A number is kept when its bits are at least this.
pub(crate) fn threshold(rate: f32) -> u32 {
    (f64::from(rate) * 2_f64.powi(32)).round() as u32
}

/// What a kept number is multiplied with, so that the mean stays.
pub(crate) fn kept_factor(rate: f32) -> f32 {
    (1.0 / (1.0 - f64::from(rate))) as f32
}

/// 64 well-mixed bits for a row of a stream.
pub(crate) fn row_key(seed: u64, stream: u64, row: u64) -> u64 {
    mix64(mix64(mix64(seed).wrapping_add(stream)).wrapping_add(row))
}

fn mix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 32 well-mixed bits for a column of a row; one half of the key before, one between the mixing steps.
#[inline(always)]
pub(crate) fn bits(key: u64, col: u32) -> u32 {
    let x = col.wrapping_mul(0x9e37_79b9).wrapping_add(key as u32);
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = x ^ (key >> 32) as u32;
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
