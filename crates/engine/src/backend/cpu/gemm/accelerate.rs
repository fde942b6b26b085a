//! Products of plain f32 matrices by the BLAS of macOS, behind the feature `accelerate`.
//!
//! Apple's processors have a unit for matrices that only their own library may use. It takes f32
//! matrices in rows, so with the feature frozen weights in f32 stay as they are instead of being
//! packed. What is bf16, coded or in bytes goes the usual way, and so do products of a few rows, which
//! are over before the unit is awake.
//!
//! ```text
//! C = scale · Σ_s A_s B_s + C·(accumulate)      one call for each segment, the later ones adding
//! C = C + bias + add                            rows, by our own loops
//! ```
//!
//! The library cuts the work by itself, so sums are not promised to be equal for any number of
//! threads, as ours are.
//!
//! Elsewhere loops with the same signature stand in for the library, and what is here is compiled and
//! tested with them. On a Mac it has not been run.

use super::{Epilogue, Isa, Operand, Pool, Precision, Product, Segment};
use crate::backend::cpu::elementwise;
use crate::backend::cpu::view::{Elem, Mat, MatMut};

/// Products of fewer rows are left to our own kernels.
const LEAST_ROWS: usize = 16;

/// Whether a product is one that the library can compute.
pub(super) fn takes(precision: Precision, product: &Product<'_>) -> bool {
    let is_plain = |segment: &Segment<'_>| {
        let b = match segment.b {
            Operand::Rows(mat) | Operand::Columns(mat) => mat.elem,
            _ => return false,
        };
        (segment.a.elem, b) == (Elem::F32, Elem::F32) && segment.a.cols > 0
    };
    precision == Precision::F32
        && product.c.elem == Elem::F32
        && product.c.rows >= LEAST_ROWS
        && !product.segments.is_empty()
        && product.segments.iter().all(is_plain)
}

/// Computes a product that [`takes`] has taken.
pub(super) fn run(pool: &Pool, isa: Isa, product: &Product<'_>) {
    let Product { segments, epilogue, c } = product;
    let Epilogue { scale, bias, add, accumulate } = *epilogue;
    // SAFETY: nothing is read through it that is not written yet.
    let is_sum = accumulate || add.is_some_and(|add| add.is_same(&unsafe { c.as_mat() }));
    for (idx, segment) in segments.iter().enumerate() {
        multiply(segment, scale, if idx > 0 || is_sum { 1.0 } else { 0.0 }, *c);
    }
    // SAFETY: `elementwise::add` reads a number before it writes it, in the same task.
    let sum = unsafe { c.as_mat() };
    match add {
        Some(add) if accumulate || !add.is_same(&sum) => elementwise::add(pool, isa, sum, add, *c),
        _ => {}
    }
    if let Some(bias) = bias {
        for row in 0..c.rows {
            // SAFETY: rows of C are this call's.
            let row = unsafe { c.row_f32(row) };
            row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    }
}

/// `C = alpha · A · B + beta · C`.
fn multiply(segment: &Segment<'_>, alpha: f32, beta: f32, c: MatMut<'_>) {
    let (b, transposed) = match segment.b {
        Operand::Rows(mat) => (mat, true),
        Operand::Columns(mat) => (mat, false),
        _ => unreachable!("`takes` has looked"),
    };
    let int = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let stride = |mat: &Mat<'_>| int(mat.stride.max(mat.cols).max(1));
    let b_order = if transposed { vendor::TRANSPOSED } else { vendor::AS_IT_IS };
    // SAFETY: the matrices have these rows and columns, their rows these strides, and C is exclusive.
    unsafe {
        vendor::cblas_sgemm(
            vendor::ROWS,
            vendor::AS_IT_IS,
            b_order,
            int(c.rows),
            int(c.cols),
            int(segment.a.cols),
            alpha,
            segment.a.row_ptr(0).cast(),
            stride(&segment.a),
            b.row_ptr(0).cast(),
            stride(&b),
            beta,
            c.row_ptr(0).cast(),
            int(c.stride),
        );
    }
}

/// The library's side: the names and numbers of the reference BLAS for C.
mod vendor {
    /// Matrices lie row after row.
    pub(super) const ROWS: i32 = 101;
    pub(super) const AS_IT_IS: i32 = 111;
    pub(super) const TRANSPOSED: i32 = 112;

    #[cfg(target_os = "macos")]
    #[link(name = "Accelerate", kind = "framework")]
    unsafe extern "C" {
        pub(super) fn cblas_sgemm(
            order: i32,
            a_order: i32,
            b_order: i32,
            m: i32,
            n: i32,
            k: i32,
            alpha: f32,
            a: *const f32,
            a_stride: i32,
            b: *const f32,
            b_stride: i32,
            beta: f32,
            c: *mut f32,
            c_stride: i32,
        );
    }

    /// What the library's routine computes, in plain loops.
    #[cfg(not(target_os = "macos"))]
    pub(super) unsafe extern "C" fn cblas_sgemm(
        order: i32,
        a_order: i32,
        b_order: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: f32,
        a: *const f32,
        a_stride: i32,
        b: *const f32,
        b_stride: i32,
        beta: f32,
        c: *mut f32,
        c_stride: i32,
    ) {
        assert_eq!((order, a_order), (ROWS, AS_IT_IS));
        let place = |row: i32, col: i32, stride: i32| row as usize * stride as usize + col as usize;
        for row in 0..m {
            for col in 0..n {
                // SAFETY: the caller vouches for the matrices.
                unsafe {
                    let mut sum = 0.0_f32;
                    for at in 0..k {
                        let b_place = if b_order == TRANSPOSED {
                            place(col, at, b_stride)
                        } else {
                            place(at, col, b_stride)
                        };
                        sum = (*a.add(place(row, at, a_stride))).mul_add(*b.add(b_place), sum);
                    }
                    let to = c.add(place(row, col, c_stride));
                    // What C holds is not looked at where it counts for nothing.
                    *to = if beta == 0.0 { alpha * sum } else { alpha * sum + beta * *to };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{noise, pools};

    /// `(m, n, k, k)` of a product of two segments, the first by rows and the second by columns.
    const SHAPE: (usize, usize, usize, usize) = (LEAST_ROWS + 3, 7, 5, 9);

    #[test]
    fn a_product_ends_as_its_epilogue_says() {
        let (m, n, k, more) = SHAPE;
        let [a, other, b, columns] =
            [(m * k, 1), (m * more, 2), (n * k, 3), (more * n, 4)].map(|(n, seed)| noise(n, seed));
        let (bias, residual, before) = (noise(n, 5), noise(m * n, 6), noise(m * n, 7));
        let segments = [
            Segment { a: Mat::f32(&a, m, k), b: Operand::Rows(Mat::f32(&b, n, k)) },
            Segment { a: Mat::f32(&other, m, more), b: Operand::Columns(Mat::f32(&columns, more, n)) },
        ];
        let sum = |row: usize, col: usize| -> f32 {
            let first: f32 = (0..k).map(|at| a[row * k + at] * b[col * k + at]).sum();
            let second: f32 = (0..more).map(|at| other[row * more + at] * columns[at * n + col]).sum();
            0.5 * (first + second)
        };
        for (has_bias, own, accumulate) in [
            (false, None, false),
            (true, Some(false), false),
            (false, Some(true), false),
            (true, Some(false), true),
        ] {
            let mut c = before.clone();
            let at = c.as_mut_ptr();
            // SAFETY: C as a residual of itself, which products may have.
            let itself = unsafe { Mat::from_raw(at.cast_const().cast(), Elem::F32, m, n, n) };
            let add = own.map(|own| if own { itself } else { Mat::f32(&residual, m, n) });
            let epilogue = Epilogue { scale: 0.5, bias: has_bias.then_some(&bias), add, accumulate };
            let product = Product { segments: &segments, epilogue, c: MatMut::f32(&mut c, m, n) };
            assert!(takes(Precision::F32, &product) && !takes(Precision::Bf16, &product));
            run(&pools()[0], Isa::best(), &product);
            for (idx, found) in c.iter().enumerate() {
                let mut expected = sum(idx / n, idx % n);
                expected += if has_bias { bias[idx % n] } else { 0.0 };
                expected += own.map_or(0.0, |own| if own { before[idx] } else { residual[idx] });
                expected += if accumulate { before[idx] } else { 0.0 };
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{found}, expected {expected} ({has_bias} {own:?} {accumulate})"
                );
            }
        }
    }
}
