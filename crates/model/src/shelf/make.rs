//! Packs a base once: a matrix at a time, so that no more than one is in memory.

use std::io::Write;
use std::path::Path;

use penname_engine::backend::Packed;
use penname_engine::{DType, Device};
use penname_ledger::write::{self, Atomic, Staged};

use super::index::{Index, Matrix, Part};
use super::{INDEX, PANELS, Shelf, Shelved};
use crate::error::{Error, Result};
use crate::keeping::Keeping;
use crate::network::Network;
use crate::parameters::{Home, Parameters};
use crate::weights::Checkpoint;

/// Every matrix begins on a page, so that the system can let go of one and keep the next.
const PAGE: u64 = 4096;

impl Shelf {
    /// A packed base, from the shelf or put there now.
    ///
    /// # Errors
    /// When the base lacks a tensor or has it in another shape, or the file system refuses.
    pub(crate) fn find_or_make(
        &self,
        checkpoint: &Checkpoint,
        network: &Network,
        keeping: Keeping,
        device: &mut dyn Device,
    ) -> Result<Shelved> {
        let dir = self.place(network.program.compute(), keeping, device)?;
        if let Some(shelved) = Shelved::open(&dir, network).filter(|shelved| shelved.fits(device)) {
            return Ok(shelved);
        }
        let mut maker = Maker::new(&dir)?;
        Parameters::walk(checkpoint, network, keeping, device, &mut Home::Making(&mut maker))?;
        maker.finish()?;
        Shelved::open(&dir, network).ok_or(Error::NotACheckpoint { path: dir })
    }
}

/// A shelf entry being written.
#[derive(Debug)]
pub(crate) struct Maker {
    staged: Staged,
    file: Atomic,
    index: Index,
}

impl Maker {
    fn new(dir: &Path) -> Result<Self> {
        let staged = Staged::create(dir)?;
        let file = staged.file(PANELS)?;
        Ok(Self { staged, file, index: Index::default() })
    }

    /// Adds a matrix as a device packed it. A write that fails is told by [`Maker::finish`].
    pub(crate) fn add(&mut self, name: &str, format: &str, packed: &[Packed<'_>]) {
        let parts = packed.iter().map(|packed| self.part(packed)).collect();
        self.index.matrices.insert(name.to_owned(), Matrix { format: format.to_owned(), parts });
    }

    fn part(&mut self, Packed { packing, bytes }: &Packed<'_>) -> Part {
        let n_bytes = self.file.n_bytes();
        let padding = vec![0; (n_bytes.next_multiple_of(PAGE) - n_bytes) as usize];
        self.put(&padding);
        let at = self.file.n_bytes() as usize;
        self.put(bytes);
        let outer = packing.coded.as_ref().map(|(_, outer)| outer).filter(|outer| !outer.scales.is_empty());
        if let Some(outer) = outer {
            let numbers = outer.scales.iter().chain([&outer.offset]);
            let shared: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
            self.put(&shared);
        }
        Part {
            rows: packing.rows,
            cols: packing.cols,
            rounded: packing.dtype == DType::Bf16,
            coding: packing.coded.as_ref().map(|(coding, _)| coding.name().to_owned()),
            at,
            bytes: bytes.len(),
            outer: outer.map_or(0, |outer| outer.scales.len()),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        // The file remembers the first write that failed.
        let _kept = self.file.write_all(bytes);
    }

    fn finish(self) -> Result<()> {
        let Self { staged, file, index } = self;
        file.commit()?;
        write::json(&staged.dir().join(INDEX), &index)?;
        Ok(staged.commit()?)
    }
}
