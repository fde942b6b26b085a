//! The devices that run a program.
//!
//! A device starts with one operation; what it does not support falls back to
//! the reference, counted and shown. The seam is narrow on purpose: memory,
//! typed copies, and one operation at a time over views.

pub mod cpu;
pub mod lent;
pub mod null;

use crate::coding::CodedWeight;
use crate::op::Op;
use crate::plan::{Place, Plan};
use crate::program::{DType, Extent, Program, TensorId};
use std::sync::Arc;

pub use lent::{Lent, Packed, Packing};

/// Names memory on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub(crate) usize);

impl BufferId {
    /// The memory that all programs of a device share for what lives inside a run.
    pub(crate) const ARENA: Self = Self(0);
}

/// The rows in use of one tensor, in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Where.
    pub buffer: BufferId,
    /// First byte.
    pub offset: usize,
    /// Rows in use.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Storage.
    pub dtype: DType,
}

/// What a device is and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// For people, such as `CPU, 2 threads, AVX-512 with bf16`.
    pub name: String,
    /// Threads that share the work.
    pub threads: usize,
    /// Memory it could still give, if it knows.
    pub free_bytes: Option<usize>,
    /// Whether products of bf16 numbers are faster than those of f32.
    pub prefers_bf16: bool,
    /// Whether it has instructions for products of bytes.
    pub multiplies_int8: bool,
    /// What its products are best made of and by what, for people: `bf16 by AVX-512 with bf16`,
    /// or with the reason, `f32 by AVX2: this processor has no bf16 dot product`.
    pub products: String,
}

/// A device that cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is not enough memory.
    #[error("{bytes} bytes of memory are not to be had on {device}")]
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
        /// Of whom.
        device: String,
    },
    /// A weight was never given its numbers.
    #[error("tensor `{tensor}` has no memory: it was neither loaded nor bound")]
    Unbound {
        /// The tensor.
        tensor: String,
    },
    /// Bytes that are not a weight as this device packs it.
    #[error("a weight of {rows} × {cols} is lent {found} bytes, expected {expected}")]
    NotPacked {
        /// Its rows.
        rows: usize,
        /// Its columns.
        cols: usize,
        /// Bytes that are there.
        found: usize,
        /// What they should be.
        expected: String,
    },
    /// More rows than the program was built for.
    #[error("{found} {what} rows in one run, the program was built for {capacity}")]
    TooManyRows {
        /// Kind of row.
        what: &'static str,
        /// How many were given.
        found: usize,
        /// How many are allowed.
        capacity: usize,
    },
}

/// Memory that running an operation takes beside what the plan gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scratch {
    /// Kept by the device and used again by the next operation.
    pub kept: usize,
    /// Given back when the operation is done.
    pub passing: usize,
}

impl Scratch {
    /// What two operations need, one after the other.
    pub fn max(self, other: Self) -> Self {
        Self { kept: self.kept.max(other.kept), passing: self.passing.max(other.passing) }
    }

    /// All of it.
    pub fn total(self) -> usize {
        self.kept + self.passing
    }
}

/// Fills rows of a weight: the range of rows, and room for them.
pub type FillRows<'a> = &'a (dyn Fn(std::ops::Range<usize>, &mut [f32]) + Sync);

/// What an (N, K) weight takes in bytes with a scale for each row, in panels of 32 rows and words of 4
/// bytes.
pub const fn int8_bytes(n: usize, k: usize) -> usize {
    let rows = n.next_multiple_of(32);
    rows * k.next_multiple_of(4) + rows * size_of::<f32>()
}

/// Memory, typed copies, and one operation at a time.
pub trait Device {
    /// What it is and has.
    fn probe(&self) -> Probe;

    /// Memory of `bytes` zeros.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn allocate(&mut self, bytes: usize) -> Result<BufferId, DeviceError>;

    /// A weight that training does not change, in whatever layout the device likes best.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn allocate_frozen(
        &mut self,
        rows: usize,
        cols: usize,
        dtype: DType,
        fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError>;

    /// A weight that training does not change, kept as the integers and scales it is coded in.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    ///
    /// # Panics
    /// If K is not a multiple of the coding's chunk, or a row lacks parts.
    fn allocate_coded(&mut self, weight: &CodedWeight<'_>) -> Result<BufferId, DeviceError>;

    /// A weight that training does not change, rounded to bytes with a scale for each row. What it is
    /// multiplied with is rounded to bytes, too.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn allocate_int8(
        &mut self,
        rows: usize,
        cols: usize,
        fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError>;

    /// Makes one weight of several frozen ones of the same shape, which lie below each other in it and
    /// are read one at a time. The parts are no longer there by themselves.
    fn join(&mut self, parts: &[BufferId]) -> BufferId;

    /// The layout in which it packs frozen weights, if they can be given away and adopted again. Another
    /// name is another layout.
    fn layout(&self) -> Option<&'static str> {
        None
    }

    /// A packed weight's bytes, one entry for each of those it was joined of. Vectors are not packed.
    fn packed(&self, _buffer: BufferId) -> Vec<Packed<'_>> {
        Vec::new()
    }

    /// A frozen weight whose bytes lie elsewhere, as [`Device::packed`] gave them away.
    ///
    /// # Errors
    /// [`DeviceError::NotPacked`], always where there is no [`Device::layout`].
    fn adopt(&mut self, packing: &Packing, bytes: Arc<dyn Lent>) -> Result<BufferId, DeviceError> {
        let (rows, cols, found) = (packing.rows, packing.cols, bytes.bytes().len());
        let expected = "none: this device adopts no weights".to_owned();
        Err(DeviceError::NotPacked { rows, cols, found, expected })
    }

    /// A frozen weight will be read soon. Matters where its bytes are lent.
    fn ahead(&self, _buffer: BufferId) {}

    /// A frozen weight will not be read for a while.
    fn away(&self, _buffer: BufferId) {}

    /// Makes the memory that programs share at least this large; its content is lost.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn reserve_arena(&mut self, bytes: usize) -> Result<(), DeviceError>;

    /// Gives memory back.
    fn release(&mut self, buffer: BufferId);

    /// Reads a tensor of real numbers, widened to f32.
    fn read(&self, view: View, out: &mut [f32]);

    /// Writes a tensor of real numbers, rounded to its storage.
    fn write(&mut self, view: View, values: &[f32]);

    /// Reads a tensor of ids.
    fn read_ids(&self, view: View, out: &mut [u32]);

    /// Writes a tensor of ids.
    fn write_ids(&mut self, view: View, ids: &[u32]);

    /// Whether [`Device::run`] can run this operation; if not, the reference does.
    fn supports(&self, op: &Op, program: &Program) -> bool;

    /// What running this operation takes beside its tensors, with all rows in use.
    fn scratch(&self, _op: &Op, _program: &Program) -> Scratch {
        Scratch::default()
    }

    /// Runs one operation.
    fn run(&mut self, op: &Op, bound: &Bound<'_>);

    /// Waits until everything asked for is done.
    fn sync(&mut self) {}
}

/// Finds the memory of every tensor during a run.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The program that runs.
    pub program: &'a Program,
    pub(crate) plan: &'a Plan,
    pub(crate) own: &'a [Option<BufferId>],
    /// Rows in use.
    pub extent: Extent,
}

impl Bound<'_> {
    /// Where a tensor is, with the rows in use.
    ///
    /// # Panics
    /// If it has no memory; [`crate::session::Session::run`] checks that before it starts.
    pub fn view(&self, id: TensorId) -> View {
        let tensor = self.program.tensor(id);
        let (buffer, offset) = match (self.plan.place(id), self.own[id.index()]) {
            (Place::Arena(offset), _) => (BufferId::ARENA, offset),
            (_, Some(buffer)) => (buffer, 0),
            (_, None) => panic!("tensor `{}` has no memory", tensor.name),
        };
        View { buffer, offset, rows: self.extent.rows(tensor.rows), cols: tensor.cols, dtype: tensor.dtype }
    }
}
