//! Which document of a cluster is kept: by reasons in a declared order, so that the choice depends
//! neither on the order of the documents nor on who found them.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::document::{Document, Fate};

/// A reason to prefer one document to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The one that was liked more.
    Engagement,
    /// The one whose author has more followers.
    Credibility,
    /// The one that answered sooner.
    Timing,
    /// The longer one.
    Length,
}

/// All of them, in the order in which they count by default.
pub const ORDER: &[Reason] = &[Reason::Engagement, Reason::Credibility, Reason::Timing, Reason::Length];

/// What is known of a document when one of its cluster is chosen: small enough to be kept for all of
/// a corpus. The least is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Held-out text is kept before all: it was chosen first.
    is_free: bool,
    /// By the reasons, in their order.
    reasons: Vec<Reverse<i64>>,
    path: String,
    position: usize,
}

impl Rank {
    pub(super) fn of(document: &Document, order: &[Reason]) -> Self {
        let reasons = order.iter().map(|reason| Reverse(reason.weight(document))).collect();
        let (path, position) = (document.path.clone(), document.position);
        Self { is_free: document.fate != Fate::HeldOut, reasons, path, position }
    }

    pub(super) fn is_held_out(&self) -> bool {
        !self.is_free
    }
}

impl Reason {
    /// More is better; what is not known is the least.
    fn weight(self, document: &Document) -> i64 {
        let reception = document.reception.as_ref();
        let weight = match self {
            Self::Engagement => reception.and_then(|r| r.score),
            Self::Credibility => reception.and_then(|r| r.followers).and_then(|n| i64::try_from(n).ok()),
            Self::Timing => reception.and_then(|r| r.delay_s).and_then(i64::checked_neg),
            Self::Length => i64::try_from(document.voice().chars().count()).ok(),
        };
        weight.unwrap_or(i64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Kind, Reception};

    #[test]
    fn reasons_count_in_their_order() {
        let post = |path: &str, text: &str, score, delay_s| {
            let mut document = Document::new(path, 0, Kind::Text, None, Body::Text(text.to_owned()));
            document.reception = Some(Reception { score, delay_s, ..Reception::default() });
            document
        };
        let documents = [
            post("a", "long enough", Some(3), Some(10)),
            post("b", "short", Some(9), Some(900)),
            post("c", "short", Some(9), Some(90)),
            post("d", "longest of all", None, None),
        ];
        let kept = |order: &[Reason]| {
            let least = documents.iter().min_by_key(|document| Rank::of(document, order));
            least.map(|document| document.path.clone()).unwrap()
        };
        assert_eq!(kept(ORDER), "c");
        assert_eq!(kept(&[Reason::Length]), "d");
        assert_eq!(kept(&[Reason::Timing]), "a");
        assert_eq!(kept(&[]), "a");
    }
}
