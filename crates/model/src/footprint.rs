//! The memory that weights will take, held before there are any.
//!
//! [`Parameters::hold`] walks the same list as [`Parameters::load`] and asks the same question of every
//! weight, in what format it will lie in memory; only the numbers are missing. On a device that counts,
//! what it holds is the forecast.

use std::collections::BTreeMap;

use penname_engine::coding::Outer;
use penname_engine::{CodedRow, CodedWeight, Coding, DType, Device, Role};

use crate::error::Result;
use crate::keeping::{Keeping, coding_for};
use crate::network::{Network, names};
use crate::parameters::{Parameters, linear_weights};
use crate::quant::Storage;

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

impl Parameters {
    /// Gives every parameter its memory and no numbers, as if all matrices were stored as `stored`.
    /// Returns the frozen ones by format, too.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn hold(
        network: &Network,
        keeping: Keeping,
        stored: Storage,
        device: &mut dyn Device,
    ) -> Result<(Self, BTreeMap<String, Held>)> {
        let linears = linear_weights(&network.program);
        let mut parameters = Self::default();
        let mut held: BTreeMap<String, Held> = BTreeMap::new();
        for parameter in &network.parameters {
            let slot = network.program.tensor(parameter.id);
            let (rows, cols) = (network.program.rows(parameter.id), slot.cols);
            let buffer = if slot.role == (Role::Weight { trainable: true }) {
                device.allocate(rows * cols * DType::F32.bytes())?
            } else {
                let is_as_stored = parameter.shape.len() == 2 && !parameter.turned;
                let apart = stored.format().apart.filter(|_| is_as_stored);
                let coding = coding_for(keeping, apart, linears.contains(&parameter.id), cols);
                let (format, bytes) = match coding {
                    Some(coding) => (coding.name(), coded_bytes(rows, cols, coding)),
                    None if rows > 1 && slot.dtype == DType::Bf16 => {
                        ("bf16", panel_bytes(rows, cols, slot.dtype))
                    }
                    None => ("f32", panel_bytes(rows, cols, DType::F32)),
                };
                let entry = held.entry(format.to_owned()).or_default();
                entry.n_tensors += 1;
                entry.n_numbers += rows * cols;
                entry.bytes += bytes;
                device.allocate(bytes)?
            };
            parameters.buffers.insert(parameter.name.clone(), buffer);
        }
        Ok((parameters, held))
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

/// A matrix in panels of 32 rows, bf16 numbers by twos; a vector as it is.
fn panel_bytes(rows: usize, cols: usize, dtype: DType) -> usize {
    if rows == 1 {
        return cols * DType::F32.bytes();
    }
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
