//! Progress on a terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use penname_ledger::event::Unit;

const BYTES: &str = "{msg} {wide_bar:.dim} {binary_bytes}/{binary_total_bytes} {eta}";
const BYTES_OPEN: &str = "{spinner} {msg} {binary_bytes} {elapsed}";
const ITEMS: &str = "{msg} {wide_bar:.dim} {human_pos}/{human_len} {eta}";
const ITEMS_OPEN: &str = "{spinner} {msg} {human_pos} {elapsed}";

/// One step of something that takes its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// What is going on.
    pub(crate) what: &'a str,
    /// How much is done.
    pub(crate) done: u64,
    /// How much there is.
    pub(crate) total: Option<u64>,
    /// What is counted.
    pub(crate) unit: Unit,
    /// Shown beside it.
    pub(crate) note: &'a str,
}

/// The bars being shown, by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    multi: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    /// Moves a bar, makes it, or takes it away at its end.
    pub(crate) fn step(&self, step: Step<'_>) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(step.what.to_owned()).or_insert_with(|| self.multi.add(new_bar(step)));
        bar.set_position(step.done);
        if !step.note.is_empty() {
            bar.set_message(format!("{} · {}", step.what, step.note));
        }
        if step.total.is_some_and(|total| step.done >= total) {
            bar.finish_and_clear();
            bars.remove(step.what);
        }
    }

    /// Takes every bar away.
    pub(crate) fn clear(&self) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        bars.values().for_each(ProgressBar::finish_and_clear);
        bars.clear();
    }

    /// Does something while no bar is in the way.
    pub(crate) fn aside(&self, draw: impl FnOnce()) {
        self.multi.suspend(draw);
    }
}

fn new_bar(step: Step<'_>) -> ProgressBar {
    let template = match (step.unit, step.total) {
        (Unit::Bytes, Some(_)) => BYTES,
        (Unit::Bytes, None) => BYTES_OPEN,
        (_, Some(_)) => ITEMS,
        (_, None) => ITEMS_OPEN,
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = match step.total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    bar.with_style(style).with_message(step.what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_understood() {
        for template in [BYTES, BYTES_OPEN, ITEMS, ITEMS_OPEN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
