//! The report in rows and sentences, for whoever draws it.

use serde::Serialize;

use super::{Report, page};
use crate::gate::Outcome;
use crate::metric::{self, Family};
use crate::number::{change, count, estimate, fixed};
use crate::stat::estimate::{Contrast, Estimate};
use crate::stat::normal::MIN_DOCUMENTS;
use crate::stat::proportion::wilson;

/// What a screen shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The finding, in a sentence.
    pub headline: String,
    /// One row per measure, in the order of [`metric::ALL`].
    pub rows: Vec<Row>,
    /// What a test set of this size can and cannot show, a sentence each.
    pub power: Vec<String>,
}

/// One measure for author, base and tuned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The metric it belongs to.
    pub family: &'static str,
    /// Its name, as in [`metric::Measure::name`].
    pub name: &'static str,
    /// What to call it.
    pub label: &'static str,
    /// The author's own unseen answers.
    pub author: Option<Estimate>,
    /// The base model.
    pub base: Option<Estimate>,
    /// The tuned model.
    pub tuned: Option<Estimate>,
    /// Tuned minus base.
    pub difference: Option<Estimate>,
    /// Unit of all four.
    pub unit: &'static str,
    /// Digits after the point.
    pub decimals: usize,
}

/// A row as text; what could not be measured is a dash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cells {
    /// The author's own unseen answers.
    pub author: String,
    /// The base model.
    pub base: String,
    /// The tuned model.
    pub tuned: String,
    /// Tuned minus base, with sign.
    pub difference: String,
}

impl Row {
    /// The numbers rounded, and an interval for the difference only: narrow enough for a screen.
    #[must_use]
    pub fn brief(&self) -> Cells {
        let value = |estimate: Option<Estimate>| {
            estimate.map_or_else(|| "-".to_owned(), |estimate| fixed(estimate.value, self.decimals))
        };
        Cells {
            author: value(self.author),
            base: value(self.base),
            tuned: value(self.tuned),
            difference: change(self.difference, self.decimals),
        }
    }

    /// The numbers rounded, each with its interval.
    #[must_use]
    pub fn cells(&self) -> Cells {
        Cells {
            author: estimate(self.author, self.decimals),
            base: estimate(self.base, self.decimals),
            tuned: estimate(self.tuned, self.decimals),
            difference: change(self.difference, self.decimals),
        }
    }
}

impl Summary {
    /// Takes a report apart.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        Self { headline: page::plain(&headline(report)), rows: rows(report), power: power(report) }
    }
}

/// The finding that matters most, then how many claims hold.
pub(super) fn headline(report: &Report) -> String {
    format!("{} {}", prediction(report), claims(report))
}

fn prediction(report: &Report) -> String {
    let (base, tuned) = (&report.base, &report.tuned);
    let found = report.bits.as_ref().and_then(|bits| {
        let contrast = bits.bits_per_byte;
        Some((contrast.base?, contrast.tuned?, contrast.difference?, bits.n_documents))
    });
    let Some((before, after, difference, n_documents)) = found else {
        return format!(
            "No held-out losses were given, so it is not known how well {tuned} predicts unseen writing."
        );
    };
    let is_sure = difference.interval.is_some_and(|interval| interval.high < 0.0 || interval.low > 0.0);
    let finding = match (difference.value < 0.0, is_sure) {
        (true, true) => format!("{tuned} predicts the author's unseen writing better than {base}"),
        (true, false) => format!(
            "{tuned} seems to predict the author's unseen writing better than {base}, but \
                                  this test set is too small to be sure"
        ),
        (false, true) => format!("{tuned} predicts the author's unseen writing worse than {base}"),
        (false, false) => format!("{tuned} predicts the author's unseen writing no better than {base}"),
    };
    format!(
        "{finding}: {} bits per byte instead of {}, a change of {}, on {}.",
        fixed(after.value, 3),
        fixed(before.value, 3),
        change(Some(difference), 3),
        count(n_documents, "document"),
    )
}

fn claims(report: &Report) -> String {
    let claims = &report.verdict.claims;
    let named = |outcome: Outcome| -> Vec<String> {
        claims
            .iter()
            .filter(|claim| claim.outcome == outcome)
            .map(|claim| format!("\"{}\"", claim.name))
            .collect()
    };
    let n_met = named(Outcome::Met).len();
    let mut text = format!("{n_met} of {} are met.", count(claims.len(), "claim"));
    for (outcome, label) in [(Outcome::NotMet, "Not met"), (Outcome::Undecided, "Undecided")] {
        let names = named(outcome);
        if !names.is_empty() {
            text = format!("{text} {label}: {}.", names.join("; "));
        }
    }
    text
}

fn rows(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |family: &'static Family, contrasts: &[&Contrast]| {
        let row = |(measure, contrast): (&metric::Measure, &&Contrast)| Row {
            family: family.name,
            name: measure.name,
            label: measure.label,
            author: contrast.author,
            base: contrast.base,
            tuned: contrast.tuned,
            difference: contrast.difference,
            unit: measure.unit,
            decimals: measure.decimals,
        };
        rows.extend(family.measures.iter().map(|m| m as &'static _).zip(contrasts).map(row));
    };
    if let Some(bits) = &report.bits {
        add(&metric::bits::FAMILY, &bits.contrasts());
    }
    if let Some(copying) = &report.copying {
        add(&metric::copying::FAMILY, &copying.contrasts());
    }
    add(&metric::breakage::FAMILY, &report.breakage.contrasts());
    add(&metric::rhythm::FAMILY, &report.rhythm.contrasts());
    rows
}

/// What a test set of this size can and cannot show.
pub(super) fn power(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(bits) = &report.bits {
        lines.push(prediction_power(bits.n_documents, bits.bits_per_byte.detectable));
    }
    let n = report.method.n_documents;
    if let Some(unseen) = wilson(0.0, n) {
        lines.push(format!(
            "A fault found in none of the replies to {} may still occur in up to {} % of replies.",
            count(n, "document"),
            fixed(100.0 * unseen.high, 1)
        ));
    }
    lines
}

fn prediction_power(n_documents: usize, detectable: Option<f64>) -> String {
    let documents = count(n_documents, "held-out document");
    match detectable {
        Some(change) => format!(
            "With {documents}, a true change of {} bits per byte is found four times out of five; to find one half \
             as large takes four times the documents.",
            fixed(change, 3)
        ),
        None if n_documents < MIN_DOCUMENTS => {
            format!(
                "With {documents} no interval can be given; {MIN_DOCUMENTS} are the least, 30 a good start."
            )
        }
        None => {
            format!("All of the {documents} changed alike, so it cannot be said what change would be found.")
        }
    }
}
