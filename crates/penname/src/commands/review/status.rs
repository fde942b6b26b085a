//! How far a review is, in numbers.

use penname_corpus::review::agree::{Agreement, agreement};
use penname_corpus::review::{Item, Review, Standing, Verdict};
use serde_json::{Value, json};

use crate::screen::{harmless, number};

/// How far a review is.
pub(super) struct Status {
    n_examples: usize,
    n_kept: usize,
    n_dropped: usize,
    n_changed: usize,
    n_stale: usize,
    n_unreadable: usize,
    people: Vec<Agreement>,
}

impl Status {
    /// Counts what stands among the items.
    pub(super) fn of(review: &Review, items: &[Item<'_>]) -> Self {
        let count = |is: &dyn Fn(&Standing<'_>) -> bool| {
            items.iter().filter(|item| is(&review.standing(&item.example, item.place))).count()
        };
        let decided = |wanted: fn(&Verdict) -> bool| {
            count(&|standing| matches!(standing, Standing::Decided(decision) if wanted(&decision.verdict)))
        };
        Self {
            n_examples: items.len(),
            n_kept: decided(|verdict| *verdict == Verdict::Keep),
            n_dropped: decided(|verdict| *verdict == Verdict::Drop),
            n_changed: decided(|verdict| matches!(verdict, Verdict::Edit { .. })),
            n_stale: count(&|standing| matches!(standing, Standing::Stale(_))),
            n_unreadable: review.n_unreadable,
            people: agreement(review),
        }
    }

    fn n_decided(&self) -> usize {
        self.n_kept + self.n_dropped + self.n_changed
    }

    /// In words.
    pub(super) fn told(&self) -> String {
        let examples = number::of(self.n_examples as u64, "example", "examples");
        let line = format!(
            "{} of {examples} decided: {} kept, {} dropped, {} changed",
            number::count(self.n_decided() as u64),
            self.n_kept,
            self.n_dropped,
            self.n_changed
        );
        let mut parts = vec![line];
        if self.n_stale > 0 {
            parts.push(format!("{} decided in other words: `--which stale`", self.n_stale));
        }
        if self.n_unreadable > 0 {
            let lines = number::of(self.n_unreadable as u64, "line", "lines");
            parts.push(format!("{lines} of the record cannot be read"));
        }
        parts.extend(self.people.iter().map(alike));
        parts.join("; ")
    }

    /// For programs.
    pub(super) fn value(&self) -> Value {
        json!({
            "examples": self.n_examples,
            "kept": self.n_kept,
            "dropped": self.n_dropped,
            "changed": self.n_changed,
            "stale": self.n_stale,
            "open": self.n_examples - self.n_decided(),
            "unreadable": self.n_unreadable,
            "agreement": self.people,
        })
    }
}

/// How far two people agree, in words.
fn alike(pair: &Agreement) -> String {
    let Agreement { one, other, both, alike, kappa, interval } = pair;
    let beyond = match (kappa, interval) {
        (Some(kappa), Some((low, high))) => format!("kappa {kappa:.2} ({low:.2} to {high:.2})"),
        _ => "kappa is undefined, because both decided everything one way".to_owned(),
    };
    let of = number::of(*both as u64, "example", "examples");
    harmless(&format!("{one} and {other} decided {alike} of {of} alike, {beyond}"))
}
