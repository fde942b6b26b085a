//! A file seen as a slice of bytes.
//!
//! Mapping is why opening a checkpoint of many gigabytes takes no time and no memory. The price is
//! that the bytes are only as steady as the file: whoever cuts a checkpoint short while a program
//! uses it ends that program.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The bytes of a file and where it lies.
#[derive(Debug)]
pub(crate) struct Mapped {
    path: PathBuf,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// The file itself.
    Map(Mmap),
    /// What it was decoded to.
    Decoded(Vec<u8>),
}

impl Mapped {
    /// Maps a regular file for reading. Pipes and devices are refused: they have no bytes to map,
    /// and opening one may wait for ever.
    pub(crate) fn open(path: &Path) -> Result<Mapped> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Error::NotACheckpoint { path: path.to_owned() });
        }
        let file = File::open(path).map_err(unreadable)?;
        #[expect(unsafe_code, reason = "the one place where files are mapped")]
        // SAFETY: the map is private and only read. Another process may still change the file under
        // us, as with every map; that is the documented price, and the readers above check every
        // length and offset against the map before they use it.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        Ok(Mapped { path: path.to_owned(), held: Held::Map(map) })
    }

    /// What a file was decoded to, in its place.
    pub(crate) fn decoded(self, bytes: Vec<u8>) -> Mapped {
        Mapped { held: Held::Decoded(bytes), ..self }
    }

    /// The contents.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Map(map) => map,
            Held::Decoded(bytes) => bytes,
        }
    }

    /// Asks the system for a part that will be read soon. A refusal costs nothing but time.
    pub(crate) fn expect(&self, range: std::ops::Range<usize>) {
        #[cfg(unix)]
        if let Held::Map(map) = &self.held {
            let _refused = map.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Lets the system take back the pages of a part that was read. A refusal costs nothing but memory.
    pub(crate) fn forget(&self, range: std::ops::Range<usize>) {
        #[cfg(unix)]
        if let Held::Map(map) = &self.held {
            #[expect(unsafe_code, reason = "the one place where files are mapped")]
            // SAFETY: the map is private, of a file, and never written: pages that are dropped come back
            // from the file with the same bytes.
            let _refused = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
