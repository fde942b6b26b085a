//! What storing does to numbers, and nothing else: a file that was written, read again and held against
//! what was to be written, value by value.
//!
//! ```text
//! format   how far a value x may be from what is read, with m the largest of its block
//! F32      0
//! F16      2⁻¹¹·|x|: half a step of eleven bits
//! BF16     2⁻⁸·|x|: half a step of eight bits
//! Q8_0     d / 2, with d = m / 127
//! Q4_0     d / 2, with d = m / 8; and |x| − 7·d where there is no eighth step on that side
//! int8     d / 2, with d = m / 127, in groups (llama2.c)
//! MXFP4    0: it is never made here, only handed on
//! ```
//!
//! Beside this come what the scale of a block loses as F16, and a millionth of m for sums in f32. Where
//! the format has an encoder here, the value must be the very one that encoding and decoding gives, too:
//! the first rule holds whoever encodes, the second finds a row in the wrong place among its likes.
//!
//! What rounded weights compute is not looked at here.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::fused::Gathered;
use crate::network::Parameter;
use crate::quant::Storage;

use crate::weights::{Checkpoint, STRETCH_LEN, Taken};
use crate::whole::{Experts, Whole};

/// What rounding did to all weights together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rounded {
    /// Values compared.
    pub n_values: u64,
    /// The root of the mean squared error over that of the weights.
    pub relative: f64,
    /// The largest error, as a share of what its format allows.
    pub of_allowed: f64,
}

/// Compares a model with a file it was written into.
///
/// # Errors
/// When a weight is missing, misshapen or one too many, or a value is not the one that was written, as
/// its storage rounds it.
pub fn compare(whole: &Whole<'_>, found: &Checkpoint) -> Result<Rounded> {
    let (mut taken, mut sums) = (Taken::new(found), Sums::default());
    for parameter in whole.parameters() {
        match whole.experts(parameter) {
            Some(experts) => compare_experts(&mut taken, found, (parameter, experts), &mut sums)?,
            None => compare_one(&mut taken, found, (whole, parameter), &mut sums)?,
        }
    }
    taken.finish()?;
    let relative = if sums.errors == 0.0 { 0.0 } else { (sums.errors / sums.values).sqrt() };
    Ok(Rounded { n_values: sums.n_values, relative, of_allowed: sums.of_allowed })
}

#[derive(Debug, Default)]
struct Sums {
    n_values: u64,
    errors: f64,
    values: f64,
    of_allowed: f64,
}

fn compare_one(
    taken: &mut Taken<'_>,
    found: &Checkpoint,
    (whole, parameter): (&Whole<'_>, &Parameter),
    sums: &mut Sums,
) -> Result<()> {
    let Parameter { name, shape, turned, .. } = parameter;
    let mut stored = shape.clone();
    if *turned && found.is_published() {
        stored.reverse();
    }
    let tensor = taken.take(name, &stored)?;
    let how = How::of(tensor.info().dtype, found.group().filter(|_| shape.len() > 1));
    let row_len = shape.iter().skip(1).product::<usize>();
    let mut rows = Rows { name, how, row_len, first: 0, sums };
    how.check_rows(name, row_len)?;
    if *turned {
        return rows.compare(&whole.read(parameter)?, &found.read_turned(name)?);
    }
    let n_rows = shape.first().copied().unwrap_or(1);
    let (mut expected, mut values) = (Vec::new(), Vec::new());
    for stretch in stretches(n_rows, row_len) {
        let n_values = stretch.len() * row_len;
        expected.resize(n_values, 0.0);
        values.resize(n_values, 0.0);
        whole.read_rows(parameter, stretch.clone(), &mut expected);
        tensor.read_rows_f32(stretch, &mut values);
        rows.compare(&expected, &values)?;
    }
    Ok(())
}

fn compare_experts<'c>(
    taken: &mut Taken<'c>,
    found: &'c Checkpoint,
    (parameter, experts): (&Parameter, Experts<'_>),
    sums: &mut Sums,
) -> Result<()> {
    let gathered = Gathered::take(taken, found, parameter)?;
    // Pieces in several formats are as good as the worst of them; nothing here writes such.
    let how = How::of(gathered.storage().unwrap_or(Storage::Q4_0), None);
    let (n_out, row_len) = match *parameter.shape {
        [_, n_out, n_in] => (n_out, n_in),
        _ => (1, 1),
    };
    let mut rows = Rows { name: &parameter.name, how, row_len, first: 0, sums };
    if let Some(biases) = experts.biases() {
        return rows.compare(&biases, &gathered.biases());
    }
    let (mut expected, mut values) = (vec![0.0; n_out * row_len], vec![0.0; n_out * row_len]);
    for expert in 0..parameter.shape[0] {
        experts.read(expert, 0..n_out, &mut expected);
        gathered.read(expert, 0..n_out, &mut values);
        rows.compare(&expected, &values)?;
    }
    Ok(())
}

fn stretches(n_rows: usize, row_len: usize) -> impl Iterator<Item = Range<usize>> {
    let stretch = (STRETCH_LEN / row_len.max(1)).max(1);
    (0..n_rows).step_by(stretch).map(move |start| start..n_rows.min(start + stretch))
}

/// How a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    As(Storage),
    /// Eight bits and a scale for so many values, decoded when the file was opened.
    Groups(usize),
}

impl How {
    fn of(storage: Storage, group: Option<usize>) -> Self {
        group.map_or(Self::As(storage), Self::Groups)
    }

    /// Values that share a scale.
    fn block_len(self) -> usize {
        match self {
            Self::As(storage) => storage.format().block_len,
            Self::Groups(len) => len,
        }
    }

    /// Refuses groups that go on in the next row.
    fn check_rows(self, name: &str, row_len: usize) -> Result<()> {
        match self {
            Self::Groups(group) if group == 0 || !row_len.is_multiple_of(group) => {
                Err(Error::GroupUneven { tensor: name.to_owned(), n_values: row_len, group })
            }
            _ => Ok(()),
        }
    }

    /// What encoding and decoding makes of values, where there is an encoder.
    fn encoded(self, values: &[f32]) -> Option<Vec<f32>> {
        let Self::As(storage) = self else { return None };
        let (mut bytes, mut decoded) = (Vec::new(), vec![0.0; values.len()]);
        if !storage.format().encode(values, &mut bytes) {
            return Some(values.to_vec());
        }
        storage.format().decode(&bytes, &mut decoded);
        Some(decoded)
    }

    /// How far what is read of `x` may be from it; `m` is the largest of its block.
    fn allowed(self, x: f64, m: f64) -> f64 {
        /// Half of the least step of F16.
        const LEAST: f64 = 1.0 / (1_u64 << 25) as f64;
        let power = |n: i32| 2f64.powi(n);
        // A scale that is off is off by as much in every step.
        let scale = |steps: f64| m * power(-11) + steps * LEAST + m * power(-20);
        match self {
            Self::As(Storage::F16) => x * power(-11) + LEAST,
            Self::As(Storage::BF16) => x * power(-8) + f64::from(f32::MIN_POSITIVE),
            Self::As(Storage::Q8_0) => m / 127.0 / 2.0 + scale(127.0),
            Self::As(Storage::Q4_0) => (m / 8.0 / 2.0).max(x - 7.0 * m / 8.0) + scale(8.0),
            Self::Groups(_) => m / 127.0 / 2.0 + m * power(-20),
            Self::As(_) => 0.0,
        }
    }
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::As(storage) => storage.fmt(f),
            Self::Groups(len) => write!(f, "int8 in groups of {len}"),
        }
    }
}

/// Rows of one weight, compared one stretch after another.
#[derive(Debug)]
struct Rows<'a> {
    name: &'a str,
    how: How,
    row_len: usize,
    /// The place of the next value.
    first: usize,
    sums: &'a mut Sums,
}

impl Rows<'_> {
    fn compare(&mut self, expected: &[f32], found: &[f32]) -> Result<()> {
        let encoded = self.how.encoded(expected);
        // Formats without blocks have a scale for every value.
        let block_len = self.how.block_len().min(self.row_len.max(1));
        for (at, block) in expected.chunks(block_len).enumerate() {
            let m = block.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            for (within, x) in block.iter().enumerate() {
                let idx = at * block_len + within;
                let same = encoded.as_ref().is_none_or(|all| all[idx].to_bits() == found[idx].to_bits());
                self.one(idx, (*x, found[idx]), f64::from(m), same)?;
            }
        }
        self.first += expected.len();
        Ok(())
    }

    fn one(&mut self, idx: usize, (x, found): (f32, f32), m: f64, is_encoded: bool) -> Result<()> {
        let within = self.how.allowed(f64::from(x).abs(), m);
        let error = (f64::from(x) - f64::from(found)).abs();
        // A number that is none is no nearer to anything.
        if !is_encoded || error.is_nan() || error > within {
            let place = format!("value {} of `{}`", self.first + idx, self.name);
            let storage = self.how.to_string();
            return Err(Error::Misread { place, found, expected: x, within, storage });
        }
        self.sums.n_values += 1;
        self.sums.errors += error * error;
        self.sums.values += f64::from(x) * f64::from(x);
        self.sums.of_allowed = self.sums.of_allowed.max(if error > 0.0 { error / within } else { 0.0 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_ledger::Seed;

    fn values(scale: f32) -> Vec<f32> {
        let mut stream = Seed(7).stream("rounding");
        (0..320).map(|_| scale * stream.normal() as f32).collect()
    }

    fn compare(how: How, expected: &[f32], found: &[f32]) -> Result<Sums> {
        let mut sums = Sums::default();
        Rows { name: "w", how, row_len: 64, first: 0, sums: &mut sums }.compare(expected, found)?;
        Ok(sums)
    }

    #[test]
    fn what_a_format_rounds_is_within_what_it_may() {
        for (storage, least) in [
            (Storage::F32, 0.0),
            (Storage::F16, 0.9),
            (Storage::BF16, 0.9),
            (Storage::Q8_0, 0.7),
            (Storage::Q4_0, 0.8),
        ] {
            for scale in [1e-9, 1.0, 1e3] {
                let (how, expected) = (How::As(storage), values(scale));
                let found = how.encoded(&expected).unwrap();
                let sums = compare(how, &expected, &found).unwrap();
                assert_eq!(sums.n_values, 320);
                // Bounds that nothing comes near would find nothing.
                assert!(scale < 1.0 || sums.of_allowed >= least, "{storage}: {}", sums.of_allowed);
            }
        }
    }

    #[test]
    fn a_step_too_many_is_found_and_so_are_rows_in_each_other_s_place() {
        for storage in [Storage::F32, Storage::F16, Storage::BF16, Storage::Q8_0, Storage::Q4_0] {
            let (how, expected) = (How::As(storage), values(1.0));
            let mut found = how.encoded(&expected).unwrap();
            found.rotate_left(64);
            let told = compare(how, &expected, &found).unwrap_err().to_string();
            assert!(told.contains("value 0 of `w` is"), "{told}");
            found.rotate_right(64);
            found[17] = -found[17];
            assert!(compare(how, &expected, &found).is_err(), "{storage}");
        }
        let (how, expected) = (How::Groups(32), values(1.0));
        let mut found = expected.clone();
        let m = expected[..32].iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        found[0] += m / 127.0 * 0.49;
        assert!(compare(how, &expected, &found).is_ok());
        found[0] += m / 127.0 * 0.02;
        assert!(compare(how, &expected, &found).is_err());
    }

    #[test]
    fn what_a_format_has_no_number_for_is_found() {
        let (how, expected) = (How::As(Storage::F16), vec![1e6_f32; 64]);
        let found = how.encoded(&expected).unwrap();
        assert!(compare(how, &expected, &found).is_err());
    }
}
