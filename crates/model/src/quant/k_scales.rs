//! The eight 6-bit scales and minima that `Q4_K` and `Q5_K` pack into twelve bytes.
//!
//! ```text
//! byte 0..4    scale j of 0..4 in the low six bits; top two bits of scale j + 4 above them
//! byte 4..8    minimum j of 0..4 in the low six bits; top two bits of minimum j + 4 above them
//! byte 8..12   low four bits of scale j + 4, low four bits of minimum j + 4
//! ```

use penname_engine::CodedRow;

/// Unpacks scales and minima.
pub(super) fn unpack(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for j in 0..4 {
        let (scale, minimum, low) = (packed[j], packed[j + 4], packed[j + 8]);
        scales[j] = scale & 63;
        minima[j] = minimum & 63;
        scales[j + 4] = (low & 15) | ((scale >> 6) << 4);
        minima[j + 4] = (low >> 4) | ((minimum >> 6) << 4);
    }
    (scales, minima)
}

/// Unpacks the scales that begin at byte four of a block, multiplied by the block's own scales.
pub(super) fn unpack_scaled(block: &[u8]) -> [(f32, f32); 8] {
    let (d, d_min) = (super::half_at(block, 0), super::half_at(block, 2));
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[4..16]);
    let (scales, minima) = unpack(&packed);
    std::array::from_fn(|j| (d * f32::from(scales[j]), d_min * f32::from(minima[j])))
}

/// Takes apart what stands in front of the numbers of a block.
pub(super) fn apart(block: &[u8], row: &mut CodedRow) {
    row.d.push(super::bits_at(block, 0));
    row.m.push(super::bits_at(block, 2));
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[4..16]);
    let (scales, minima) = unpack(&packed);
    row.scales.extend(scales);
    row.minima.extend(minima);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_the_twelve_bytes_is_used_once() {
        for bit in 0..96 {
            let mut packed = [0; 12];
            packed[bit / 8] = 1 << (bit % 8);
            let (scales, minima) = unpack(&packed);
            let ones: u32 = scales.iter().chain(&minima).map(|six| six.count_ones()).sum();
            assert_eq!(ones, 1, "bit {bit}");
        }
    }
}
