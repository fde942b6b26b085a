//! A frozen base that stays on disk: its matrices, packed once as the device reads them, in a file that is
//! mapped.
//!
//! `<shelf>/<key>/panels.bin` has the bytes, each matrix from a page on, and `index.json` says what they
//! are. The key is a hash of everything they follow from; the base's own is given, because whoever found the
//! base knows it. Vectors are not in it: they are small, and in
//! memory. `docs/adr/0006-a-base-larger-than-memory.md` says why it is so.

mod index;
mod make;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penname_engine::backend::Lent;
use penname_engine::{BufferId, Device, DeviceError, Precision};
use penname_ledger::Hash;
use serde_json::json;

use crate::error::{Error, Result};
use crate::keeping::Keeping;
use crate::network::{Network, Parameter};
use crate::weights::Mapped;
use index::{Index, Matrix, Part};

pub(crate) use make::Maker;

/// The bytes of all matrices.
const PANELS: &str = "panels.bin";
/// What they are.
const INDEX: &str = "index.json";

/// A folder in which packed bases lie, and the base that is looked for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
    base: Hash,
}

impl Shelf {
    /// The folder need not be there yet. `base` stands for every byte of the base.
    pub fn new(dir: impl Into<PathBuf>, base: Hash) -> Self {
        Self { dir: dir.into(), base }
    }

    /// Where the base lies packed, or will.
    ///
    /// # Errors
    /// When the device packs nothing that it could adopt.
    pub fn place(&self, precision: Precision, keeping: Keeping, device: &dyn Device) -> Result<PathBuf> {
        let nothing = || DeviceError::NotPacked {
            rows: 0,
            cols: 0,
            found: 0,
            expected: "a device that adopts weights".to_owned(),
        };
        let layout = device.layout().ok_or_else(nothing)?;
        let base = self.base.to_string();
        let key = Hash::of_json(&json!([layout, keeping.to_string(), format!("{precision:?}"), base]));
        Ok(self.dir.join(key.key12()))
    }
}

/// A packed base, mapped.
#[derive(Debug)]
pub(crate) struct Shelved {
    map: Arc<Mapped>,
    matrices: BTreeMap<String, Matrix>,
}

impl Shelved {
    /// Opens what lies in a folder, if it is all that the network needs.
    pub(crate) fn open(dir: &Path, network: &Network) -> Option<Self> {
        let map = Mapped::open(&dir.join(PANELS)).ok()?;
        let index: Index = serde_json::from_slice(&std::fs::read(dir.join(INDEX)).ok()?).ok()?;
        let matrices = index.checked(map.bytes().len())?;
        let is_there = |parameter: &Parameter| {
            let rows = network.program.rows(parameter.id);
            let cols = network.program.cols(parameter.id);
            matrices.get(&parameter.name).is_some_and(|matrix| matrix.shape() == (rows, cols))
        };
        let matrix = |parameter: &&Parameter| is_matrix(parameter);
        let all = network.parameters.iter().filter(matrix).all(is_there);
        all.then(|| Self { map: Arc::new(map), matrices })
    }

    /// Whether the device takes every matrix for what the index says. Nothing of them is read.
    pub(crate) fn fits(&self, device: &mut dyn Device) -> bool {
        let mut takes = |part: &Part| {
            let packing = part.packing(self.map.bytes())?;
            let buffer = device.adopt(&packing, self.lend(part)).ok()?;
            device.release(buffer);
            Some(())
        };
        self.matrices.values().flat_map(|matrix| &matrix.parts).all(|part| takes(part).is_some())
    }

    fn lend(&self, part: &Part) -> Arc<dyn Lent> {
        Arc::new(Stretch { map: Arc::clone(&self.map), range: part.range() })
    }

    /// Gives a matrix to the device where it lies, and says in what format that is.
    ///
    /// # Errors
    /// When it is not there, or not as the device packs it.
    pub(crate) fn adopt(&self, parameter: &Parameter, device: &mut dyn Device) -> Result<(BufferId, String)> {
        let unknown = || Error::TensorUnknown { tensor: parameter.name.clone() };
        let matrix = self.matrices.get(&parameter.name).ok_or_else(unknown)?;
        let mut buffers = Vec::new();
        for part in &matrix.parts {
            let packing = part.packing(self.map.bytes()).ok_or_else(unknown)?;
            buffers.push(device.adopt(&packing, self.lend(part))?);
        }
        let buffer = match *buffers {
            [one] if parameter.fused.is_none() => one,
            _ => device.join(&buffers),
        };
        Ok((buffer, format!("{} on disk", matrix.format)))
    }
}

/// Whether a parameter is packed where it is frozen: all but vectors.
pub(crate) fn is_matrix(parameter: &Parameter) -> bool {
    let n_axes = if parameter.fused.is_some() { 3 } else { 2 };
    parameter.shape.len() == n_axes && (parameter.fused.is_some() || parameter.shape[0] > 1)
}

/// A part of a mapped file.
#[derive(Debug)]
struct Stretch {
    map: Arc<Mapped>,
    range: Range<usize>,
}

impl Lent for Stretch {
    fn bytes(&self) -> &[u8] {
        &self.map.bytes()[self.range.clone()]
    }

    fn ahead(&self) {
        self.map.expect(self.range.clone());
    }

    fn away(&self) {
        self.map.forget(self.range.clone());
    }
}
