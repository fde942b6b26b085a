//! Whether people who decided about the same examples mean the same.
//!
//! Compared is what follows from a decision: learned or left out. A change counts as learned. An example
//! about which only one of two has decided says nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Review, Verdict};

/// How far two people agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// One of them.
    pub one: String,
    /// The other.
    pub other: String,
    /// Examples both decided about.
    pub both: usize,
    /// Those about which they decided alike.
    pub alike: usize,
    /// Cohen's kappa, from -1 to 1: agreement beyond what chance would give. Nothing where chance alone
    /// would always agree, because both decided everything one way.
    pub kappa: Option<f64>,
    /// Its interval at 95 %, from the large-sample error, cut off at -1 and 1.
    pub interval: Option<(f64, f64)>,
}

/// The agreement of every two people who decided about something in common, by name.
pub fn agreement(review: &Review) -> Vec<Agreement> {
    let mut tables: BTreeMap<(String, String), [[usize; 2]; 2]> = BTreeMap::new();
    for decisions in review.decisions.values() {
        let mut last: BTreeMap<&str, bool> = BTreeMap::new();
        for decision in decisions {
            if let Some(name) = &decision.reviewer {
                last.insert(name, decision.verdict != Verdict::Drop);
            }
        }
        let people: Vec<(&str, bool)> = last.into_iter().collect();
        for (n, (one, first)) in people.iter().enumerate() {
            for (other, second) in &people[n + 1..] {
                let table = tables.entry(((*one).to_owned(), (*other).to_owned())).or_default();
                table[usize::from(*first)][usize::from(*second)] += 1;
            }
        }
    }
    tables.into_iter().map(|((one, other), table)| of(one, other, table)).collect()
}

/// # Source
/// J. Cohen, *A coefficient of agreement for nominal scales*, 1960: κ = (p₀ − pₑ) / (1 − pₑ), with the
/// error √(p₀ (1 − p₀) / (n (1 − pₑ)²)).
fn of(one: String, other: String, table: [[usize; 2]; 2]) -> Agreement {
    let both: usize = table.iter().flatten().sum();
    let alike = table[0][0] + table[1][1];
    let share = |n: usize| n as f64 / both as f64;
    let observed = share(alike);
    let expected: f64 = (0..2)
        .map(|verdict| {
            share(table[verdict][0] + table[verdict][1]) * share(table[0][verdict] + table[1][verdict])
        })
        .sum();
    let can_differ = both > 0 && expected < 1.0;
    let kappa = can_differ.then(|| (observed - expected) / (1.0 - expected));
    let interval = kappa.map(|kappa| {
        let error = (observed * (1.0 - observed) / both as f64).sqrt() / (1.0 - expected);
        ((kappa - 1.96 * error).max(-1.0), (kappa + 1.96 * error).min(1.0))
    });
    Agreement { one, other, both, alike, kappa, interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_that_of_the_textbook() {
        // A table of 50 proposals, of two readers, that many textbooks show: kappa 0.4.
        let found = of("a".into(), "b".into(), [[15, 10], [5, 20]]);
        assert_eq!((found.both, found.alike), (50, 35));
        assert!((found.kappa.unwrap() - 0.4).abs() < 1e-12, "{found:?}");
        let (low, high) = found.interval.unwrap();
        assert!(
            (low - (0.4 - 1.96 * 0.129_614_8)).abs() < 1e-6 && (high - 0.654_045).abs() < 1e-5,
            "{found:?}"
        );
    }

    #[test]
    fn who_decides_everything_alike_agrees_by_chance_alone() {
        assert_eq!(of("a".into(), "b".into(), [[0, 0], [0, 9]]).kappa, None);
        assert_eq!(of("a".into(), "b".into(), [[4, 0], [0, 5]]).kappa, Some(1.0));
        assert_eq!(of("a".into(), "b".into(), [[0, 3], [3, 0]]).kappa, Some(-1.0));
    }
}
