//! A number with its interval, and the five numbers that one measure yields.

use serde::{Deserialize, Serialize};

use super::bootstrap::{self, Resampling};
use super::effect;
use super::ratio::{Cluster, total, values};

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A number from a sample of documents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on the documents at hand, always finite.
    pub value: f64,
    /// Where it would lie on other documents; none if these are too few or too alike to tell.
    pub interval: Option<Interval>,
    /// Documents it rests on.
    pub n_documents: usize,
}

impl Estimate {
    /// The same estimate in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let interval = self
            .interval
            .map(|interval| Interval { low: interval.low * factor, high: interval.high * factor });
        Self { value: self.value * factor, interval, ..self }
    }
}

/// One measure for author, base and tuned; each part is none where nothing could be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Contrast {
    /// The author's own unseen text.
    pub author: Option<Estimate>,
    /// The base model.
    pub base: Option<Estimate>,
    /// The tuned model.
    pub tuned: Option<Estimate>,
    /// Tuned minus base, paired by document.
    pub difference: Option<Estimate>,
    /// Tuned minus author, paired, where the author answered.
    pub from_author: Option<Estimate>,
    /// The smallest true change between base and tuned that this test set shows in four of five cases.
    pub detectable: Option<f64>,
}

/// Compares ratios of sums over documents by the bootstrap.
///
/// # Determinism
///
/// Depends on the order of `clusters`, which callers sort by document, on the
/// seed and on the name of the stream; on nothing else.
#[must_use]
pub fn contrast(clusters: &[Cluster], plan: Resampling, stream: &str) -> Contrast {
    let n = clusters.len();
    let replicates = bootstrap::replicates(n, plan, stream, |drawn| {
        values(&total(drawn.iter().map(|&document_idx| &clusters[document_idx])))
    });
    let found = values(&total(clusters));
    let estimate = |idx: usize, n_documents: usize| {
        let interval = bootstrap::interval(&replicates[idx], n_documents);
        found[idx].map(|value| Estimate { value, interval, n_documents })
    };
    let n_answered = clusters.iter().filter(|cluster| cluster.author.under > 0.0).count();
    let deviation = bootstrap::standard_error(&replicates[3], n).map(|error| error * (n as f64).sqrt());
    Contrast {
        base: estimate(0, n),
        tuned: estimate(1, n),
        author: estimate(2, n_answered),
        difference: estimate(3, n),
        from_author: estimate(4, n_answered),
        detectable: deviation.filter(|&deviation| deviation > 0.0).and_then(|sd| effect::detectable(sd, n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::ratio::Ratio;

    #[test]
    fn ratios_of_sums_by_hand() {
        let cluster = |base: f64, tuned: f64, under: f64| Cluster {
            base: Ratio::new(base, under),
            tuned: Ratio::new(tuned, under),
            ..Cluster::default()
        };
        let clusters = [
            cluster(2.0, 1.0, 1.0),
            cluster(4.0, 3.0, 3.0),
            cluster(1.0, 1.0, 1.0),
            cluster(0.0, 0.0, 0.0),
            cluster(3.0, 2.0, 5.0),
        ];
        let found = contrast(&clusters, Resampling::default(), "test");
        let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
        assert_eq!((value(found.base), value(found.tuned)), (Some(1.0), Some(0.7)));
        assert!((value(found.difference).unwrap() + 0.3).abs() < 1e-12);
        assert_eq!((found.author, found.from_author), (None, None));
        let interval = found.difference.unwrap().interval.unwrap();
        assert!(interval.low < -0.3 && -0.3 < interval.high && interval.high <= 0.0, "{interval:?}");
    }

    #[test]
    fn the_author_is_compared_where_the_author_wrote() {
        // The model copies everything in the one document the author left unanswered.
        let answered = Cluster {
            base: Ratio::new(0.0, 10.0),
            tuned: Ratio::new(1.0, 10.0),
            author: Ratio::new(1.0, 10.0),
            beside_author: Ratio::new(1.0, 10.0),
        };
        let unanswered = Cluster { tuned: Ratio::new(10.0, 10.0), ..Cluster::default() };
        let found = contrast(&[answered, unanswered], Resampling::default(), "test");
        assert_eq!(found.from_author.unwrap().value, 0.0);
        assert_eq!(found.tuned.unwrap().value, 0.55);
        assert_eq!(found.author.unwrap().n_documents, 1);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(contrast(&[], Resampling::default(), "test"), Contrast::default());
    }
}
