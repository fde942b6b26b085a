//! How well a model predicts the author's unseen writing.
//!
//! A model that knows a voice is less surprised by it. Surprise per byte can be
//! compared between any two models; surprise per token only between models that
//! cut text into the same tokens.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use super::{Better, Family, Measure};
use crate::Error;
use crate::stat::bootstrap::Resampling;
use crate::stat::effect::{self, Effect};
use crate::stat::estimate::{Contrast, contrast};
use crate::stat::ratio::{Cluster, Ratio};

/// The two losses.
pub static FAMILY: Family = Family {
    name: "prediction",
    question: "How well does the model predict the author's unseen writing?",
    measures: &[
        Measure {
            name: "bits_per_byte",
            label: "Surprise at unseen writing",
            definition: "Sum of the losses of all held-out documents, in bits, over their bytes.",
            unit: "bits per byte",
            decimals: 3,
            better: Better::Lower,
        },
        Measure {
            name: "nats_per_token",
            label: "Loss",
            definition: "Sum of the losses of all held-out documents, in nats, over their scored tokens.",
            unit: "nats per token",
            decimals: 3,
            better: Better::Lower,
        },
    ],
};

/// The loss of one model on one held-out document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentLoss {
    /// The document.
    pub document: String,
    /// Sum of `-ln p` over its scored tokens, in nats.
    #[serde(deserialize_with = "nan_if_null")]
    pub nats: f64,
    /// Tokens scored.
    pub n_tokens: u64,
    /// Bytes of text those tokens spell, in UTF-8.
    pub n_bytes: u64,
}

/// JSON has no infinity: a loss that is not a number is written as `null` and must come back as one.
fn nan_if_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl DocumentLoss {
    /// A loss that a model can have: finite, not negative, over at least one token and byte.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.nats.is_finite() && self.nats >= 0.0 && self.n_tokens > 0 && self.n_bytes > 0
    }
}

/// What the losses say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bits {
    /// Bits per byte; the author column is empty, since authors have no loss.
    pub bits_per_byte: Contrast,
    /// Nats per token.
    pub nats_per_token: Contrast,
    /// Change in bits per byte, every document counting once.
    pub effect: Option<Effect>,
    /// Documents compared.
    pub n_documents: usize,
    /// Documents that only one of the models scored.
    pub n_unpaired: usize,
    /// Documents left out because a loss was not finite, negative, or over no tokens.
    pub n_unusable: usize,
}

impl Bits {
    /// The contrasts in the order of [`FAMILY`].
    pub(crate) fn contrasts(&self) -> [&Contrast; 2] {
        [&self.bits_per_byte, &self.nats_per_token]
    }
}

/// Compares the losses of two models, document by document.
///
/// # Errors
///
/// [`Error::DuplicateLoss`] if a model has two losses for a document, and
/// [`Error::BytesDiffer`] if the two models scored different stretches of it.
pub fn measure(base: &[DocumentLoss], tuned: &[DocumentLoss], plan: Resampling) -> Result<Bits, Error> {
    let bases = by_document(base, "base")?;
    let mut others = by_document(tuned, "tuned")?;
    let mut pairs = Vec::new();
    for (document, base) in &bases {
        if let Some(tuned) = others.remove(document) {
            same_bytes(base, tuned)?;
            pairs.push((*base, tuned));
        }
    }
    let n_unpaired = bases.len() - pairs.len() + others.len();
    let n_paired = pairs.len();
    pairs.retain(|(base, tuned)| base.is_usable() && tuned.is_usable());
    Ok(Bits {
        bits_per_byte: contrast(&clusters(&pairs, bits_per_byte), plan, "bits_per_byte"),
        nats_per_token: contrast(&clusters(&pairs, nats_per_token), plan, "nats_per_token"),
        effect: effect::paired(&differences(&pairs)),
        n_documents: pairs.len(),
        n_unpaired,
        n_unusable: n_paired - pairs.len(),
    })
}

type Both<'a> = (&'a DocumentLoss, &'a DocumentLoss);

fn by_document<'a>(
    losses: &'a [DocumentLoss],
    side: &'static str,
) -> Result<BTreeMap<&'a str, &'a DocumentLoss>, Error> {
    let mut map = BTreeMap::new();
    for loss in losses {
        if map.insert(loss.document.as_str(), loss).is_some() {
            return Err(Error::DuplicateLoss { document: loss.document.clone(), side });
        }
    }
    Ok(map)
}

fn same_bytes(base: &DocumentLoss, tuned: &DocumentLoss) -> Result<(), Error> {
    if base.n_bytes == tuned.n_bytes {
        return Ok(());
    }
    let document = base.document.clone();
    Err(Error::BytesDiffer { document, base: base.n_bytes, tuned: tuned.n_bytes })
}

fn bits_per_byte(loss: &DocumentLoss) -> Ratio {
    Ratio::new(loss.nats / LN_2, loss.n_bytes as f64)
}

fn nats_per_token(loss: &DocumentLoss) -> Ratio {
    Ratio::new(loss.nats, loss.n_tokens as f64)
}

fn clusters(pairs: &[Both<'_>], ratio: fn(&DocumentLoss) -> Ratio) -> Vec<Cluster> {
    let cluster =
        |(base, tuned): &Both<'_>| Cluster { base: ratio(base), tuned: ratio(tuned), ..Cluster::default() };
    pairs.iter().map(cluster).collect()
}

fn differences(pairs: &[Both<'_>]) -> Vec<f64> {
    let change =
        |(base, tuned): &Both<'_>| Some(bits_per_byte(tuned).value()? - bits_per_byte(base).value()?);
    pairs.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(document: &str, nats: f64, n_tokens: u64, n_bytes: u64) -> DocumentLoss {
        DocumentLoss { document: document.into(), nats, n_tokens, n_bytes }
    }

    #[test]
    fn by_hand() {
        // 24 bytes for 16 and 12 bits; ten tokens.
        let base = [loss("a", 12.0 * LN_2, 6, 16), loss("b", 4.0 * LN_2, 4, 8), loss("only", 1.0, 1, 1)];
        let tuned = [loss("b", 4.0 * LN_2, 4, 8), loss("a", 8.0 * LN_2, 6, 16)];
        let bits = measure(&base, &tuned, Resampling::default()).unwrap();
        let value = |estimate: Option<crate::Estimate>| estimate.unwrap().value;
        assert!((value(bits.bits_per_byte.base) - 16.0 / 24.0).abs() < 1e-12);
        assert!((value(bits.bits_per_byte.tuned) - 0.5).abs() < 1e-12);
        assert!((value(bits.nats_per_token.difference) + 0.4 * LN_2).abs() < 1e-12);
        assert!((bits.effect.unwrap().mean + 0.125).abs() < 1e-12);
        assert_eq!((bits.n_documents, bits.n_unpaired, bits.n_unusable), (2, 1, 0));
        assert_eq!(bits.bits_per_byte.difference.unwrap().interval, None, "two documents cannot tell");
    }

    #[test]
    fn broken_losses_are_counted_not_averaged() {
        let good = [loss("a", 1.0, 1, 4), loss("b", 1.0, 1, 4), loss("c", 1.0, 1, 4)];
        let bad = [loss("a", f64::NAN, 1, 4), loss("b", f64::INFINITY, 1, 4), loss("c", 1.0, 1, 4)];
        let bits = measure(&good, &bad, Resampling::default()).unwrap();
        assert_eq!((bits.n_documents, bits.n_unusable), (1, 2));
        let back: DocumentLoss = serde_json::from_str(&serde_json::to_string(&bad[1]).unwrap()).unwrap();
        assert!(!back.is_usable());
    }

    #[test]
    fn losses_of_different_texts_are_refused() {
        let plan = Resampling::default();
        let one = [loss("a", 1.0, 1, 4)];
        let message = measure(&one, &[loss("a", 1.0, 1, 5)], plan).unwrap_err().to_string();
        assert_eq!(
            message,
            "document `a` was scored over 5 bytes by the tuned model, expected 4 as by the base model"
        );
        let twice = [loss("a", 1.0, 1, 4), loss("a", 1.0, 1, 4)];
        assert!(matches!(measure(&one, &twice, plan), Err(Error::DuplicateLoss { side: "tuned", .. })));
    }
}
