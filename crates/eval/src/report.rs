//! The report: everything that was found, for a machine to keep and a person to read.

mod example;
mod markdown;
mod page;
pub mod summary;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::example::Example;
pub use self::summary::{Cells, Row, Summary};
use crate::gate::{self, Bars, Findings, Verdict};
use crate::metric::bits::{self, Bits, DocumentLoss};
use crate::metric::breakage::{self, Breakage};
use crate::metric::copying::{self, Copying, Source, Threshold};
use crate::metric::rhythm::{self, Rhythm};
use crate::pair::{Pairs, pair};
use crate::stat::bootstrap::Resampling;
use crate::{Error, Transcript};

/// The layout of `report.json`; a reader refuses any other.
pub const SCHEMA: u32 = 1;

/// Everything a report is made from. Parts that are not known are left empty and said to be missing.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the base model wrote.
    pub base: &'a Transcript,
    /// What the tuned model wrote.
    pub tuned: &'a Transcript,
    /// The base model's losses on held-out documents.
    pub base_losses: &'a [DocumentLoss],
    /// The tuned model's losses on the same documents.
    pub tuned_losses: &'a [DocumentLoss],
    /// The text the tuned model was trained on.
    pub training: &'a [Source<'a>],
}

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How intervals are drawn.
    pub resampling: Resampling,
    /// What counts as a copy.
    pub threshold: Threshold,
    /// What the claims require.
    pub bars: Bars,
    /// Questions whose replies are shown.
    pub n_examples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resampling: Resampling::default(),
            threshold: Threshold::default(),
            bars: Bars::default(),
            n_examples: 5,
        }
    }
}

/// What was compared, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The settings of this report.
    pub settings: Settings,
    /// Replies compared, pair by pair.
    pub n_pairs: usize,
    /// Documents their questions come from.
    pub n_documents: usize,
    /// Pairs with the author's own answer.
    pub n_author: usize,
    /// Replies by the base model without a counterpart.
    pub n_base_only: usize,
    /// Replies by the tuned model without a counterpart.
    pub n_tuned_only: usize,
    /// Pairs in which the two models were sampled differently.
    pub n_samplers_differ: usize,
    /// The samplers used, sorted.
    pub samplers: Vec<String>,
    /// The sampling seeds used, sorted.
    pub seeds: Vec<u64>,
}

/// All findings about one tuned model beside its base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the base model.
    pub base: String,
    /// Name of the tuned model.
    pub tuned: String,
    /// The claims.
    pub verdict: Verdict,
    /// How well unseen writing is predicted; none if no losses were given.
    pub bits: Option<Bits>,
    /// What is recited; none if no training text was given.
    pub copying: Option<Copying>,
    /// Broken replies.
    pub breakage: Breakage,
    /// Descriptive counts.
    pub rhythm: Rhythm,
    /// Some replies side by side.
    pub examples: Vec<Example>,
    /// How all this was measured.
    pub method: Method,
}

/// Measures everything.
///
/// # Determinism
///
/// The same evidence and settings give the same report, whatever the order of
/// replies, losses and training documents.
///
/// # Errors
///
/// [`Error`] if parts of the evidence contradict each other or a setting is out of range.
pub fn measure(evidence: &Evidence<'_>, settings: &Settings) -> Result<Report, Error> {
    let plan = settings.resampling;
    plan.check()?;
    let pairs = pair(evidence.base, evidence.tuned)?;
    let has_losses = !(evidence.base_losses.is_empty() && evidence.tuned_losses.is_empty());
    let bits =
        has_losses.then(|| bits::measure(evidence.base_losses, evidence.tuned_losses, plan)).transpose()?;
    let copying = (!evidence.training.is_empty())
        .then(|| copying::measure(&pairs, evidence.training, settings.threshold, plan))
        .transpose()?;
    let breakage = breakage::measure(&pairs);
    let method = Method::of(&pairs, *settings);
    let findings =
        Findings { bits: bits.as_ref(), copying: copying.as_ref(), breakage: &breakage, method: &method };
    Ok(Report {
        schema: SCHEMA,
        base: evidence.base.model.clone(),
        tuned: evidence.tuned.model.clone(),
        verdict: gate::judge(findings, &settings.bars),
        rhythm: rhythm::measure(&pairs, plan),
        examples: example::choose(&pairs, settings.n_examples, plan.seed),
        bits,
        copying,
        breakage,
        method,
    })
}

impl Method {
    fn of(pairs: &Pairs<'_>, settings: Settings) -> Self {
        let replies = || pairs.list.iter().flat_map(|pair| [pair.base, pair.tuned]);
        let samplers: BTreeSet<&str> = replies().map(|reply| reply.sampler.as_str()).collect();
        let seeds: BTreeSet<u64> = replies().map(|reply| reply.seed).collect();
        Self {
            settings,
            n_pairs: pairs.list.len(),
            n_documents: pairs.n_documents(),
            n_author: pairs.list.iter().filter(|pair| pair.author.is_some()).count(),
            n_base_only: pairs.n_base_only,
            n_tuned_only: pairs.n_tuned_only,
            n_samplers_differ: pairs
                .list
                .iter()
                .filter(|pair| pair.base.sampler != pair.tuned.sampler)
                .count(),
            samplers: samplers.into_iter().map(str::to_owned).collect(),
            seeds: seeds.into_iter().collect(),
        }
    }
}

impl Report {
    /// `report.json`, indented, with a line break at its end.
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if it cannot be written.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads `report.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Schema`] for another layout, [`Error::Json`] for anything that is no report.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let Head { schema: found } = serde_json::from_str(text)?;
        if found != SCHEMA {
            return Err(Error::Schema { found, expected: SCHEMA });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The rows and sentences of a screen.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// `report.md`. Texts by models and people are escaped: they cannot load
    /// pictures, add headings or move a cursor.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }
}
