//! A scorer and the score it has to reach, in one word, because neither means anything without the
//! other: a score of 0.8 by one scorer is not one of 0.8 by another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// On which side of the bar a text passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `>=`: what is measured is wanted.
    AtLeast,
    /// `<`: what is measured is not wanted.
    Below,
}

/// A scorer with its bar: `whatlang >= 0.8`, `models/toxic.json < 0.3`. There is no way to change the
/// one and keep the other, and what was judged by another bar has another name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bar {
    /// Who measures: a name, or a file of weights.
    pub scorer: String,
    /// Where a text passes.
    pub side: Side,
    /// The score, 0 to 1.
    pub at: f64,
}

/// A bar that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no bar; it has a scorer and a score of 0 to 1, such as `whatlang >= 0.8`")]
pub struct BadBar(String);

impl Bar {
    /// Whether a score passes.
    pub fn passes(&self, score: f64) -> bool {
        match self.side {
            Side::AtLeast => score >= self.at,
            Side::Below => score < self.at,
        }
    }
}

impl FromStr for Bar {
    type Err = BadBar;

    fn from_str(text: &str) -> Result<Self, BadBar> {
        let bad = || BadBar(text.to_owned());
        let (scorer, side, at) = match (text.rsplit_once(">="), text.rsplit_once('<')) {
            (Some((scorer, at)), _) => (scorer, Side::AtLeast, at),
            (None, Some((scorer, at))) => (scorer, Side::Below, at),
            (None, None) => return Err(bad()),
        };
        let (scorer, at) = (scorer.trim().to_owned(), at.trim().parse::<f64>().map_err(|_| bad())?);
        let makes_sense = !scorer.is_empty() && (0.0..=1.0).contains(&at);
        if makes_sense { Ok(Self { scorer, side, at }) } else { Err(bad()) }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.side == Side::AtLeast { ">=" } else { "<" };
        write!(f, "{} {side} {}", self.scorer, self.at)
    }
}

impl TryFrom<String> for Bar {
    type Error = BadBar;

    fn try_from(text: String) -> Result<Self, BadBar> {
        text.parse()
    }
}

impl From<Bar> for String {
    fn from(bar: Bar) -> Self {
        bar.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_one_word() {
        let bar: Bar = "whatlang>=0.8".parse().unwrap();
        assert_eq!(bar.to_string(), "whatlang >= 0.8");
        assert!(bar.passes(0.8) && !bar.passes(0.79));
        let bar: Bar = "models/a < b.json < 0.3".parse().unwrap();
        assert_eq!((bar.scorer.as_str(), bar.passes(0.3)), ("models/a < b.json", false));
    }

    #[test]
    fn half_a_bar_is_none() {
        for text in ["whatlang", ">= 0.8", "whatlang >= ", "whatlang >= 2", "whatlang > 0.8", "x < NaN"] {
            let error = text.parse::<Bar>().unwrap_err().to_string();
            assert!(error.contains(text.trim()), "{error}");
        }
    }
}
