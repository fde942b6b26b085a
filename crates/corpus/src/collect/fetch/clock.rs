//! Time as collecting sees it: real, or as a test says.

use std::time::Duration;

use penname_ledger::{Timestamp, clock};

/// What tells the time and lets it pass.
pub trait Clock: Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Lets time pass.
    fn sleep(&self, time: Duration);
}

/// The clock on the wall.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
