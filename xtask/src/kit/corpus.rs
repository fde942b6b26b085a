//! A whole book of questions and answers becomes examples, and no character is lost.

use penname_corpus::{Settings, prepare};
use penname_ledger::Seed;
use penname_ledger::event::Silent;

use super::{Inputs, Verdict};

/// The book numbers its questions to 394; a few refer to others and have no answer of their own.
const N_PAIRS: std::ops::RangeInclusive<usize> = 380..=394;

/// *Advice to a Mother*, Project Gutenberg 6595.
pub(super) fn columnist(inputs: &Inputs) -> Verdict {
    let folder = inputs.kit("text/chavasse")?;
    let prepared = prepare(&folder, &Settings::default(), Seed(7), &Silent)?;
    let n_pairs = prepared.train.len() + prepared.held_out.len();
    if !N_PAIRS.contains(&n_pairs) {
        return Err(format!("{n_pairs} pairs, expected {} to {}", N_PAIRS.start(), N_PAIRS.end()).into());
    }
    let account = &prepared.account;
    let percent: f64 = account.rows().iter().map(|row| row.percent).sum();
    if !account.is_balanced() || (percent - 100.0).abs() > 1e-9 {
        return Err(format!("the account adds up to {percent} % of {} characters", account.given).into());
    }
    Ok(format!("{n_pairs} pairs, {} characters add up to 100 %", account.given))
}
