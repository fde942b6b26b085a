//! One tensor of a checkpoint: what it is, and its numbers in whatever width is wanted.

use std::borrow::Cow;
use std::ops::Range;

use half::bf16;

use crate::error::{Error, Result};
use crate::quant::{Storage, mxfp4};

/// What is known of a tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Lengths of the axes, outermost first: `[out, in]` for the weight of a linear map, as Hugging
    /// Face has it.
    pub shape: Vec<usize>,
    /// How the values are stored.
    pub dtype: Storage,
}

impl TensorInfo {
    /// Checks that the shape can be stored at all, and measures it in bytes.
    ///
    /// # Errors
    ///
    /// When the size overflows or a row does not fill whole blocks.
    pub(crate) fn checked_bytes(&self, name: &str) -> Result<usize> {
        let unstorable = || Error::ShapeUnstorable {
            tensor: name.to_owned(),
            shape: self.shape.clone(),
            storage: self.dtype,
        };
        let format = self.dtype.format();
        let n_values =
            self.shape.iter().try_fold(1usize, |n, &len| n.checked_mul(len)).ok_or_else(unstorable)?;
        let row_bytes = format.bytes_for(self.row_len()).ok_or_else(unstorable)?;
        let n_bytes = row_bytes.checked_mul(self.n_rows()).ok_or_else(unstorable)?;
        // Products with a zero in them would pass the checks above one by one.
        if n_values == 0 || n_values.checked_mul(size_of::<f32>()).is_none() {
            return Err(unstorable());
        }
        Ok(n_bytes)
    }

    /// Slices along the first axis; a scalar is one.
    pub fn n_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Values in one slice along the first axis, 1 for vectors and scalars. Saturates for shapes so
    /// large that opening refuses them.
    pub fn row_len(&self) -> usize {
        self.shape.iter().skip(1).fold(1, |n, &len| n.saturating_mul(len))
    }

    /// Number of values.
    pub fn n_values(&self) -> usize {
        self.n_rows().saturating_mul(self.row_len())
    }
}

/// In which order the rows of a published tensor lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// As published.
    AsPublished,
    /// Within each head, the rows that rotary embedding turns together lie side by side, where the
    /// published tensor has them half a head apart.
    Interleaved {
        /// Rows in a head; even, and a divisor of the number of rows.
        head_width: usize,
    },
}

impl RowOrder {
    /// Where a published row is stored.
    pub(crate) fn stored_row(self, row: usize) -> usize {
        match self {
            RowOrder::AsPublished => row,
            RowOrder::Interleaved { head_width } => {
                let (head, within) = (row / head_width, row % head_width);
                let half = head_width / 2;
                head * head_width + 2 * (within % half) + within / half
            }
        }
    }

    /// Which published row is stored at a place: the way back.
    pub(crate) fn published_row(self, row: usize) -> usize {
        match self {
            RowOrder::AsPublished => row,
            RowOrder::Interleaved { head_width } => {
                let (head, within) = (row / head_width, row % head_width);
                head * head_width + within % 2 * (head_width / 2) + within / 2
            }
        }
    }
}

/// A tensor inside an open checkpoint. Cheap to copy, and may be read from many threads at once.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'c> {
    pub(crate) info: &'c TensorInfo,
    pub(crate) stored: &'c [u8],
    pub(crate) order: RowOrder,
    /// The exponents of MXFP4 where they are a tensor of their own, and `stored` holds codes alone.
    pub(crate) exponents: Option<&'c [u8]>,
}

impl<'c> Tensor<'c> {
    /// Shape and storage format.
    pub fn info(&self) -> &'c TensorInfo {
        self.info
    }

    /// The stored bytes of the whole tensor, rows in published order. Borrowed from the file unless
    /// its rows lie there in another order.
    pub fn bytes(&self) -> Cow<'c, [u8]> {
        match (self.order, self.exponents) {
            (RowOrder::AsPublished, None) => Cow::Borrowed(self.stored),
            _ => {
                let mut bytes = Vec::new();
                (0..self.info.n_rows()).for_each(|row| bytes.extend_from_slice(&self.row(row)));
                Cow::Owned(bytes)
            }
        }
    }

    /// The stored bytes of one row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, row: usize) -> Cow<'c, [u8]> {
        assert!(row < self.info.n_rows(), "row {row} of a tensor of shape {:?}", self.info.shape);
        self.part(self.order.stored_row(row), self.info.n_rows())
    }

    /// How many lines there are along the last axis.
    pub(crate) fn n_lines(&self) -> usize {
        self.info.n_values() / self.line_len()
    }

    /// Values in a line along the last axis.
    pub(crate) fn line_len(&self) -> usize {
        self.info.shape.last().copied().unwrap_or(1)
    }

    /// The stored bytes of one line along the last axis; of a matrix that is a row.
    ///
    /// # Panics
    ///
    /// When there is no such line.
    pub(crate) fn line(&self, line: usize) -> Cow<'c, [u8]> {
        assert!(line < self.n_lines(), "line {line} of a tensor of shape {:?}", self.info.shape);
        self.part(self.order.stored_row(line), self.n_lines())
    }

    /// One of `n` equal parts of the stored bytes.
    fn part(&self, idx: usize, n: usize) -> Cow<'c, [u8]> {
        let of = |bytes: &'c [u8]| &bytes[idx * (bytes.len() / n)..][..bytes.len() / n];
        match self.exponents {
            None => Cow::Borrowed(of(self.stored)),
            Some(exponents) => Cow::Owned(mxfp4::weave(of(self.stored), of(exponents))),
        }
    }

    /// Decodes some rows, so that a large tensor need never exist in `f32` at once.
    ///
    /// # Panics
    ///
    /// When there are no such rows, or `out` does not hold exactly them.
    pub fn read_rows_f32(&self, rows: Range<usize>, out: &mut [f32]) {
        let row_len = self.info.row_len();
        assert!(
            rows.start <= rows.end && rows.end <= self.info.n_rows(),
            "rows {rows:?} of {:?}",
            self.info.shape
        );
        assert_eq!(out.len(), rows.len() * row_len, "room for rows {rows:?} of {:?}", self.info.shape);
        let format = self.info.dtype.format();
        if self.order == RowOrder::AsPublished && self.exponents.is_none() {
            let row_bytes = self.stored.len() / self.info.n_rows();
            format.decode(&self.stored[rows.start * row_bytes..rows.end * row_bytes], out);
            return;
        }
        for (row, out) in rows.zip(out.chunks_exact_mut(row_len)) {
            format.decode(&self.row(row), out);
        }
    }

    /// Decodes the whole tensor, replacing the contents of `out`.
    pub fn read_f32(&self, out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.info.n_values(), 0.0);
        self.read_rows_f32(0..self.info.n_rows(), out);
    }

    /// Decodes the whole tensor, replacing the contents of `out`, each value rounded to the nearest
    /// (even) `bf16`. Works a stretch of rows at a time.
    pub fn read_bf16(&self, out: &mut Vec<bf16>) {
        let row_len = self.info.row_len();
        let stretch = (STRETCH_LEN / row_len).max(1);
        let mut values = Vec::new();
        out.clear();
        out.reserve(self.info.n_values());
        for start in (0..self.info.n_rows()).step_by(stretch) {
            let rows = start..self.info.n_rows().min(start + stretch);
            values.resize(rows.len() * row_len, 0.0);
            self.read_rows_f32(rows, &mut values);
            out.extend(values.iter().map(|value| bf16::from_f32(*value)));
        }
    }
}

/// Values decoded at once on the way to another width: small enough to stay in cache.
pub(crate) const STRETCH_LEN: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn check_order(head_width: usize, expected: &[usize]) {
        let order = RowOrder::Interleaved { head_width };
        let found: Vec<_> = (0..expected.len()).map(|row| order.stored_row(row)).collect();
        assert_eq!(found, expected);
        let back: Vec<_> = found.iter().map(|&row| order.published_row(row)).collect();
        assert!(back.into_iter().eq(0..expected.len()));
    }

    #[test]
    fn halves_of_a_head_are_gathered_from_even_and_odd_rows() {
        check_order(2, &[0, 1, 2, 3]);
        check_order(4, &[0, 2, 1, 3, 4, 6, 5, 7]);
        check_order(6, &[0, 2, 4, 1, 3, 5]);
    }

    fn check_size(shape: &[usize], dtype: Storage, expected: Option<usize>) {
        let info = TensorInfo { shape: shape.to_vec(), dtype };
        assert_eq!(info.checked_bytes("t").ok(), expected, "{shape:?} {dtype}");
    }

    #[test]
    fn sizes_are_checked() {
        check_size(&[3, 64], Storage::Q4_1, Some(120));
        check_size(&[64, 3], Storage::Q4_1, None);
        check_size(&[64], Storage::Q4_1, None);
        check_size(&[], Storage::F32, Some(4));
        check_size(&[0, 5], Storage::F32, None);
        check_size(&[usize::MAX, 2], Storage::F16, None);
        check_size(&[usize::MAX, 0], Storage::F16, None);
        check_size(&[usize::MAX / 4 + 1], Storage::BF16, None);
    }
}
