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
    /// A function that fills in the rows asked for, called with rows in order, each once.
    Rows(Box<FillRows<'a>>),
}

/// Fills in the values of some rows.
pub type FillRows<'a> = dyn Fn(Range<usize>, &mut [f32]) + 'a;

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Values::Stored(bytes) => write!(f, "Stored({} bytes)", bytes.len()),
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
        match &self.values {
            Values::Stored(bytes) => self.info.dtype.format().decode(bytes, &mut values),
            Values::Rows(make) => {
                let (n_rows, row_len) = (self.info.n_rows(), self.info.row_len());
                let stretch = (STRETCH_LEN / row_len).max(1);
                for start in (0..n_rows).step_by(stretch) {
                    let rows = start..n_rows.min(start + stretch);
                    make(rows.clone(), &mut values[rows.start * row_len..rows.end * row_len]);
                }
            }
        }
        values
    }

    /// Writes the stored bytes, which [`Outgoing::checked_bytes`] has counted.
    pub(crate) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let make = match &self.values {
            Values::Stored(bytes) => return out.write_all(bytes),
            Values::Rows(make) => make,
        };
        let (n_rows, row_len) = (self.info.n_rows(), self.info.row_len());
        let stretch = (STRETCH_LEN / row_len).max(1);
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        for start in (0..n_rows).step_by(stretch) {
            let rows = start..n_rows.min(start + stretch);
            values.resize(rows.len() * row_len, 0.0);
            make(rows, &mut values);
            bytes.clear();
            if !self.info.dtype.format().encode(&values, &mut bytes) {
                return Err(io::ErrorKind::Unsupported.into());
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}
