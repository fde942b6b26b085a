//! The weights of a model on a device, loaded once and shared by every program that uses them.

use crate::error::{Error, Result};
use crate::fused::Gathered;
use crate::keeping::{Incoming, Keeping, Source, copy_rows};
use crate::lengths;
use crate::network::{Network, PairSlot, Parameter, names};
use crate::peft::Pair;
use crate::shelf::{Maker, Shelf, Shelved, is_matrix};
use crate::weights::{Checkpoint, Spare, Taken};
use penname_engine::backend::View;
use penname_engine::op::Op;
use penname_engine::{BufferId, DType, Device, Program, Role, Session, TensorId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Weights by name, with the memory that holds them.
#[derive(Debug, Default)]
pub struct Parameters {
    pub(crate) buffers: BTreeMap<String, BufferId>,
    /// Tensors of the checkpoint that the model does not need, and why.
    pub spare: Vec<Spare>,
    /// How many frozen weights lie in memory in each format.
    pub kept: BTreeMap<String, usize>,
}

impl Parameters {
    /// Loads every parameter of `network` from a checkpoint, frozen ones kept as said.
    ///
    /// # Errors
    /// When a tensor is missing, misshapen or unused, or trained and quantized, by name; when memory
    /// runs out.
    pub fn load(
        checkpoint: &Checkpoint,
        network: &Network,
        keeping: Keeping,
        device: &mut dyn Device,
    ) -> Result<Self> {
        Self::walk(checkpoint, network, keeping, device, &mut Home::Memory)
    }

    /// As [`Parameters::load`], but frozen matrices lie on disk, packed as the device reads them, and are
    /// mapped from there. They are put on the shelf, which is that of this checkpoint, if they are not there
    /// yet.
    ///
    /// # Errors
    /// As [`Parameters::load`]; when the file system refuses, or the device adopts no weights.
    pub fn load_shelved(
        checkpoint: &Checkpoint,
        network: &Network,
        keeping: Keeping,
        shelf: &Shelf,
        device: &mut dyn Device,
    ) -> Result<Self> {
        let shelved = shelf.find_or_make(checkpoint, network, keeping, device)?;
        Self::walk(checkpoint, network, keeping, device, &mut Home::Shelf(&shelved))
    }

    /// Loads every parameter to where it is at home.
    pub(crate) fn walk(
        checkpoint: &Checkpoint,
        network: &Network,
        keeping: Keeping,
        device: &mut dyn Device,
        home: &mut Home<'_>,
    ) -> Result<Self> {
        let linears = linear_weights(&network.program);
        let mut all = Self::default();
        let mut taken = Taken::new(checkpoint);
        for parameter in &network.parameters {
            let slot = network.program.tensor(parameter.id);
            let (rows, cols) = (network.program.rows(parameter.id), slot.cols);
            let is_trained = slot.role == (Role::Weight { trainable: true });
            if parameter.fused.is_some() {
                let gathered = Gathered::take(&mut taken, checkpoint, parameter)?;
                if is_trained {
                    let values = gathered.trained(parameter, keeping)?;
                    all.insert(parameter.name.clone(), plain(device, rows, cols, &values)?);
                } else {
                    let freeze =
                        |device: &mut dyn Device| gathered.freeze(parameter, slot.dtype, keeping, device);
                    all.settle(parameter, home.settle(parameter, &freeze, device)?);
                }
                gathered.forget(checkpoint);
                continue;
            }
            let turned = parameter.turned && checkpoint.is_published();
            let mut shape = parameter.shape.clone();
            if turned {
                shape.reverse();
            }
            let tensor = taken.take(&parameter.name, &shape)?;
            let storage = tensor.info().dtype;
            let source = match turned {
                true if is_trained || home.reads(parameter) => {
                    Source::Whole(checkpoint.read_turned(&parameter.name)?)
                }
                _ => Source::Tensor(tensor),
            };
            let is_linear = linears.contains(&parameter.id);
            let weight = Incoming { source, rows, cols, dtype: slot.dtype, is_linear };
            if is_trained {
                if let Some(format) = keeping.quantized(storage) {
                    return Err(Error::QuantizedTrainable { tensor: parameter.name.clone(), format });
                }
                let mut values = vec![0.0; rows * cols];
                weight.read(0..rows, &mut values);
                all.insert(parameter.name.clone(), plain(device, rows, cols, &values)?);
            } else {
                let freeze = |device: &mut dyn Device| weight.freeze(keeping, device);
                all.settle(parameter, home.settle(parameter, &freeze, device)?);
            }
            // What was read is on the device; its pages need not stay with this process.
            checkpoint.forget(&parameter.name);
        }
        all.spare = taken.finish()?;
        Ok(all)
    }

    /// Notes where a frozen parameter is, and in what format.
    fn settle(&mut self, parameter: &Parameter, found: Option<(BufferId, String)>) {
        if let Some((buffer, format)) = found {
            *self.kept.entry(format).or_default() += 1;
            self.insert(parameter.name.clone(), buffer);
        }
    }

    /// Gives every low-rank pair of `network` its numbers.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn add_pairs(
        &mut self,
        network: &Network,
        device: &mut dyn Device,
        pair: impl Fn(&PairSlot) -> Pair,
    ) -> Result<()> {
        for slot in &network.pairs {
            let values = pair(slot);
            for (id, values) in slot.halves(&values) {
                let (rows, cols) = (network.program.rows(id), network.program.cols(id));
                let values = values.as_ref();
                let buffer = plain(device, rows, cols, values)?;
                self.buffers.insert(network.program.tensor(id).name.clone(), buffer);
            }
            if slot.magnitude.is_some() {
                lengths::add(self, network, (slot, &values), device)?;
            }
        }
        Ok(())
    }

    /// Gives every low-rank pair of `network` numbers that no training will change, in the layout and
    /// the rounding in which the device multiplies.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn add_frozen_pairs<'a>(
        &mut self,
        network: &Network,
        device: &mut dyn Device,
        pair: impl Fn(&PairSlot) -> &'a Pair,
    ) -> Result<()> {
        let dtype = network.program.compute().dtype();
        for slot in &network.pairs {
            let values = pair(slot);
            for (id, values) in slot.halves(values) {
                let (rows, cols) = (network.program.rows(id) / slot.experts, network.program.cols(id));
                let mut parts = Vec::new();
                for values in values.chunks(rows * cols) {
                    let fill = |range: Range<usize>, room: &mut [f32]| copy_rows(values, range, room);
                    parts.push(device.allocate_frozen(rows, cols, dtype, &fill)?);
                }
                let buffer = if let [one] = *parts { one } else { device.join(&parts) };
                self.buffers.insert(network.program.tensor(id).name.clone(), buffer);
            }
            if slot.magnitude.is_some() {
                lengths::add(self, network, (slot, values), device)?;
            }
        }
        Ok(())
    }

    /// Gives a vector or a matrix a name.
    pub(crate) fn insert(&mut self, name: String, buffer: BufferId) {
        self.buffers.insert(name, buffer);
    }

    /// Plans a program and binds these weights to it.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn session(&self, program: Program, device: &mut dyn Device) -> Result<Session> {
        let mut session = Session::new(program, device)?;
        let weights: Vec<(TensorId, String)> = session
            .program()
            .iter()
            .filter(|(_, tensor)| matches!(tensor.role, Role::Weight { .. }))
            .map(|(id, tensor)| (id, tensor.name.clone()))
            .collect();
        for (id, name) in weights {
            if let Some(buffer) = self.buffers.get(&name) {
                session.bind(id, *buffer);
            }
        }
        Ok(session)
    }

    /// The memory of a weight.
    pub fn buffer(&self, name: &str) -> Option<BufferId> {
        self.buffers.get(name).copied()
    }

    /// Reads the low-rank pairs back, by module.
    pub fn pairs(&self, network: &Network, device: &mut dyn Device) -> BTreeMap<String, Pair> {
        device.sync();
        let read = |id: TensorId| -> Vec<f32> {
            let tensor = network.program.tensor(id);
            let Some(buffer) = self.buffer(&tensor.name) else { return Vec::new() };
            read_plain(device, buffer, network.program.rows(id), tensor.cols)
        };
        let pair = |slot: &PairSlot| {
            let lengths = slot.magnitude.and(self.buffer(&names::magnitude(&slot.module)));
            let magnitude = lengths.map(|buffer| read_plain(device, buffer, 1, network.program.rows(slot.b)));
            let pair = slot.pair(&network.program, read(slot.a), read(slot.b));
            (slot.module.clone(), Pair { magnitude, ..pair })
        };
        network.pairs.iter().map(pair).collect()
    }
}

/// Memory of a frozen parameter, and the storage it has there.
type Frozen = (BufferId, String);

/// Where frozen parameters go.
pub(crate) enum Home<'a> {
    /// To the device.
    Memory,
    /// Matrices into a file, and nowhere else.
    Making(&'a mut Maker),
    /// Matrices to where they lie on disk already.
    Shelf(&'a Shelved),
}

impl Home<'_> {
    /// Whether the numbers of a parameter are read from its checkpoint.
    fn reads(&self, parameter: &Parameter) -> bool {
        !(matches!(self, Self::Shelf(_)) && is_matrix(parameter))
    }

    /// Puts a frozen parameter where it belongs.
    fn settle(
        &mut self,
        parameter: &Parameter,
        freeze: &dyn Fn(&mut dyn Device) -> Result<Frozen>,
        device: &mut dyn Device,
    ) -> Result<Option<Frozen>> {
        match self {
            Self::Shelf(shelved) if is_matrix(parameter) => shelved.adopt(parameter, device).map(Some),
            Self::Making(_) if !is_matrix(parameter) => Ok(None),
            Self::Making(maker) => {
                let (buffer, format) = freeze(device)?;
                maker.add(&parameter.name, &format, &device.packed(buffer));
                device.release(buffer);
                Ok(None)
            }
            Self::Memory | Self::Shelf(_) => freeze(device).map(Some),
        }
    }
}

/// The weights that linears of blocks multiply with. A head that gives logits is a linear too, but one
/// that is not quantized: where it gives a loss it is not either, and it may be the embedding.
pub(crate) fn linear_weights(program: &Program) -> BTreeSet<TensorId> {
    // A router decides with its weights, and is left as it is.
    let logits: BTreeSet<TensorId> = program
        .steps()
        .iter()
        .filter_map(|step| if let Op::Route(route) = &step.op { Some(route.logits) } else { None })
        .collect();
    let of = |op: &Op| match op {
        Op::Linear(linear) if !logits.contains(&linear.y) => {
            linear.parts.iter().map(|part| part.weight).collect()
        }
        _ => Vec::new(),
    };
    let in_blocks = program.steps().iter().filter(|step| step.block.is_some());
    in_blocks.flat_map(|step| of(&step.op)).collect()
}

/// Numbers in plain f32 storage.
pub(crate) fn plain(device: &mut dyn Device, rows: usize, cols: usize, values: &[f32]) -> Result<BufferId> {
    let buffer = device.allocate(rows * cols * DType::F32.bytes())?;
    device.write(View { buffer, offset: 0, rows, cols, dtype: DType::F32 }, values);
    Ok(buffer)
}

/// Reads plain f32 storage back.
fn read_plain(device: &dyn Device, buffer: BufferId, rows: usize, cols: usize) -> Vec<f32> {
    let mut values = vec![0.0; rows * cols];
    device.read(View { buffer, offset: 0, rows, cols, dtype: DType::F32 }, &mut values);
    values
}
