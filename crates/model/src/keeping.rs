//! How a frozen base is kept in memory: as its file stores it, rounded, or quantized on the way.
//!
//! A weight that stays quantized is worth exactly what decoding it first would give, and takes the
//! memory it takes in its file. What cannot stay as asked is rounded like everything else, and
//! counted in [`crate::Parameters::kept`].

use crate::error::Result;
use crate::fused::Expert;
use crate::quant::{Apart, Storage, nf4};
use crate::weights::Tensor;
use penname_engine::coding::Outer;
use penname_engine::{BufferId, CodedRow, CodedWeight, Coding, DType, Device};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How the frozen weights of a model are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keeping {
    /// Quantized weights as their file stores them, others rounded to the precision of products.
    #[default]
    Stored,
    /// Decoded and rounded to the precision of products.
    Rounded,
    /// The weights of linears in this format, whatever their file has.
    Quantized(Quantizer),
    /// The weights of linears in bytes, multiplied as bytes; those of experts are rounded.
    Int8,
}

/// What weights in bytes are called.
pub(crate) const INT8: &str = "int8";

/// Where the frozen weights of a model lie while they are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Residence {
    /// All of them in memory.
    #[default]
    Memory,
    /// Matrices on disk, read block by block.
    Disk,
}

/// A format that weights are quantized to while they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantizer {
    /// Quantiles of a normal distribution in 4 bits, with doubled scales.
    Nf4,
    /// 8 bits and a scale for 32 values.
    Q8_0,
    /// 4 bits and a scale for 32 values.
    Q4_0,
}

impl Quantizer {
    fn coding(self) -> Coding {
        match self {
            Self::Nf4 => Coding::Nf4,
            Self::Q8_0 => Coding::Q8_0,
            Self::Q4_0 => Coding::Q4_0,
        }
    }
}

impl Keeping {
    /// The format in which a weight stored as `storage` would stay quantized, if it would.
    pub(crate) fn quantized(self, storage: Storage) -> Option<String> {
        match self {
            Self::Rounded => None,
            Self::Int8 => Some(INT8.to_owned()),
            Self::Stored => storage.format().apart.map(|apart| apart.coding.name().to_owned()),
            Self::Quantized(quantizer) => Some(quantizer.coding().name().to_owned()),
        }
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("stored"),
            Self::Rounded => f.write_str("rounded"),
            Self::Int8 => f.write_str(INT8),
            Self::Quantized(quantizer) => f.write_str(quantizer.coding().name()),
        }
    }
}

/// Where the rows of a weight come from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// A tensor that lies as the program has it.
    Tensor(Tensor<'a>),
    /// All of its numbers, (rows, cols), where the file has them the other way round.
    Whole(Vec<f32>),
    /// One expert of several.
    Expert(Expert<'a>),
}

impl Source<'_> {
    /// How rows are taken apart to stay as they are stored, if they can.
    fn apart(&self) -> Option<Apart> {
        match self {
            Self::Tensor(tensor) if tensor.info().shape.len() == 2 => tensor.info().dtype.format().apart,
            Self::Expert(expert) => expert.apart(),
            Self::Tensor(_) | Self::Whole(_) => None,
        }
    }

    /// Reads rows, decoded.
    fn read(&self, rows: Range<usize>, room: &mut [f32]) {
        match self {
            Self::Whole(values) => copy_rows(values, rows, room),
            Self::Expert(expert) => expert.read(rows, room),
            Self::Tensor(tensor) if tensor.info().shape.len() < 2 => {
                let mut values = Vec::new();
                tensor.read_f32(&mut values);
                room.copy_from_slice(&values);
            }
            Self::Tensor(tensor) => tensor.read_rows_f32(rows, room),
        }
    }

    /// The stored bytes of a row.
    fn row(&self, row: usize) -> Cow<'_, [u8]> {
        match self {
            Self::Tensor(tensor) => tensor.row(row),
            Self::Expert(expert) => expert.row(row),
            Self::Whole(_) => Cow::Borrowed(&[]),
        }
    }
}

/// In what a frozen weight stays coded, if it does: `apart` is how its file's blocks come apart, where
/// they can stay as they are.
pub(crate) fn coding_for(
    keeping: Keeping,
    apart: Option<Apart>,
    is_linear: bool,
    cols: usize,
) -> Option<Coding> {
    match keeping {
        Keeping::Rounded | Keeping::Int8 => None,
        Keeping::Stored => apart.map(|apart| apart.coding),
        Keeping::Quantized(to) => {
            (is_linear && cols.is_multiple_of(to.coding().chunk())).then(|| to.coding())
        }
    }
}

/// Whether a frozen weight lies in bytes.
pub(crate) fn is_int8(keeping: Keeping, is_linear: bool, is_of_expert: bool) -> bool {
    keeping == Keeping::Int8 && is_linear && !is_of_expert
}

/// A weight on its way to a device.
pub(crate) struct Incoming<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// What its numbers are rounded to where they are used.
    pub(crate) dtype: DType,
    /// Whether it is the weight of a linear, not a table of embeddings or a norm.
    pub(crate) is_linear: bool,
}

impl Incoming<'_> {
    /// Puts it on the device, never to be changed, and says in what format it lies there.
    pub(crate) fn freeze(&self, keeping: Keeping, device: &mut dyn Device) -> Result<(BufferId, String)> {
        let apart = self.source.apart();
        let coding = coding_for(keeping, apart, self.is_linear, self.cols);
        let buffer = match (keeping, apart, coding) {
            (_, _, None) => None,
            (Keeping::Quantized(to), _, Some(coding)) => Some((self.quantized(to, device)?, coding)),
            (_, Some(apart), Some(coding)) => Some((self.stored(apart, device)?, coding)),
            (_, None, Some(_)) => None,
        };
        if let Some((buffer, coding)) = buffer {
            return Ok((buffer, coding.name().to_owned()));
        }
        let fill = |rows, room: &mut [f32]| self.read(rows, room);
        if is_int8(keeping, self.is_linear, matches!(self.source, Source::Expert(_))) {
            return Ok((device.allocate_int8(self.rows, self.cols, &fill)?, INT8.to_owned()));
        }
        let buffer = device.allocate_frozen(self.rows, self.cols, self.dtype, &fill)?;
        let is_rounded = self.rows > 1 && self.dtype == DType::Bf16;
        Ok((buffer, if is_rounded { "bf16" } else { "f32" }.to_owned()))
    }

    /// Reads rows, decoded.
    pub(crate) fn read(&self, rows: Range<usize>, room: &mut [f32]) {
        self.source.read(rows, room);
    }

    fn row(&self, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.cols];
        self.read(row..row + 1, &mut values);
        values
    }

    fn stored(&self, apart: Apart, device: &mut dyn Device) -> Result<BufferId> {
        let fill = |row: usize, to: &mut CodedRow| (apart.take)(&self.source.row(row), to);
        self.coded(apart.coding, None, &fill, device)
    }

    fn quantized(&self, to: Quantizer, device: &mut dyn Device) -> Result<BufferId> {
        let storage = match to {
            Quantizer::Nf4 => return self.nf4(device),
            Quantizer::Q8_0 => Storage::Q8_0,
            Quantizer::Q4_0 => Storage::Q4_0,
        };
        let format = storage.format();
        let fill = |row: usize, to: &mut CodedRow| {
            let mut bytes = Vec::new();
            if let (true, Some(apart)) = (format.encode(&self.row(row), &mut bytes), format.apart) {
                (apart.take)(&bytes, to);
            }
        };
        self.coded(to.coding(), None, &fill, device)
    }

    /// Two passes: every scale depends on the mean of all.
    fn nf4(&self, device: &mut dyn Device) -> Result<BufferId> {
        let mut scales = nf4::Scales::default();
        (0..self.rows).for_each(|row| scales.add(&self.row(row)));
        let (outer, steps) = scales.outer();
        let fill = |row: usize, to: &mut CodedRow| scales.encode(row, &self.row(row), &steps, to);
        self.coded(Coding::Nf4, Some(&outer), &fill, device)
    }

    fn coded(
        &self,
        coding: Coding,
        outer: Option<&Outer>,
        fill: penname_engine::coding::FillRow<'_>,
        device: &mut dyn Device,
    ) -> Result<BufferId> {
        let &Self { rows, cols, dtype, .. } = self;
        Ok(device.allocate_coded(&CodedWeight { rows, cols, coding, dtype, outer, fill })?)
    }
}

/// Copies rows of a whole matrix.
pub(crate) fn copy_rows(values: &[f32], rows: Range<usize>, room: &mut [f32]) {
    let cols = room.len() / rows.len().max(1);
    room.copy_from_slice(&values[rows.start * cols..rows.end * cols]);
}
