//! Ratios of sums, the form every number in the report has.
//!
//! Bits per byte is all bits over all bytes, a share is all hits over all
//! replies. Adding first and dividing last gives long documents their weight
//! and lets a document without any denominator, such as an empty reply, take
//! part without being undefined.

use std::ops::AddAssign;

/// A numerator and a denominator that may still grow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ratio {
    /// What is counted.
    pub over: f64,
    /// What it is counted in.
    pub under: f64,
}

impl Ratio {
    /// `over / under`.
    #[must_use]
    pub fn new(over: f64, under: f64) -> Self {
        Self { over, under }
    }

    /// The quotient; none where nothing was counted.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.under > 0.0).then(|| self.over / self.under)
    }
}

impl AddAssign for Ratio {
    fn add_assign(&mut self, other: Self) {
        self.over += other.over;
        self.under += other.under;
    }
}

/// The ratios of one document.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cluster {
    /// Of the base model.
    pub base: Ratio,
    /// Of the tuned model.
    pub tuned: Ratio,
    /// Of the author.
    pub author: Ratio,
    /// Of the tuned model, where the author answered too, so that the two can be compared.
    pub beside_author: Ratio,
}

/// What a [`Cluster`] sum says: base, tuned, author, tuned minus base, tuned minus author.
pub(crate) fn values(total: &Cluster) -> [Option<f64>; 5] {
    let (base, tuned) = (total.base.value(), total.tuned.value());
    let (author, beside) = (total.author.value(), total.beside_author.value());
    [base, tuned, author, minus(tuned, base), minus(beside, author)]
}

/// Adds up clusters.
pub(crate) fn total<'a>(clusters: impl IntoIterator<Item = &'a Cluster>) -> Cluster {
    clusters.into_iter().fold(Cluster::default(), |mut sum, cluster| {
        sum.base += cluster.base;
        sum.tuned += cluster.tuned;
        sum.author += cluster.author;
        sum.beside_author += cluster.beside_author;
        sum
    })
}

fn minus(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? - b?)
}
