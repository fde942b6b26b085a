//! A device that computes nothing and counts bytes.
//!
//! `penname plan` loads and runs a whole step on it: what it counted is what
//! the real device will need.

use super::cpu::Cpu;
use super::{Bound, BufferId, Device, DeviceError, FillRows, Probe, Scratch, View};
use crate::coding::CodedWeight;
use crate::op::Op;
use crate::program::{DType, Program};
use std::collections::BTreeMap;

/// Counts memory and operations.
#[derive(Debug, Default)]
pub struct Null {
    buffers: BTreeMap<usize, usize>,
    next: usize,
    /// The most that any operation took beside the plan.
    beside: Scratch,
    /// Refuses to hold more than this, to try a smaller machine.
    pub limit_bytes: Option<usize>,
    /// Most bytes held at one time.
    pub peak_bytes: usize,
    /// How often each operation ran.
    pub runs: BTreeMap<&'static str, u64>,
    /// The device whose kernels would run, for what they take beside the plan.
    pub like: Option<Cpu>,
}

impl Null {
    /// A device without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held now.
    pub fn held_bytes(&self) -> usize {
        self.buffers.values().sum()
    }

    fn hold(&mut self, key: usize, bytes: usize) -> Result<BufferId, DeviceError> {
        let before = self.buffers.insert(key, bytes);
        let held = self.held_bytes();
        if self.limit_bytes.is_some_and(|limit| held > limit) {
            match before {
                Some(before) => self.buffers.insert(key, before),
                None => self.buffers.remove(&key),
            };
            return Err(DeviceError::OutOfMemory { bytes, device: self.probe().name });
        }
        self.peak_bytes = self.peak_bytes.max(held);
        Ok(BufferId(key))
    }
}

impl Device for Null {
    fn probe(&self) -> Probe {
        Probe {
            name: "no device, counting only".to_owned(),
            threads: 1,
            free_bytes: self.limit_bytes,
            prefers_bf16: true,
            multiplies_int8: true,
            products: "none: nothing is computed".to_owned(),
        }
    }

    fn allocate(&mut self, bytes: usize) -> Result<BufferId, DeviceError> {
        self.next += 1;
        self.hold(self.next, bytes)
    }

    fn allocate_frozen(
        &mut self,
        rows: usize,
        cols: usize,
        dtype: DType,
        _fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError> {
        self.allocate(rows * cols * dtype.bytes())
    }

    fn allocate_coded(&mut self, weight: &CodedWeight<'_>) -> Result<BufferId, DeviceError> {
        self.allocate(weight.bytes())
    }

    fn allocate_int8(
        &mut self,
        rows: usize,
        cols: usize,
        _fill: FillRows<'_>,
    ) -> Result<BufferId, DeviceError> {
        self.allocate(super::int8_bytes(rows, cols))
    }

    fn join(&mut self, parts: &[BufferId]) -> BufferId {
        let bytes = parts.iter().filter_map(|part| self.buffers.remove(&part.0)).sum();
        self.next += 1;
        self.buffers.insert(self.next, bytes);
        BufferId(self.next)
    }

    fn reserve_arena(&mut self, bytes: usize) -> Result<(), DeviceError> {
        let before = self.buffers.get(&BufferId::ARENA.0).copied().unwrap_or(0);
        self.hold(BufferId::ARENA.0, before.max(bytes)).map(|_| ())
    }

    fn release(&mut self, buffer: BufferId) {
        self.buffers.remove(&buffer.0);
    }

    fn read(&self, _view: View, _out: &mut [f32]) {}

    fn write(&mut self, _view: View, _values: &[f32]) {}

    fn read_ids(&self, _view: View, _out: &mut [u32]) {}

    fn write_ids(&mut self, _view: View, _ids: &[u32]) {}

    fn supports(&self, _op: &Op, _program: &Program) -> bool {
        true
    }

    fn run(&mut self, op: &Op, bound: &Bound<'_>) {
        for (_, id) in op.accesses() {
            let _ = bound.view(id);
        }
        if let Some(like) = &self.like {
            self.beside = self.beside.max(like.scratch(op, bound.program));
            self.peak_bytes = self.peak_bytes.max(self.held_bytes() + self.beside.total());
        }
        *self.runs.entry(op.name()).or_default() += 1;
    }
}
