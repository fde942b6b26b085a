//! JSON from files that may be anything.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// More than any index of a published checkpoint.
const LIMIT_BYTES: u64 = 64 << 20;

/// Reads a JSON file of bounded size. Errors name the file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_bounded(path).map_err(|error| error.in_file(path))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { source }.in_file(path))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(std::io::ErrorKind::InvalidInput.into()));
    }
    if metadata.len() > LIMIT_BYTES {
        return Err(Error::TooLarge { found: metadata.len(), limit: LIMIT_BYTES });
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(LIMIT_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
