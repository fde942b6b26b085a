//! Progress where there is no terminal: a line now and then, never one a step.

use std::collections::BTreeMap;

use penname_ledger::Stopwatch;
use penname_ledger::event::Unit;

use super::bars::Step;
use super::number;

/// Seconds between two lines about the same thing.
const PAUSE: f64 = 15.0;

/// What was last said about each thing under way.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    said: BTreeMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    last: Stopwatch,
    n_lines: u32,
}

impl Sparse {
    /// The line to write about this step, if it is time for one. Something that ends before the first
    /// line was due is never mentioned.
    pub(crate) fn step(&mut self, step: Step<'_>) -> Option<String> {
        let said = self
            .said
            .entry(step.what.to_owned())
            .or_insert_with(|| Said { last: Stopwatch::start(), n_lines: 0 });
        let ended = step.total.is_some_and(|total| step.done >= total);
        let due = said.last.seconds() >= PAUSE || (ended && said.n_lines > 0);
        if due {
            *said = Said { last: Stopwatch::start(), n_lines: said.n_lines + 1 };
        }
        if ended {
            self.said.remove(step.what);
        }
        due.then(|| line(step))
    }
}

fn line(step: Step<'_>) -> String {
    let amount = |n: u64| if step.unit == Unit::Bytes { number::bytes(n) } else { number::count(n) };
    let of = step.total.map_or_else(String::new, |total| format!(" of {}", amount(total)));
    let unit = match step.unit {
        Unit::Tokens => " tokens",
        Unit::Steps => " steps",
        _ => "",
    };
    let note = if step.note.is_empty() { String::new() } else { format!(", {}", step.note) };
    format!("{}: {}{of}{unit}{note}", step.what, amount(step.done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(done: u64) -> Step<'static> {
        Step { what: "download", done, total: Some(4096), unit: Unit::Bytes, note: "" }
    }

    #[test]
    fn quick_things_are_not_mentioned() {
        let mut sparse = Sparse::default();
        let lines: Vec<String> = (0..=4096).filter_map(|done| sparse.step(step(done))).collect();
        assert_eq!(lines, Vec::<String>::new());
        assert!(sparse.said.is_empty());
    }

    #[test]
    fn a_line_says_how_much_of_what() {
        assert_eq!(line(step(1024)), "download: 1.0 KiB of 4.0 KiB");
        let train =
            Step { what: "train", done: 1200, total: Some(5000), unit: Unit::Steps, note: "loss 2.1" };
        assert_eq!(line(train), "train: 1 200 of 5 000 steps, loss 2.1");
    }
}
