//! The processor as a device: memory, and which kernel serves which operation.

use super::buffer::Buffer;
use super::gemm::{Int8, Panels, multiplies_int8};
use super::isa::Isa;
use super::memory::{Memory, free_bytes};
use super::pool::Pool;
use super::tensor::elem;
use super::view::{Mat, MatMut};
use super::{elementwise, embed, gate, gelu, layer_norm, norm, rope};
use crate::backend::{
    Bound, BufferId, Device, DeviceError, FillRows, Lent, Packed, Packing, Probe, Scratch, View, int8_bytes,
};
use crate::coding::CodedWeight;
use crate::op::Op;
use crate::program::{DType, Precision, Program};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The processor, its threads and its memory.
#[derive(Debug)]
pub struct Cpu {
    pub(super) pool: Pool,
    /// For products inside a task of the pool.
    pub(super) alone: Pool,
    pub(super) isa: Isa,
    pub(super) buffers: Vec<Option<Buffer>>,
}

impl Cpu {
    /// All threads of the machine and the best instructions it has.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::with(threads, Isa::best())
    }

    /// This many threads and these instructions.
    ///
    /// # Panics
    /// If the processor lacks the instructions.
    pub fn with(threads: NonZeroUsize, isa: Isa) -> Self {
        assert!(isa.is_present(), "this processor lacks {isa}");
        let alone = Pool::new(NonZeroUsize::MIN);
        Self { pool: Pool::new(threads), alone, isa, buffers: vec![None] }
    }

    /// The instructions in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn insert(&mut self, buffer: Buffer) -> BufferId {
        let free = self.buffers.iter().skip(1).position(Option::is_none).map(|at| at + 1);
        let at = free.unwrap_or_else(|| {
            self.buffers.push(None);
            self.buffers.len() - 1
        });
        self.buffers[at] = Some(buffer);
        BufferId(at)
    }

    /// Rows as they come, a few at a time.
    #[cfg(feature = "accelerate")]
    fn allocate_plain(
        &mut self,
        rows: usize,
        cols: usize,
        fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError> {
        let bytes = rows * cols * DType::F32.bytes();
        let memory = Memory::zeroed(bytes).ok_or_else(|| self.out_of_memory(bytes))?;
        let first = super::gemm::scratch::Target(memory.at(0, bytes).cast());
        self.pool.for_chunks(rows, 32, |chunk| {
            let n_numbers = chunk.len() * cols;
            // SAFETY: the rows of a chunk are its task's own.
            let room = unsafe {
                std::slice::from_raw_parts_mut(first.at(chunk.start * cols).cast::<f32>(), n_numbers)
            };
            fill(chunk, room);
        });
        Ok(self.insert(Buffer::Plain(memory)))
    }

    fn out_of_memory(&self, bytes: usize) -> DeviceError {
        DeviceError::OutOfMemory { bytes, device: self.probe().name }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for Cpu {
    fn probe(&self) -> Probe {
        let threads = self.pool.threads();
        let plural = if threads == 1 { "" } else { "s" };
        Probe {
            name: format!("CPU, {threads} thread{plural}, {}", self.isa),
            threads,
            free_bytes: free_bytes(),
            prefers_bf16: self.isa.has_bf16_dot(),
            multiplies_int8: multiplies_int8(self.isa),
            products: self.isa.products(),
        }
    }

    fn allocate(&mut self, bytes: usize) -> Result<BufferId, DeviceError> {
        let memory = Memory::zeroed(bytes).ok_or_else(|| self.out_of_memory(bytes))?;
        Ok(self.insert(Buffer::Plain(memory)))
    }

    fn allocate_frozen(
        &mut self,
        rows: usize,
        cols: usize,
        dtype: DType,
        fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError> {
        if rows == 1 {
            let bytes = cols * 4;
            let memory = Memory::zeroed(bytes).ok_or_else(|| self.out_of_memory(bytes))?;
            // SAFETY: nobody else has the memory yet.
            let room = unsafe { std::slice::from_raw_parts_mut(memory.at(0, bytes).cast::<f32>(), cols) };
            fill(0..1, room);
            return Ok(self.insert(Buffer::Plain(memory)));
        }
        #[cfg(feature = "accelerate")]
        if dtype == DType::F32 {
            return self.allocate_plain(rows, cols, fill);
        }
        let precision = match dtype {
            DType::Bf16 => Precision::Bf16,
            DType::F32 | DType::U32 => Precision::F32,
        };
        // A panel at a time: the whole never exists as f32.
        let panels = Panels::from_fill(&self.pool, (rows, cols), precision, fill);
        let panels = panels.ok_or_else(|| self.out_of_memory(rows * cols * dtype.bytes()))?;
        Ok(self.insert(Buffer::Packed(panels)))
    }

    fn allocate_coded(&mut self, weight: &CodedWeight<'_>) -> Result<BufferId, DeviceError> {
        let panels = Panels::from_codes(&self.pool, weight);
        let panels = panels.ok_or_else(|| self.out_of_memory(weight.bytes()))?;
        Ok(self.insert(Buffer::Packed(panels)))
    }

    fn allocate_int8(
        &mut self,
        rows: usize,
        cols: usize,
        fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError> {
        let weight = Int8::from_fill(&self.pool, (rows, cols), fill);
        let weight = weight.ok_or_else(|| self.out_of_memory(int8_bytes(rows, cols)))?;
        Ok(self.insert(Buffer::Int8(weight)))
    }

    fn join(&mut self, parts: &[BufferId]) -> BufferId {
        let parts = parts.iter().filter_map(|part| self.buffers[part.0].take()).collect();
        self.insert(Buffer::Joined(parts))
    }

    fn layout(&self) -> Option<&'static str> {
        // Rows that are left as they come are not packed, and not given away.
        (!cfg!(feature = "accelerate")).then_some("panels of 32 rows, 1")
    }

    fn packed(&self, buffer: BufferId) -> Vec<Packed<'_>> {
        self.buffer(buffer).packed()
    }

    fn adopt(&mut self, packing: &Packing, bytes: Arc<dyn Lent>) -> Result<BufferId, DeviceError> {
        let found = bytes.bytes().len();
        let panels = Panels::from_lent(packing, bytes).map_err(|expected| DeviceError::NotPacked {
            rows: packing.rows,
            cols: packing.cols,
            found,
            expected,
        })?;
        Ok(self.insert(Buffer::Packed(panels)))
    }

    fn ahead(&self, buffer: BufferId) {
        self.buffer(buffer).ahead();
    }

    fn away(&self, buffer: BufferId) {
        self.buffer(buffer).away();
    }

    fn reserve_arena(&mut self, bytes: usize) -> Result<(), DeviceError> {
        if matches!(&self.buffers[0], Some(Buffer::Plain(memory)) if memory.len() >= bytes) {
            return Ok(());
        }
        self.buffers[0] = None;
        let memory = Memory::zeroed(bytes).ok_or_else(|| self.out_of_memory(bytes))?;
        self.buffers[0] = Some(Buffer::Plain(memory));
        Ok(())
    }

    fn release(&mut self, buffer: BufferId) {
        self.buffers[buffer.0] = None;
    }

    fn read(&self, view: View, out: &mut [f32]) {
        let buffer = self.buffer(view.buffer);
        if !matches!(buffer, Buffer::Plain(_)) {
            return buffer.read_frozen(out);
        }
        // SAFETY: `address` checks the range.
        let mat =
            unsafe { Mat::from_raw(self.address(view), elem(view.dtype), view.rows, view.cols, view.cols) };
        elementwise::copy(&self.pool, self.isa, mat, MatMut::f32(out, view.rows, view.cols));
    }

    fn write(&mut self, view: View, values: &[f32]) {
        // SAFETY: `address` checks the range.
        let mat = unsafe {
            MatMut::from_raw(self.address(view), elem(view.dtype), view.rows, view.cols, view.cols)
        };
        elementwise::copy(&self.pool, self.isa, Mat::f32(values, view.rows, view.cols), mat);
    }

    fn read_ids(&self, view: View, out: &mut [u32]) {
        // SAFETY: `address` checks the range; `out` is another object.
        unsafe {
            std::ptr::copy_nonoverlapping(self.address(view).cast(), out.as_mut_ptr(), view.rows * view.cols)
        };
    }

    fn write_ids(&mut self, view: View, ids: &[u32]) {
        assert_eq!(ids.len(), view.rows * view.cols, "one id for each place");
        // SAFETY: `address` checks the range; `ids` is another object.
        unsafe { std::ptr::copy_nonoverlapping(ids.as_ptr(), self.address(view).cast(), ids.len()) };
    }

    fn supports(&self, _op: &Op, _program: &Program) -> bool {
        true
    }

    fn scratch(&self, op: &Op, program: &Program) -> Scratch {
        self.room_of(op, program)
    }

    fn run(&mut self, op: &Op, bound: &Bound<'_>) {
        let (pool, isa) = (&self.pool, self.isa);
        match op {
            Op::Embed(op) => self.embed(bound, op),
            Op::EmbedBackward(op) => {
                let (dy, ids) = (self.mat(bound, op.dy), self.ids(bound, op.ids));
                embed::scatter_add(pool, isa, dy, ids, self.mat_mut(bound, op.dtable));
            }
            Op::RmsNorm(op) => {
                let (x, gamma) = (self.mat(bound, op.x), self.floats(bound, op.gamma));
                norm::rms_norm(pool, isa, x, gamma, op.eps, self.mat_mut(bound, op.y));
            }
            Op::RmsNormBackward(op) => self.norm_backward(bound, op),
            Op::LayerNorm(op) => {
                let (x, y) = (self.mat(bound, op.x), self.mat_mut(bound, op.y));
                let (gamma, beta) = (self.floats(bound, op.gamma), self.floats(bound, op.beta));
                layer_norm::layer_norm(pool, isa, x, layer_norm::Affine { gamma, beta, eps: op.eps }, y);
            }
            Op::LayerNormBackward(op) => self.layer_norm_backward(bound, op),
            Op::HeadNorm(op) => self.head_norm(bound, op),
            Op::HeadNormBackward(op) => self.head_norm_backward(bound, op),
            Op::RopeTable(op) => {
                let (cos, sin) = (self.mat_mut(bound, op.cos), self.mat_mut(bound, op.sin));
                rope::rope_table(
                    pool,
                    self.ids(bound, op.positions),
                    &op.inverse_frequency,
                    op.scale,
                    cos,
                    sin,
                );
            }
            Op::Rope(op) => self.rope(bound, op),
            Op::Attention(op) => self.attention(bound, op),
            Op::AttentionBackward(op) => self.attention_backward(bound, op),
            Op::CachedAttention(op) => self.cached_attention(bound, op),
            Op::Linear(op) => self.linear(bound, op),
            Op::LinearBackward(op) => self.linear_backward(bound, op),
            Op::RowNorm(op) => self.row_norm(bound, op),
            Op::Magnitude(op) => self.magnitude(bound, op),
            Op::MagnitudeBackward(op) => self.magnitude_backward(bound, op),
            Op::SwiGlu(op) => gate::swiglu(pool, isa, self.mat(bound, op.gate_up), self.mat_mut(bound, op.y)),
            Op::SwiGluBackward(op) => {
                let (dy, gate_up) = (self.mat(bound, op.dy), self.mat(bound, op.gate_up));
                gate::swiglu_backward(pool, isa, dy, gate_up, self.mat_mut(bound, op.dgate_up));
            }
            Op::ClampedSwiGlu(op) => {
                let (gate_up, y) = (self.mat(bound, op.gate_up), self.mat_mut(bound, op.y));
                gate::clamped_swiglu(pool, isa, gate_up, op.clamp, y);
            }
            Op::ClampedSwiGluBackward(op) => {
                let (dy, gate_up) = (self.mat(bound, op.dy), self.mat(bound, op.gate_up));
                gate::clamped_swiglu_backward(
                    pool,
                    isa,
                    dy,
                    gate_up,
                    op.clamp,
                    self.mat_mut(bound, op.dgate_up),
                );
            }
            Op::Route(op) => self.route(bound, op),
            Op::RouteBackward(op) => self.route_backward(bound, op),
            Op::SortRows(op) => self.sort_rows(bound, op),
            Op::SpreadRows(op) => self.spread_rows(bound, op),
            Op::GroupedLinear(op) => self.grouped_linear(bound, op),
            Op::GroupedLinearBackward(op) => self.grouped_linear_backward(bound, op),
            Op::CombineRows(op) => self.combine_rows(bound, op),
            Op::CombineRowsBackward(op) => self.combine_rows_backward(bound, op),
            Op::Gelu(op) => gelu::gelu(pool, isa, self.mat(bound, op.x), self.mat_mut(bound, op.y)),
            Op::GeluBackward(op) => {
                let (dy, x) = (self.mat(bound, op.dy), self.mat(bound, op.x));
                gelu::gelu_backward(pool, isa, dy, x, self.mat_mut(bound, op.dx));
            }
            Op::CrossEntropy(op) => self.cross_entropy(bound, op),
            Op::Add(op) => {
                elementwise::add(
                    pool,
                    isa,
                    self.mat(bound, op.a),
                    self.mat(bound, op.b),
                    self.mat_mut(bound, op.y),
                );
            }
            Op::GatherRows(op) => self.gather_rows(bound, op),
            Op::ScatterRows(op) => self.scatter_rows(bound, op),
            Op::Zero(op) => self.zero(bound, op),
            Op::GradNorm(op) => self.grad_norm(bound, op),
            Op::AdamW(op) => self.adamw(bound, op),
            Op::Average(op) => self.average(bound, op),
            Op::Noise(op) => self.noise(bound, op),
        }
    }
}
