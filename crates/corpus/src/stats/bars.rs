//! Many numbers as a few: quantiles, and bars whose bounds double.

use serde::{Deserialize, Serialize};

/// How numbers lie.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// The least.
    pub least: i64,
    /// A quarter lies below.
    pub quarter: i64,
    /// Half lies below.
    pub median: i64,
    /// Three quarters lie below.
    pub three_quarters: i64,
    /// The greatest.
    pub most: i64,
    /// Their mean.
    pub mean: f64,
    /// How many lie where: without a gap, from the bar of the least to that of the greatest.
    pub bars: Vec<Bar>,
}

/// How many numbers lie from one bound to before the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The lower bound, which belongs to it.
    pub from: i64,
    /// The upper bound, which does not.
    pub to: i64,
    /// How many.
    pub n: usize,
}

impl Spread {
    /// That of some numbers; there need not be any.
    pub(super) fn of(mut numbers: Vec<i64>) -> Self {
        numbers.sort_unstable();
        let n = numbers.len();
        // The nearest rank: a number that is there.
        let at = |share: f64| numbers.get(((share * n as f64).ceil() as usize).max(1) - 1).copied();
        let at = |share| at(share).unwrap_or_default();
        let sum: i128 = numbers.iter().map(|number| i128::from(*number)).sum();
        let mean = if n == 0 { 0.0 } else { sum as f64 / n as f64 };
        Self {
            n,
            least: numbers.first().copied().unwrap_or_default(),
            quarter: at(0.25),
            median: at(0.5),
            three_quarters: at(0.75),
            most: numbers.last().copied().unwrap_or_default(),
            mean,
            bars: bars(&numbers),
        }
    }
}

/// Bars over numbers in order: below zero, zero, one, two to three, four to seven, and so on.
fn bars(numbers: &[i64]) -> Vec<Bar> {
    let (Some(least), Some(most)) = (numbers.first(), numbers.last()) else { return Vec::new() };
    let mut bars: Vec<Bar> = (place(*least)..=place(*most))
        .map(|place| {
            let (from, to) = bounds(place);
            Bar { from, to, n: 0 }
        })
        .collect();
    for number in numbers {
        bars[place(*number) - place(*least)].n += 1;
    }
    bars
}

/// Which bar a number belongs to.
fn place(number: i64) -> usize {
    match number {
        ..0 => 0,
        0 => 1,
        number => 2 + number.ilog2() as usize,
    }
}

fn bounds(place: usize) -> (i64, i64) {
    let power =
        |n: usize| 1i64.checked_shl(u32::try_from(n).unwrap_or(63)).filter(|p| *p > 0).unwrap_or(i64::MAX);
    match place {
        0 => (i64::MIN, 0),
        1 => (0, 1),
        place => (power(place - 2), power(place - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numbers_that_are_there() {
        let spread = Spread::of(vec![9, 1, 4, 2]);
        assert_eq!((spread.least, spread.quarter, spread.median), (1, 1, 2));
        assert_eq!((spread.three_quarters, spread.most, spread.mean), (4, 9, 4.0));
        let one = Spread::of(vec![7]);
        assert_eq!((one.quarter, one.median, one.most, one.n), (7, 7, 7, 1));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }

    #[test]
    fn bars_hold_every_number_once_and_have_no_gap() {
        let numbers = vec![-3, 0, 0, 1, 3, 100, i64::MAX, i64::MIN];
        let spread = Spread::of(numbers.clone());
        assert_eq!(spread.bars.iter().map(|bar| bar.n).sum::<usize>(), numbers.len());
        assert!(spread.bars.windows(2).all(|two| two[0].to == two[1].from));
        let within = |bar: &Bar| numbers.iter().filter(|n| **n >= bar.from && **n < bar.to).count();
        let all_but_last = &spread.bars[..spread.bars.len() - 1];
        assert!(all_but_last.iter().all(|bar| within(bar) == bar.n), "{:?}", spread.bars);
        let few = Spread::of(vec![2, 3, 9]).bars;
        assert_eq!(few, [(2, 4, 2), (4, 8, 0), (8, 16, 1)].map(|(from, to, n)| Bar { from, to, n }));
    }
}
