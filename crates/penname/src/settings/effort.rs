//! The dial: what it derives, and why.

use penname_ledger::Choice;
use serde_json::Value;

use super::layer::Entry;
use super::origin::Origin;
use super::{Error, list};

/// One row of the dial.
struct Derived {
    key: &'static str,
    quick: f64,
    thorough: f64,
    reason: &'static str,
}

/// What the dial turns. What it leaves at `normal` are the defaults of the list.
const DERIVED: &[Derived] = &[
    Derived {
        key: "train.epochs",
        quick: 1.0,
        thorough: 5.0,
        reason: "more passes learn more, until evaluation says stop",
    },
    Derived {
        key: "evaluate.questions",
        quick: 8.0,
        thorough: 64.0,
        reason: "more questions make narrower error bars",
    },
];

/// The settings this effort derives; none at `normal`.
///
/// # Errors
/// None, as a test holds.
pub(crate) fn layer(effort: &str) -> Result<Vec<Entry>, Error> {
    let entry = |derived: &Derived| {
        let number = match effort {
            "quick" => derived.quick,
            "thorough" => derived.thorough,
            _ => return None,
        };
        // Whole numbers are shown, and counted, as whole numbers.
        let value = if number.fract() == 0.0 { Value::from(number as u64) } else { Value::from(number) };
        let origin = Origin::Effort(effort.to_owned());
        Some(Entry { key: list::find(derived.key)?, value, origin }.checked())
    };
    DERIVED.iter().filter_map(entry).collect()
}

/// What became of the dial, said once: what it derived, or what kept it from doing so.
pub(crate) fn choices(entries: &[Entry]) -> Vec<Choice> {
    let Some(effort) = entries.iter().find(|entry| entry.key.name == "effort") else { return Vec::new() };
    let word = effort.value.as_str().unwrap_or_default();
    let about = |derived: &Derived| {
        let entry = entries.iter().find(|entry| entry.key.name == derived.key)?;
        let value = entry.value.to_string();
        let reason = match &entry.origin {
            Origin::BuiltIn | Origin::Effort(_) => format!("effort {word}; {}", derived.reason),
            _ if effort.origin == Origin::BuiltIn => return None,
            origin => format!("set by {origin}, so effort {word} leaves it alone"),
        };
        Some(Choice::new(derived.key, value, reason))
    };
    DERIVED.iter().filter_map(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_derived_value_may_stand_where_it_stands() {
        for effort in ["quick", "thorough"] {
            assert_eq!(layer(effort).unwrap().len(), DERIVED.len());
        }
        assert!(layer("normal").unwrap().is_empty());
    }

    #[test]
    fn the_dial_is_monotonous_around_the_defaults() {
        for derived in DERIVED {
            let default: f64 = list::find(derived.key).unwrap().default.parse().unwrap();
            assert!(derived.quick < default && default < derived.thorough, "{}", derived.key);
        }
    }
}
