//! Matrices borrowed from the arena: row-major, f32 or bf16, with a row stride.
//!
//! Kernels write disjoint parts of one buffer from several threads, so these
//! are raw pointers with a lifetime, not slices. Everything that dereferences
//! them is in this folder.

use half::bf16;
use std::marker::PhantomData;

/// How the numbers of a [`Mat`] are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elem {
    /// 32-bit IEEE float.
    F32,
    /// The upper half of an f32, rounded to nearest even.
    Bf16,
}

impl Elem {
    /// Bytes of one number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// A row-major matrix to read: `rows` × `cols`, consecutive rows `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a> {
    ptr: *const u8,
    /// Storage of each number.
    pub elem: Elem,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance between the starts of consecutive rows, in numbers.
    pub stride: usize,
    life: PhantomData<&'a [u8]>,
}

/// A row-major matrix to write, shared between threads that touch disjoint parts.
#[derive(Debug, Clone, Copy)]
pub struct MatMut<'a> {
    ptr: *mut u8,
    /// Storage of each number.
    pub elem: Elem,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Distance between the starts of consecutive rows, in numbers.
    pub stride: usize,
    life: PhantomData<&'a mut [u8]>,
}

// SAFETY: `Mat` only reads, and its lifetime keeps writers away.
unsafe impl Send for Mat<'_> {}
// SAFETY: as above.
unsafe impl Sync for Mat<'_> {}
// SAFETY: kernels hand disjoint regions to threads; each access is `unsafe` and says so.
unsafe impl Send for MatMut<'_> {}
// SAFETY: as above.
unsafe impl Sync for MatMut<'_> {}

impl<'a> Mat<'a> {
    /// A dense matrix over `data`.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    pub fn f32(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "{} numbers cannot hold {rows} × {cols}", data.len());
        Self { ptr: data.as_ptr().cast(), elem: Elem::F32, rows, cols, stride: cols, life: PhantomData }
    }

    /// A dense bf16 matrix over `data`.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    pub fn bf16(data: &'a [bf16], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "{} numbers cannot hold {rows} × {cols}", data.len());
        Self { ptr: data.as_ptr().cast(), elem: Elem::Bf16, rows, cols, stride: cols, life: PhantomData }
    }

    /// A matrix over raw memory.
    ///
    /// # Safety
    /// `ptr` must be valid and unwritten for `'a` over every row, and aligned to `elem`.
    pub unsafe fn from_raw(ptr: *const u8, elem: Elem, rows: usize, cols: usize, stride: usize) -> Self {
        Self { ptr, elem, rows, cols, stride, life: PhantomData }
    }

    /// The columns `at..at + cols` of every row.
    ///
    /// # Panics
    /// If they do not exist.
    pub fn columns(self, at: usize, cols: usize) -> Self {
        assert!(at + cols <= self.cols, "columns {at}..{} of {}", at + cols, self.cols);
        Self { ptr: self.ptr.wrapping_add(at * self.elem.bytes()), cols, ..self }
    }

    /// Whether another view shows the same numbers.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let place = |mat: &Self| (mat.ptr, mat.elem, mat.rows, mat.cols, mat.stride);
        place(self) == place(other)
    }

    /// The rows `at..at + rows`.
    ///
    /// # Panics
    /// If they do not exist.
    pub fn rows(self, at: usize, rows: usize) -> Self {
        assert!(at + rows <= self.rows, "rows {at}..{} of {}", at + rows, self.rows);
        Self { ptr: self.ptr.wrapping_add(at * self.stride * self.elem.bytes()), rows, ..self }
    }

    /// Address of row `row`.
    pub fn row_ptr(self, row: usize) -> *const u8 {
        self.ptr.wrapping_add(row * self.stride * self.elem.bytes())
    }

    /// Row `row` of an f32 matrix.
    ///
    /// # Panics
    /// If the row does not exist or the matrix is not f32.
    pub fn row_f32(self, row: usize) -> &'a [f32] {
        assert!(row < self.rows && self.elem == Elem::F32);
        // SAFETY: the constructor promised this row for 'a.
        unsafe { std::slice::from_raw_parts(self.row_ptr(row).cast(), self.cols) }
    }

    /// Row `row` of a bf16 matrix.
    ///
    /// # Panics
    /// If the row does not exist or the matrix is not bf16.
    pub fn row_bf16(self, row: usize) -> &'a [bf16] {
        assert!(row < self.rows && self.elem == Elem::Bf16);
        // SAFETY: the constructor promised this row for 'a.
        unsafe { std::slice::from_raw_parts(self.row_ptr(row).cast(), self.cols) }
    }

    /// One number, widened.
    pub fn get(self, row: usize, col: usize) -> f32 {
        match self.elem {
            Elem::F32 => self.row_f32(row)[col],
            Elem::Bf16 => self.row_bf16(row)[col].to_f32(),
        }
    }
}

impl<'a> MatMut<'a> {
    /// A dense matrix over `data`.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    pub fn f32(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "{} numbers cannot hold {rows} × {cols}", data.len());
        Self { ptr: data.as_mut_ptr().cast(), elem: Elem::F32, rows, cols, stride: cols, life: PhantomData }
    }

    /// A dense bf16 matrix over `data`.
    ///
    /// # Panics
    /// If `data` is shorter than `rows * cols`.
    pub fn bf16(data: &'a mut [bf16], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "{} numbers cannot hold {rows} × {cols}", data.len());
        Self { ptr: data.as_mut_ptr().cast(), elem: Elem::Bf16, rows, cols, stride: cols, life: PhantomData }
    }

    /// A matrix over raw memory.
    ///
    /// # Safety
    /// `ptr` must be valid for `'a` over every row, aligned to `elem`, and
    /// touched through this value and its copies only.
    pub unsafe fn from_raw(ptr: *mut u8, elem: Elem, rows: usize, cols: usize, stride: usize) -> Self {
        Self { ptr, elem, rows, cols, stride, life: PhantomData }
    }

    /// The columns `at..at + cols` of every row.
    ///
    /// # Panics
    /// If they do not exist.
    pub fn columns(self, at: usize, cols: usize) -> Self {
        assert!(at + cols <= self.cols, "columns {at}..{} of {}", at + cols, self.cols);
        Self { ptr: self.ptr.wrapping_add(at * self.elem.bytes()), cols, ..self }
    }

    /// The rows `at..at + rows`.
    ///
    /// # Panics
    /// If they do not exist.
    pub fn rows(self, at: usize, rows: usize) -> Self {
        assert!(at + rows <= self.rows, "rows {at}..{} of {}", at + rows, self.rows);
        Self { ptr: self.ptr.wrapping_add(at * self.stride * self.elem.bytes()), rows, ..self }
    }

    /// Address of row `row`.
    pub fn row_ptr(self, row: usize) -> *mut u8 {
        self.ptr.wrapping_add(row * self.stride * self.elem.bytes())
    }

    /// Row `row` of an f32 matrix.
    ///
    /// # Safety
    /// No other thread or live slice may touch this row.
    ///
    /// # Panics
    /// If the row does not exist or the matrix is not f32.
    pub unsafe fn row_f32(self, row: usize) -> &'a mut [f32] {
        assert!(row < self.rows && self.elem == Elem::F32);
        // SAFETY: in bounds by the assertion, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.row_ptr(row).cast(), self.cols) }
    }

    /// Row `row` of a bf16 matrix.
    ///
    /// # Safety
    /// No other thread or live slice may touch this row.
    ///
    /// # Panics
    /// If the row does not exist or the matrix is not bf16.
    pub unsafe fn row_bf16(self, row: usize) -> &'a mut [bf16] {
        assert!(row < self.rows && self.elem == Elem::Bf16);
        // SAFETY: in bounds by the assertion, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.row_ptr(row).cast(), self.cols) }
    }

    /// The same memory, to read.
    ///
    /// # Safety
    /// Nothing may write it while the result is alive.
    pub unsafe fn as_mat(self) -> Mat<'a> {
        Mat {
            ptr: self.ptr,
            elem: self.elem,
            rows: self.rows,
            cols: self.cols,
            stride: self.stride,
            life: PhantomData,
        }
    }
}
