//! Rows picked by index, and the sum back into them.
//!
//! The embedding, its gradient, and the selection of rows that carry loss are
//! these two: [`gather`] and [`scatter_add`].

use super::isa::Isa;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use std::ops::Range;

/// Columns of one task of [`scatter_add`]: a cache line or more of every row.
const COLUMNS: usize = 64;

/// `y[i] = table[ids[i]]`, cast to the storage of `y`.
///
/// # Shapes
/// `table` (V, D); `ids` (M); `y` (M, D).
///
/// # Panics
/// If the shapes differ or an id is not below V.
pub fn gather(pool: &Pool, isa: Isa, table: Mat<'_>, ids: &[u32], y: MatMut<'_>) {
    assert_eq!((y.rows, y.cols), (ids.len(), table.cols), "a row for every id");
    all_below(ids, table.rows);
    pool.for_chunks(y.rows, rows_per_task(y.cols), |rows| gather_rows(isa, rows, table, ids, y));
}

/// `dtable[ids[i]] += dy[i]`, in order of i.
///
/// # Shapes
/// `dy` (M, D); `ids` (M); `dtable` (V, D).
///
/// # Determinism
/// Tasks share out columns, so equal ids are always added in order.
///
/// # Panics
/// If the shapes differ or an id is not below V.
pub fn scatter_add(pool: &Pool, isa: Isa, dy: Mat<'_>, ids: &[u32], dtable: MatMut<'_>) {
    assert_eq!((dy.rows, dy.cols), (ids.len(), dtable.cols), "a row for every id");
    all_below(ids, dtable.rows);
    pool.for_chunks(dy.cols, COLUMNS, |columns| add_columns(isa, columns, dy, ids, dtable));
}

fn all_below(ids: &[u32], n_rows: usize) {
    if let Some(id) = ids.iter().find(|id| **id as usize >= n_rows) {
        panic!("row {id} of a table of {n_rows}");
    }
}

kernel! {
    fn gather_rows<S>(rows: Range<usize>, table: Mat<'_>, ids: &[u32], y: MatMut<'_>) {
        let mut block = [0.0; BLOCK];
        for row in rows {
            for (at, n) in blocks(y.cols) {
                read(table, ids[row] as usize, at, &mut block[..n]);
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

kernel! {
    fn add_columns<S>(columns: Range<usize>, dy: Mat<'_>, ids: &[u32], dtable: MatMut<'_>) {
        let (mut sum, mut more) = ([0.0; COLUMNS], [0.0; COLUMNS]);
        let (at, n) = (columns.start, columns.len());
        let columns = dtable.columns(at, n);
        for (row, id) in ids.iter().enumerate() {
            read(dy, row, at, &mut more[..n]);
            // SAFETY: this task owns these columns and writes them only below.
            read(unsafe { columns.as_mat() }, *id as usize, 0, &mut sum[..n]);
            sum[..n].iter_mut().zip(&more[..n]).for_each(|(sum, more)| *sum += more);
            // SAFETY: this task owns these columns.
            unsafe { write(columns, *id as usize, 0, &sum[..n]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, noise, pools};
    use crate::backend::cpu::view::Elem;

    const ELEMS: [Elem; 2] = [Elem::F32, Elem::Bf16];

    fn check(ids: &[u32], vocabulary: usize, cols: usize) {
        let rows = ids.len();
        for (from, to) in ELEMS.into_iter().flat_map(|from| ELEMS.map(|to| (from, to))) {
            let table = Buffer::new(from, &noise(vocabulary * cols, 1));
            let dy = Buffer::new(from, &noise(rows * cols, 2));
            let wide = table.wide();
            let picked =
                ids.iter().flat_map(|id| wide[*id as usize * cols..][..cols].iter().map(|x| *x as f32));
            let want_y = Buffer::new(to, &picked.collect::<Vec<_>>());
            let mut want = noise(vocabulary * cols, 3);
            for (row, id) in ids.iter().enumerate() {
                for col in 0..cols {
                    want[*id as usize * cols + col] += dy.mat(rows, cols).get(row, col);
                }
            }
            for (pool, isa) in pools().iter().flat_map(|pool| Isa::available().map(move |isa| (pool, isa))) {
                let mut y = Buffer::new(to, &vec![0.0; rows * cols]);
                gather(pool, isa, table.mat(vocabulary, cols), ids, y.mat_mut(rows, cols));
                assert_eq!(y, want_y, "{isa}");
                let mut got = noise(vocabulary * cols, 3);
                let dtable = MatMut::f32(&mut got, vocabulary, cols);
                scatter_add(pool, isa, dy.mat(rows, cols), ids, dtable);
                assert_eq!(got, want, "{isa}");
            }
        }
    }

    #[test]
    fn rows_out_and_back() {
        check(&[], 3, 4);
        check(&[2, 0, 2, 2, 1], 3, 5);
        check(&(0..200).map(|idx| idx * 31 % 50).collect::<Vec<_>>(), 50, 130);
        check(&[0, 1], 2, 1030);
    }

    #[test]
    #[should_panic(expected = "row 3 of a table of 3")]
    fn an_id_outside_the_table_is_named() {
        gather(
            &pools()[0],
            Isa::best(),
            Mat::f32(&[0.0; 3], 3, 1),
            &[0, 3],
            MatMut::f32(&mut [0.0; 2], 2, 1),
        );
    }
}
