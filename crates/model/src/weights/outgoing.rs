//! A tensor on its way into a file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::tensor::STRETCH_LEN;
use crate::weights::{Tensor, TensorInfo};

/// A tensor to be written: what it is called, what it is, and where its values come from. Writers
/// ask for the values a stretch of rows at a time and keep none.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Its name in the file.
    pub name: String,
    /// Its shape, and the format it will be stored in.
    pub info: TensorInfo,
    /// Its values.
    pub values: Values<'a>,
}

/// Where the values of an [`Outgoing`] tensor come from.
pub enum Values<'a> {
    /// Bytes already in the format they will be stored in.
    Stored(Cow<'a, [u8]>),
    /// A function that gives the bytes of the rows asked for, in the format they will be stored in.
    Blocks(Box<GiveBlocks<'a>>),
    /// A function that fills in the rows asked for, called with rows in order, each once.
    Rows(Box<FillRows<'a>>),
}

/// Gives the stored bytes of some rows.
pub type GiveBlocks<'a> = dyn Fn(Range<usize>) -> Vec<u8> + 'a;

/// Fills in the values of some rows.
pub type FillRows<'a> = dyn Fn(Range<usize>, &mut [f32]) + 'a;

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Values::Stored(bytes) => write!(f, "Stored({} bytes)", bytes.len()),
            Values::Blocks(_) => f.write_str("Blocks(..)"),
            Values::Rows(_) => f.write_str("Rows(..)"),
        }
    }
}

impl<'a> Outgoing<'a> {
    /// Values held in memory.
    ///
    /// # Panics
    ///
    /// When there are not as many as the shape says.
    pub fn from_values(
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        dtype: Storage,
        values: &'a [f32],
    ) -> Outgoing<'a> {
        let info = TensorInfo { shape: shape.into(), dtype };
        assert_eq!(values.len(), info.n_values(), "values of a tensor of shape {:?}", info.shape);
        let row_len = info.row_len();
        let copy = move |rows: Range<usize>, out: &mut [f32]| {
            out.copy_from_slice(&values[rows.start * row_len..rows.end * row_len]);
        };
        Outgoing { name: name.into(), info, values: Values::Rows(Box::new(copy)) }
    }

    /// A tensor of a checkpoint, stored as it is there.
    pub fn from_tensor(name: impl Into<String>, tensor: Tensor<'a>) -> Outgoing<'a> {
        Outgoing { name: name.into(), info: tensor.info.clone(), values: Values::Stored(tensor.bytes()) }
    }

    /// Checks that the tensor can be written, and measures it in bytes.
    pub(crate) fn checked_bytes(&self) -> Result<usize> {
        let n_bytes = self.info.checked_bytes(&self.name)?;
        match &self.values {
            Values::Rows(_) if !self.info.dtype.format().can_encode() => Err(Error::StorageUnsupported {
                tensor: self.name.clone(),
                found: self.info.dtype.to_string(),
                expected: "F32, F16, BF16, Q4_0 or Q8_0".to_owned(),
            }),
            Values::Stored(bytes) if bytes.len() != n_bytes => Err(Error::ShapeUnstorable {
                tensor: self.name.clone(),
                shape: self.info.shape.clone(),
                storage: self.info.dtype,
            }),
            _ => Ok(n_bytes),
        }
    }

    /// All values, decoded, in the order in which they come.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.info.n_values()];
        let row_len = self.info.row_len();
        if let Values::Stored(bytes) = &self.values {
            self.info.dtype.format().decode(bytes, &mut values);
            return values;
        }
        for rows in self.stretches() {
            let room = &mut values[rows.start * row_len..rows.end * row_len];
            match &self.values {
                Values::Rows(fill) => fill(rows, room),
                Values::Blocks(give) => self.info.dtype.format().decode(&give(rows), room),
                Values::Stored(_) => {}
            }
        }
        values
    }

    /// Writes the stored bytes, which [`Outgoing::checked_bytes`] has counted.
    pub(crate) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.each_stretch(&mut |bytes| out.write_all(bytes))
    }

    /// Shows the stored bytes, a stretch of whole rows at a time.
    pub(crate) fn each_stretch(&self, see: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Values::Stored(bytes) = &self.values {
            return see(bytes);
        }
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        for rows in self.stretches() {
            match &self.values {
                Values::Rows(fill) => {
                    values.resize(rows.len() * self.info.row_len(), 0.0);
                    fill(rows, &mut values);
                    bytes.clear();
                    if !self.info.dtype.format().encode(&values, &mut bytes) {
                        return Err(io::ErrorKind::Unsupported.into());
                    }
                }
                Values::Blocks(give) => bytes = give(rows),
                Values::Stored(_) => {}
            }
            see(&bytes)?;
        }
        Ok(())
    }

    /// Ranges of rows that are few enough to be in memory at once.
    fn stretches(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let n_rows = self.info.n_rows();
        let stretch = (STRETCH_LEN / self.info.row_len()).max(1);
        (0..n_rows).step_by(stretch).map(move |start| start..n_rows.min(start + stretch))
    }
}
