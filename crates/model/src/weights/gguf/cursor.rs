//! Reading a file front to back without trusting it.

use crate::error::{Error, Result};

/// A place in a slice of bytes, and what is being read there.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
    subject: String,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, offset: 0, subject: "the header".to_owned() }
    }

    /// Names what is read next, for errors.
    pub(super) fn now_reading(&mut self, subject: String) {
        self.subject = subject;
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// The next `n` bytes.
    pub(super) fn take(&mut self, n: u64) -> Result<&'a [u8]> {
        let taken = usize::try_from(n).ok().filter(|n| *n <= self.left());
        let n_bytes = taken.ok_or_else(|| Error::Truncated {
            what: self.subject.clone(),
            offset: self.offset,
            needed: n,
            left: self.left(),
        })?;
        let taken = &self.bytes[self.offset..self.offset + n_bytes];
        self.offset += n_bytes;
        Ok(taken)
    }

    /// The next `N` bytes, as a number wants them.
    pub(super) fn take_exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut exact = [0; N];
        exact.copy_from_slice(self.take(N as u64)?);
        Ok(exact)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take_exact()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take_exact()?))
    }

    /// A length and that many bytes of UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str> {
        let n_bytes = self.u64()?;
        let offset = self.offset;
        let bytes = self.take(n_bytes)?;
        std::str::from_utf8(bytes).map_err(|_| Error::NotText { what: self.subject.clone(), offset })
    }

    /// Refuses a count of things that could not all be in what is left, each taking at least
    /// `min_bytes`. After this, room for that many may be set aside.
    pub(super) fn afford(&self, count: u64, min_bytes: u64) -> Result<usize> {
        let needed = count.saturating_mul(min_bytes);
        match usize::try_from(count) {
            Ok(count) if needed <= self.left() as u64 => Ok(count),
            _ => Err(Error::Truncated {
                what: self.subject.clone(),
                offset: self.offset,
                needed,
                left: self.left(),
            }),
        }
    }
}
