//! Tensors of a program as kernels see them: views of the device's memory.

use super::buffer::Buffer;
use super::device::Cpu;
use super::gemm::Operand;
use super::memory::Memory;
use super::view::{Elem, Mat, MatMut};
use crate::backend::{Bound, BufferId, View};
use crate::program::{DType, TensorId};

impl Cpu {
    pub(super) fn buffer(&self, id: BufferId) -> &Buffer {
        match &self.buffers[id.0] {
            Some(buffer) => buffer,
            None => panic!("buffer {} was released", id.0),
        }
    }

    pub(super) fn address(&self, view: View) -> *mut u8 {
        match self.buffer(view.buffer) {
            Buffer::Plain(memory) => memory.at(view.offset, view.rows * view.cols * view.dtype.bytes()),
            Buffer::Packed(_) | Buffer::Int8(_) | Buffer::Joined(_) => {
                panic!("a packed weight is read by products only")
            }
        }
    }

    pub(super) fn mat(&self, bound: &Bound<'_>, id: TensorId) -> Mat<'_> {
        let view = bound.view(id);
        // SAFETY: `address` checks the range; the plan gives no other tensor
        // these bytes while this one is alive.
        unsafe { Mat::from_raw(self.address(view), elem(view.dtype), view.rows, view.cols, view.cols) }
    }

    pub(super) fn mat_mut(&self, bound: &Bound<'_>, id: TensorId) -> MatMut<'_> {
        let view = bound.view(id);
        // SAFETY: as in `mat`; one operation runs at a time.
        unsafe { MatMut::from_raw(self.address(view), elem(view.dtype), view.rows, view.cols, view.cols) }
    }

    /// A sum that is about to be added to, and whether there is anything in it yet.
    pub(super) fn sum_mut(&self, bound: &Bound<'_>, id: TensorId) -> (MatMut<'_>, bool) {
        let is_empty = match self.whole(bound.view(id)) {
            Some(memory) => memory.take_zeros(),
            None => false,
        };
        (self.mat_mut(bound, id), !is_empty)
    }

    /// The memory of a tensor that has all of it to itself.
    pub(super) fn whole(&self, view: View) -> Option<&Memory> {
        match self.buffer(view.buffer) {
            Buffer::Plain(memory) if memory.len() == view.rows * view.cols * view.dtype.bytes() => {
                Some(memory)
            }
            _ => None,
        }
    }

    pub(super) fn ids(&self, bound: &Bound<'_>, id: TensorId) -> &[u32] {
        let view = bound.view(id);
        debug_assert_eq!(view.dtype, DType::U32);
        // SAFETY: as in `mat`; any bits are an id.
        unsafe { std::slice::from_raw_parts(self.address(view).cast(), view.rows * view.cols) }
    }

    /// All numbers of an f32 tensor.
    pub(super) fn floats(&self, bound: &Bound<'_>, id: TensorId) -> &[f32] {
        let view = bound.view(id);
        assert_eq!(view.dtype, DType::F32, "an f32 tensor");
        // SAFETY: as in `mat`; any bits are an f32.
        unsafe { std::slice::from_raw_parts(self.address(view).cast(), view.rows * view.cols) }
    }

    /// All numbers of an f32 tensor, to write.
    #[expect(clippy::mut_from_ref, reason = "the plan keeps tensors that are alive together apart")]
    pub(super) fn floats_mut(&self, bound: &Bound<'_>, id: TensorId) -> &mut [f32] {
        let view = bound.view(id);
        assert_eq!(view.dtype, DType::F32, "an f32 tensor");
        // SAFETY: as in `mat_mut`; any bits are an f32.
        unsafe { std::slice::from_raw_parts_mut(self.address(view).cast(), view.rows * view.cols) }
    }

    /// All ids of a tensor, to write.
    #[expect(clippy::mut_from_ref, reason = "the plan keeps tensors that are alive together apart")]
    pub(super) fn ids_mut(&self, bound: &Bound<'_>, id: TensorId) -> &mut [u32] {
        let view = bound.view(id);
        debug_assert_eq!(view.dtype, DType::U32);
        // SAFETY: as in `mat_mut`; any bits are an id.
        unsafe { std::slice::from_raw_parts_mut(self.address(view).cast(), view.rows * view.cols) }
    }

    /// Whether a weight lies in the order the products read it.
    pub(super) fn is_packed(&self, bound: &Bound<'_>, weight: TensorId) -> bool {
        matches!(self.buffer(bound.view(weight).buffer), Buffer::Packed(_))
    }

    /// A weight W (N, K) for products with Wᵀ.
    pub(super) fn forward_operand(&self, bound: &Bound<'_>, weight: TensorId) -> Operand<'_> {
        match self.buffer(bound.view(weight).buffer) {
            Buffer::Packed(panels) => Operand::Panels(panels.view()),
            Buffer::Int8(weight) => Operand::Int8(weight),
            Buffer::Plain(_) | Buffer::Joined(_) => Operand::Rows(self.mat(bound, weight)),
        }
    }

    /// A weight W (N, K) for products with W.
    pub(super) fn backward_operand(&self, bound: &Bound<'_>, weight: TensorId) -> Operand<'_> {
        match self.buffer(bound.view(weight).buffer) {
            Buffer::Packed(panels) => Operand::PanelsTransposed(panels.view()),
            Buffer::Int8(weight) => Operand::Int8Transposed(weight),
            Buffer::Plain(_) | Buffer::Joined(_) => Operand::Columns(self.mat(bound, weight)),
        }
    }
}

pub(super) fn elem(dtype: DType) -> Elem {
    match dtype {
        DType::Bf16 => Elem::Bf16,
        DType::F32 | DType::U32 => Elem::F32,
    }
}
