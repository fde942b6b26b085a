//! The tables of MXFP4.

/// Twice the numbers that the sixteen codes stand for: a sign, two bits of exponent and one of
/// mantissa. Code 8 is a negative zero, which counts as zero, as in GGUF.
pub const NUMBERS: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];

/// Half of `2^(exponent − 127)`: every exponent has one in f32, the two smallest a subnormal.
#[inline(always)]
pub const fn half_power(exponent: u8) -> f32 {
    f32::from_bits(if exponent < 2 { 0x0020_0000 << exponent } else { (exponent as u32 - 1) << 23 })
}

#[cfg(test)]
mod tests {
    use super::half_power;

    #[test]
    fn every_exponent_is_a_power_of_two() {
        assert!((0..=255).all(|e| f64::from(half_power(e)) == 2.0_f64.powi(i32::from(e) - 128)));
    }
}
