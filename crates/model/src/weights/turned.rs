//! Linears that their publisher stores as (in, out), as every program has them: (out, in).

use crate::error::Result;
use crate::weights::Checkpoint;

/// A matrix (R, C) as (C, R).
pub(crate) fn transposed(values: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    /// Rows and columns turned at a time: both sides of a square stay in the nearest cache.
    const SQUARE: usize = 32;
    let mut out = vec![0.0; values.len()];
    for (top, left) in (0..rows).step_by(SQUARE).flat_map(|r| (0..cols).step_by(SQUARE).map(move |c| (r, c)))
    {
        for row in top..rows.min(top + SQUARE) {
            for col in left..cols.min(left + SQUARE) {
                out[col * rows + row] = values[row * cols + col];
            }
        }
    }
    out
}

impl Checkpoint {
    /// All values of a linear as (out, in), whichever way this container has it.
    ///
    /// # Errors
    /// When there is no such tensor.
    pub(crate) fn read_turned(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensor(name)?;
        let mut values = Vec::new();
        tensor.read_f32(&mut values);
        if self.is_published() {
            values = transposed(&values, tensor.info().n_rows(), tensor.info().row_len());
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn rows_become_columns() {
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let (rows, cols) = (33, 70);
        let values: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
        let turned = transposed(&values, rows, cols);
        assert_eq!(turned[69 * rows + 32], values[32 * cols + 69]);
        assert_eq!(transposed(&turned, cols, rows), values);
    }
}
