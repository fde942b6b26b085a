//! Money is set aside before it is spent: so many requests at a time never cost more than they may.
//!
//! A request sets aside the most it can cost and gives back what it did not. Where that does not fit any
//! more, it waits for those on their way to give back theirs; where none is on its way, the purse is
//! empty.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often one who waits looks whether the work goes on at all.
const LOOK: Duration = Duration::from_millis(100);
/// Sums of money are no more exact than this.
const EXACT_USD: f64 = 1e-9;

/// The purse.
#[derive(Debug)]
pub(crate) struct Purse {
    budget_usd: f64,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside {
    spent_usd: f64,
    held_usd: f64,
    n_held: usize,
}

impl Purse {
    /// A purse of which something was spent before.
    pub(crate) fn new(budget_usd: f64, spent_usd: f64) -> Self {
        let inside = Mutex::new(Inside { spent_usd, held_usd: 0.0, n_held: 0 });
        Self { budget_usd, inside, changed: Condvar::new() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets something aside, and waits for that if it makes sense. Nothing is set aside where it does not
    /// fit, or the work is at an end.
    pub(crate) fn reserve(&self, usd: f64, is_over: &dyn Fn() -> bool) -> bool {
        let mut inside = self.inside();
        loop {
            if is_over() {
                return false;
            }
            if inside.spent_usd + inside.held_usd + usd <= self.budget_usd + EXACT_USD {
                inside.hold(usd);
                return true;
            }
            if inside.n_held == 0 {
                return false;
            }
            inside = self.changed.wait_timeout(inside, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sets aside what is on its way already, whether it fits or not.
    pub(crate) fn hold(&self, usd: f64) {
        self.inside().hold(usd);
    }

    /// Gives back what was set aside, less what was spent of it.
    pub(crate) fn settle(&self, held_usd: f64, spent_usd: f64) {
        let mut inside = self.inside();
        inside.held_usd = (inside.held_usd - held_usd).max(0.0);
        inside.n_held = inside.n_held.saturating_sub(1);
        inside.spent_usd += spent_usd;
        drop(inside);
        self.changed.notify_all();
    }

    /// Spends something that was set aside with more.
    pub(crate) fn charge(&self, usd: f64) {
        self.inside().spent_usd += usd;
    }

    /// What could be set aside now.
    pub(crate) fn left_usd(&self) -> f64 {
        let inside = self.inside();
        self.budget_usd + EXACT_USD - inside.spent_usd - inside.held_usd
    }

    /// What is spent.
    pub(crate) fn spent_usd(&self) -> f64 {
        self.inside().spent_usd
    }
}

impl Inside {
    fn hold(&mut self, usd: f64) {
        self.held_usd += usd;
        self.n_held += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_hundred_at_a_time_spend_no_more_than_there_is() {
        let purse = Purse::new(0.01, 0.0);
        let n_asked = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for n in 0..100 {
                let (purse, n_asked) = (&purse, &n_asked);
                scope.spawn(move || {
                    if purse.reserve(0.0011, &|| false) {
                        n_asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        // Now and then one costs all that was set aside.
                        purse.settle(0.0011, if n % 3 == 0 { 0.0011 } else { 0.0004 });
                    }
                });
            }
        });
        assert!(purse.spent_usd() <= 0.01 + EXACT_USD, "{}", purse.spent_usd());
        assert!(purse.spent_usd() > 0.01 - 0.0011, "{}", purse.spent_usd());
        assert!(n_asked.into_inner() < 25);
    }

    #[test]
    fn an_empty_purse_says_so_at_once() {
        let purse = Purse::new(1.0, 0.9);
        assert!(!purse.reserve(0.2, &|| false));
        assert!(purse.reserve(0.1, &|| false));
        assert!(!purse.reserve(0.1, &|| true));
    }
}
