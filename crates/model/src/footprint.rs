//! The memory that weights will take, held before there are any.
//!
//! [`Parameters::hold`] walks the same list as [`Parameters::load`] and asks the same question of every
//! weight, in what format it will lie in memory; only the numbers are missing. On a device that counts,
//! what it holds is the forecast.

use std::collections::BTreeMap;

use penname_engine::backend::int8_bytes;
use penname_engine::coding::Outer;
use penname_engine::{BufferId, CodedRow, CodedWeight, Coding, DType, Device, Plan, Role, TensorId};

use crate::error::Result;
use crate::keeping::{INT8, Keeping, Residence, coding_for, is_int8};
use crate::network::{Network, Parameter, names};
use crate::parameters::{Parameters, linear_weights};
use crate::quant::Storage;
use crate::shelf::is_matrix;

/// Weights that lie in memory alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// How many tensors.
    pub n_tensors: usize,
    /// Numbers in them.
    pub n_numbers: usize,
    /// Bytes they take, padding included.
    pub bytes: usize,
}

/// How a base is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// In what formats.
    pub keeping: Keeping,
    /// How its file has most of its matrices.
    pub stored: Storage,
    /// In memory or on disk.
    pub residence: Residence,
}

/// What holding a base takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holding {
    /// Frozen weights by format, wherever they lie.
    pub formats: BTreeMap<String, Held>,
    /// Bytes of those that lie on disk.
    pub on_disk: usize,
    /// Bytes of those that must be in memory at one time.
    pub in_memory: usize,
}

impl Parameters {
    /// Gives every parameter its memory and no numbers, as if all matrices were stored alike.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn hold(network: &Network, how: Hold, device: &mut dyn Device) -> Result<(Self, Holding)> {
        let linears = linear_weights(&network.program);
        let mut parameters = Self::default();
        let mut holding = Holding::default();
        let mut on_disk: BTreeMap<TensorId, usize> = BTreeMap::new();
        for parameter in &network.parameters {
            let slot = network.program.tensor(parameter.id);
            let n_numbers = network.program.rows(parameter.id) * slot.cols;
            let buffer = if slot.role == (Role::Weight { trainable: true }) {
                device.allocate(n_numbers * DType::F32.bytes())?
            } else {
                let is_linear = linears.contains(&parameter.id) || parameter.fused.is_some();
                let (format, bytes) = frozen_bytes(network, parameter, is_linear, how);
                let held = holding.formats.entry(format.to_owned()).or_default();
                held.n_tensors += 1;
                held.n_numbers += n_numbers;
                held.bytes += bytes;
                if how.residence == Residence::Disk && is_matrix(parameter) {
                    holding.on_disk += bytes;
                    on_disk.insert(parameter.id, bytes);
                    device.allocate(0)?
                } else {
                    holding.in_memory += bytes;
                    device.allocate(bytes)?
                }
            };
            parameters.buffers.insert(parameter.name.clone(), buffer);
        }
        let at_once = Plan::working_set(&network.program, &|id| on_disk.get(&id).copied().unwrap_or(0));
        let _room: BufferId = device.allocate(at_once)?;
        holding.in_memory += at_once;
        Ok((parameters, holding))
    }

    /// Gives every low-rank pair its memory and no numbers.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn hold_pairs(&mut self, network: &Network, device: &mut dyn Device) -> Result<()> {
        for id in network.pairs.iter().flat_map(|slot| [slot.a, slot.b]) {
            let (rows, cols) = (network.program.rows(id), network.program.cols(id));
            let buffer = device.allocate(rows * cols * DType::F32.bytes())?;
            self.buffers.insert(network.program.tensor(id).name.clone(), buffer);
        }
        for slot in network.pairs.iter().filter(|slot| slot.magnitude.is_some()) {
            let (module, n_out) = (&slot.module, network.program.rows(slot.b));
            for name in [names::squares(module), names::magnitude(module), names::factor(module)] {
                let buffer = device.allocate(n_out * DType::F32.bytes())?;
                self.buffers.insert(name, buffer);
            }
        }
        Ok(())
    }
}

/// The format in which a frozen parameter will lie, and its bytes.
fn frozen_bytes(
    network: &Network,
    parameter: &Parameter,
    is_linear: bool,
    how: Hold,
) -> (&'static str, usize) {
    let slot = network.program.tensor(parameter.id);
    let (rows, cols) = (network.program.rows(parameter.id), slot.cols);
    if !is_matrix(parameter) {
        return ("f32", rows * cols * DType::F32.bytes());
    }
    // Matrices of experts are packed one by one.
    let n = parameter.fused.map_or(1, |fused| fused.experts);
    let rows = rows / n;
    let apart = stored_as(parameter, how.stored).format().apart.filter(|_| !parameter.turned);
    if is_int8(how.keeping, is_linear, parameter.fused.is_some()) {
        return (INT8, int8_bytes(rows, cols));
    }
    match coding_for(how.keeping, apart, is_linear, cols) {
        Some(coding) => (coding.name(), n * coded_bytes(rows, cols, coding)),
        None if slot.dtype == DType::Bf16 => ("bf16", n * panel_bytes(rows, cols, slot.dtype)),
        None => ("f32", n * panel_bytes(rows, cols, DType::F32)),
    }
}

/// How the file of a base has a parameter whose matrices are mostly stored as `stored`: bases in MXFP4
/// have their experts in it and nothing else.
fn stored_as(parameter: &Parameter, stored: Storage) -> Storage {
    if stored == Storage::MXFP4 && parameter.fused.is_none() { Storage::BF16 } else { stored }
}

/// A matrix in panels of 32 rows, bf16 numbers by twos.
fn panel_bytes(rows: usize, cols: usize, dtype: DType) -> usize {
    let together = if dtype == DType::Bf16 { 2 } else { 1 };
    rows.next_multiple_of(32) * cols.next_multiple_of(together) * dtype.bytes()
}

fn coded_bytes(rows: usize, cols: usize, coding: Coding) -> usize {
    let n_outer = (rows * cols).div_ceil(coding.chunk()).div_ceil(penname_engine::coding::OUTER_CHUNKS);
    let outer = Outer { scales: vec![0.0; n_outer], offset: 0.0 };
    let fill = |_: usize, _: &mut CodedRow| {};
    let outer = (coding == Coding::Nf4).then_some(&outer);
    CodedWeight { rows, cols, coding, dtype: DType::F32, outer, fill: &fill }.bytes()
}
