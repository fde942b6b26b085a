//! Working memory handed from task to task.

use std::sync::{Mutex, PoisonError};

/// What tasks that ended leave to those that begin: memory is allocated once a thread, not once a task.
pub(super) struct Spare<T>(Mutex<Vec<T>>);

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// One that another task left, with whatever it wrote there.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn give(&self, space: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(space);
    }
}
