//! A planned program on a device: bind its weights, write its inputs, run its sections.

mod ahead;

pub(crate) use ahead::Stretches;

use crate::backend::{Bound, BufferId, Device, DeviceError};
use crate::op::{Access, Host};
use crate::plan::{Place, Plan};
use crate::program::{DType, Extent, Program, Role, Section, Step, TensorId};
use std::collections::BTreeMap;

/// A program with memory.
#[derive(Debug)]
pub struct Session {
    program: Program,
    plan: Plan,
    own: Vec<Option<BufferId>>,
    stretches: Stretches,
    /// How often an operation fell back to the reference, by name.
    pub fallbacks: BTreeMap<&'static str, u64>,
}

impl Session {
    /// Plans `program` and gives memory to everything but its weights, which are bound.
    ///
    /// # Errors
    /// When the device has not enough memory.
    pub fn new(program: Program, device: &mut dyn Device) -> Result<Self, DeviceError> {
        let plan = Plan::new(&program);
        device.reserve_arena(plan.arena_bytes)?;
        let mut own = vec![None; program.tensors().len()];
        for (id, tensor) in program.iter() {
            let weight = matches!(tensor.role, Role::Weight { .. });
            if plan.place(id) == Place::Own && !weight {
                own[id.index()] = Some(device.allocate(program.bytes(id))?);
            }
        }
        let stretches = Stretches::new(&program);
        Ok(Self { program, plan, own, stretches, fallbacks: BTreeMap::new() })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gives a tensor memory that others may share: a weight, or a state.
    ///
    /// Returns what it had before.
    pub fn bind(&mut self, id: TensorId, buffer: BufferId) -> Option<BufferId> {
        self.own[id.index()].replace(buffer)
    }

    /// The memory of a tensor that has its own.
    pub fn buffer(&self, id: TensorId) -> Option<BufferId> {
        self.own[id.index()]
    }

    /// Gives back all memory that is not a weight's.
    pub fn release(self, device: &mut dyn Device) {
        for (id, tensor) in self.program.iter() {
            if let (Some(buffer), false) = (self.own[id.index()], matches!(tensor.role, Role::Weight { .. }))
            {
                device.release(buffer);
            }
        }
    }

    fn bound(&self, extent: Extent) -> Bound<'_> {
        Bound { program: &self.program, plan: &self.plan, own: &self.own, extent }
    }

    /// Writes the rows in use of an input, a state or a trainable weight, if anything reads it.
    pub fn write(&self, device: &mut dyn Device, id: TensorId, extent: Extent, values: &[f32]) {
        if self.plan.place(id) != Place::Nowhere {
            device.write(self.bound(extent).view(id), values);
        }
    }

    /// Writes the rows in use of an input of ids, if anything reads it.
    pub fn write_ids(&self, device: &mut dyn Device, id: TensorId, extent: Extent, ids: &[u32]) {
        if self.plan.place(id) != Place::Nowhere {
            device.write_ids(self.bound(extent).view(id), ids);
        }
    }

    /// Reads the rows in use of any tensor with memory of its own.
    pub fn read(&self, device: &mut dyn Device, id: TensorId, extent: Extent) -> Vec<f32> {
        device.sync();
        let view = self.bound(extent).view(id);
        let mut out = vec![0.0; view.rows * view.cols];
        device.read(view, &mut out);
        out
    }

    /// Reads the rows in use of a tensor of ids with memory of its own.
    pub fn read_ids(&self, device: &mut dyn Device, id: TensorId, extent: Extent) -> Vec<u32> {
        device.sync();
        let view = self.bound(extent).view(id);
        let mut out = vec![0; view.rows * view.cols];
        device.read_ids(view, &mut out);
        out
    }

    /// Runs one section.
    ///
    /// # Errors
    /// When a tensor has no memory or `extent` exceeds the capacity.
    pub fn run(
        &mut self,
        device: &mut dyn Device,
        section: Section,
        extent: Extent,
    ) -> Result<(), DeviceError> {
        self.run_watched(device, section, extent, &mut |_| {})
    }

    /// Runs one section and calls `after` when an operation is done.
    ///
    /// # Errors
    /// When a tensor has no memory or `extent` exceeds the capacity.
    pub fn run_watched(
        &mut self,
        device: &mut dyn Device,
        section: Section,
        extent: Extent,
        after: &mut dyn FnMut(&Step),
    ) -> Result<(), DeviceError> {
        self.check(extent)?;
        let mut fallbacks = std::mem::take(&mut self.fallbacks);
        let bound = self.bound(extent);
        for (at, step) in self.program.steps().iter().enumerate().filter(|(_, step)| step.section == section)
        {
            self.turn(device, at);
            if device.supports(&step.op, &self.program) {
                device.run(&step.op, &bound);
            } else {
                run_reference(device, step, &bound);
                *fallbacks.entry(step.op.name()).or_default() += 1;
            }
            after(step);
        }
        self.buffers(&self.stretches.last(section)).for_each(|buffer| device.away(buffer));
        self.fallbacks = fallbacks;
        Ok(())
    }

    /// Tells the device which frozen weights come next and which are done with.
    fn turn(&self, device: &dyn Device, at: usize) {
        let Some(turn) = self.stretches.turn(at) else { return };
        self.buffers(&turn.away).for_each(|buffer| device.away(buffer));
        self.buffers(&turn.ahead).for_each(|buffer| device.ahead(buffer));
    }

    fn buffers<'a>(&'a self, ids: &'a [TensorId]) -> impl Iterator<Item = BufferId> + 'a {
        ids.iter().filter_map(|id| self.own[id.index()])
    }

    fn check(&self, extent: Extent) -> Result<(), DeviceError> {
        let capacity = self.program.capacity();
        let kinds = [("token", extent.tokens, capacity.tokens), ("picked", extent.picked, capacity.picked)];
        if let Some(&(what, found, capacity)) = kinds.iter().find(|(_, found, capacity)| found > capacity) {
            return Err(DeviceError::TooManyRows { what, found, capacity });
        }
        let unbound = self
            .program
            .iter()
            .find(|(id, _)| self.plan.place(*id) == Place::Own && self.own[id.index()].is_none());
        unbound.map_or(Ok(()), |(_, tensor)| Err(DeviceError::Unbound { tensor: tensor.name.clone() }))
    }
}

/// Runs the plain loops on the host: copies in what the operation reads, copies out what it wrote.
pub(crate) fn run_reference(device: &mut dyn Device, step: &Step, bound: &Bound<'_>) {
    let mut host = Host::<f32>::new(bound.program, bound.extent);
    device.sync();
    for (_, id) in step.op.accesses() {
        let view = bound.view(id);
        if view.dtype == DType::U32 {
            let mut ids = vec![0; view.rows * view.cols];
            device.read_ids(view, &mut ids);
            host.set_ids(id, ids);
        } else {
            let mut values = vec![0.0; view.rows * view.cols];
            device.read(view, &mut values);
            host.set(id, values);
        }
    }
    step.op.reference(&mut host);
    for (access, id) in step.op.accesses() {
        let view = bound.view(id);
        match access {
            Access::Read => {}
            _ if view.dtype == DType::U32 => device.write_ids(view, host.ids(id)),
            _ => device.write(view, host.get(id)),
        }
    }
}
