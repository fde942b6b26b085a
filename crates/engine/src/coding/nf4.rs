//! The tables of NF4.

/// The numbers that the sixteen codes of NF4 stand for: quantiles of a normal distribution, scaled
/// to −1..1, with an exact zero.
pub const QUANTILES: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// What the 256 codes of a scale under an outer scale stand for: a sign, a power of ten, and the
/// middle of one of 2ⁱ equal parts of 0.1..1; zero and one beside them.
pub static STEPS: [f32; 256] = steps();

/// Powers of ten, and how finely each is divided: power i in 2ⁱ parts.
const POWERS: [f32; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

const fn steps() -> [f32; 256] {
    let mut table = [0.0; 256];
    // In order of size: negative from the largest power down, zero, positive from the smallest up.
    let mut at = 128;
    let mut power = 0;
    while power < POWERS.len() {
        let parts = 1 << power;
        let mut part = 0;
        while part < parts {
            let middle = f32::midpoint(edge(part, parts), edge(part + 1, parts));
            table[at] = POWERS[power] * middle;
            // 127 is zero and 255 is one: code 128 + j mirrors 126 − j.
            table[254 - at] = -(POWERS[power] * middle);
            at += 1;
            part += 1;
        }
        power += 1;
    }
    table[255] = 1.0;
    table
}

/// Edge `idx` of 0.1..1 cut in `parts`, counted from the nearer end and rounded once, as tensor
/// libraries do.
const fn edge(idx: usize, parts: usize) -> f32 {
    let step = ((1.0 - 0.1_f32) / parts as f32) as f64;
    let wide = match idx < parts.div_ceil(2) {
        true => 0.1_f32 as f64 + step * idx as f64,
        false => 1.0 - step * (parts - idx) as f64,
    };
    wide as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_and_mirror() {
        assert!(STEPS.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((STEPS[127], STEPS[255]), (0.0, 1.0));
        assert!((0..127).all(|idx| STEPS[idx] == -STEPS[254 - idx]));
    }

    #[test]
    fn steps_are_those_of_the_reference_bit_for_bit() {
        // FNV-1a of the bytes of the table as torch computes it: 10^(i-6) times the middles of
        // `linspace(0.1, 1, 2^i + 1)`, both signs, sorted, with 0 and 1.
        let bytes = STEPS.iter().flat_map(|step| step.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(hash, 0xd677_f22a_9666_5bc4);
    }
}
