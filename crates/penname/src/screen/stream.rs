//! The only place that writes to the two streams.
//!
//! A reader that has gone (`penname show account | head -1`) is no failure: what is left is simply
//! not written. Every other refusal of stdout is kept and told at the end, because data that did
//! not arrive must not look like success.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Stdout, with the first failure to write to it.
#[derive(Debug, Default)]
pub(crate) struct Data {
    failed: Mutex<Option<io::Error>>,
}

impl Data {
    /// Writes text as it is.
    pub(crate) fn write(&self, text: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            *failed = Some(error);
        }
    }

    /// The first failure, unless it was a reader that has gone.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes to stderr. Where nobody can hear there is nobody to tell.
pub(crate) fn talk(text: &str) {
    let _unheard = io::stderr().lock().write_all(text.as_bytes());
}
