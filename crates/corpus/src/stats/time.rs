//! When things were written: the span, and how many fall into each year, month or day of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::when;

const DAY: i64 = 86_400;
/// Up to this long, days are counted; up to the other, months; then years.
const DAYS_UP_TO: i64 = 62 * DAY;
const MONTHS_UP_TO: i64 = 5 * 366 * DAY;

/// When the documents of a part were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Documents whose date is known.
    pub dated: usize,
    /// Documents whose date is not.
    pub undated: usize,
    /// The first: `2009-01-31T12:30:00Z`. Nothing where no date is known.
    pub first: Option<String>,
    /// The last.
    pub last: Option<String>,
    /// How many of each year, month or day from the first to the last, those without any included.
    pub periods: Vec<Period>,
}

/// A year, a month or a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its name: `2009`, `2009-01`, `2009-01-31`.
    pub name: String,
    /// Documents of it.
    pub n: usize,
}

impl Time {
    /// That of points in time, in seconds since 1970, beside documents without any.
    pub(super) fn of(at: &[i64], undated: usize) -> Self {
        let (Some(first), Some(last)) = (at.iter().min(), at.iter().max()) else {
            return Self { undated, ..Self::default() };
        };
        let length = match last - first {
            span if span <= DAYS_UP_TO => "2009-01-31".len(),
            span if span <= MONTHS_UP_TO => "2009-01".len(),
            _ => "2009".len(),
        };
        let name = |at: i64| {
            let mut name = when::show(at);
            name.truncate(length);
            name
        };
        let mut periods: BTreeMap<String, usize> = BTreeMap::new();
        // Every period between has a day in it.
        let mut day = *first;
        while day < *last {
            periods.entry(name(day)).or_default();
            day += DAY;
        }
        at.iter().for_each(|at| *periods.entry(name(*at)).or_default() += 1);
        Self {
            dated: at.len(),
            undated,
            first: Some(when::show(*first)),
            last: Some(when::show(*last)),
            periods: periods.into_iter().map(|(name, n)| Period { name, n }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_decides_what_is_counted() {
        let at = |text| when::parse(text).unwrap();
        let days = Time::of(&[at("2024-01-30"), at("2024-02-01"), at("2024-02-01 13:00")], 1);
        let named: Vec<(&str, usize)> = days.periods.iter().map(|p| (p.name.as_str(), p.n)).collect();
        assert_eq!(named, [("2024-01-30", 1), ("2024-01-31", 0), ("2024-02-01", 2)]);
        assert_eq!((days.dated, days.undated), (3, 1));
        let months = Time::of(&[at("2023-11-05"), at("2024-02-01")], 0);
        assert_eq!(months.periods.iter().map(|p| p.n).collect::<Vec<_>>(), [1, 0, 0, 1]);
        let years = Time::of(&[at("2010-01-01"), at("2020-06-01")], 0);
        assert_eq!((years.periods.len(), years.periods[0].name.as_str()), (11, "2010"));
        assert_eq!(years.last.as_deref(), Some("2020-06-01T00:00:00Z"));
        assert_eq!(Time::of(&[], 2), Time { undated: 2, ..Time::default() });
    }
}
