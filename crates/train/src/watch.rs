//! When training has gone on long enough.

use serde::{Deserialize, Serialize};

/// The best held-out loss so far, and how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Watch {
    /// Lowest held-out loss, in nats per token.
    pub best_nats: Option<f64>,
    /// The step after which it was measured.
    pub best_step: u64,
    /// Evaluations since without a better one.
    pub stale: u64,
}

/// What an evaluation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The best so far.
    Better,
    /// Not better than the best.
    Stale,
}

impl Watch {
    /// Takes note of an evaluation.
    pub fn see(&mut self, step: u64, nats: f64) -> Sight {
        if self.best_nats.is_none_or(|best| nats < best) {
            *self = Self { best_nats: Some(nats), best_step: step, stale: 0 };
            return Sight::Better;
        }
        self.stale += 1;
        Sight::Stale
    }

    /// Whether patience has run out; a patience of zero never does.
    pub fn is_over(&self, patience: u64) -> bool {
        patience > 0 && self.stale >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_evaluations_since_the_best() {
        let mut watch = Watch::default();
        let seen: Vec<Sight> =
            [3.0, 2.0, 2.5, 1.9, 1.9, 2.0].iter().zip(1..).map(|(l, s)| watch.see(s, *l)).collect();
        use Sight::{Better, Stale};
        assert_eq!(seen, [Better, Better, Stale, Better, Stale, Stale]);
        assert_eq!((watch.best_step, watch.best_nats, watch.stale), (4, Some(1.9), 2));
        assert!(watch.is_over(2) && !watch.is_over(3) && !watch.is_over(0));
    }

    #[test]
    fn a_loss_that_is_no_number_is_never_the_best() {
        let mut watch = Watch::default();
        watch.see(1, 2.0);
        assert_eq!(watch.see(2, f64::NAN), Sight::Stale);
    }
}
