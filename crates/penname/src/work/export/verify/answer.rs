//! What the program said, beside what penname would have said.

use penname_infer::compare::{Trace, best};
use serde::{Deserialize, Serialize};

use super::Verified;

/// Everything the program said.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answers {
    engine: String,
    answers: Vec<Answer>,
    /// Its first place without the adapter.
    bare: Option<Vec<Answer>>,
}

/// What it wrote to one prompt.
#[derive(Debug, Clone, Deserialize)]
struct Answer {
    ids: Vec<u32>,
    /// At every place the likeliest ids with their log-probabilities.
    steps: Vec<Vec<(u32, f64)>>,
}

/// Where both parted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// Which request, counted from 0.
    pub(crate) request: usize,
    /// How many ids were the same.
    pub(crate) at: usize,
    /// What penname wrote there.
    pub(crate) ours: String,
    /// What the program wrote there.
    pub(crate) theirs: String,
    /// How much likelier penname finds its own.
    pub(crate) gap_nats: f64,
}

impl Answers {
    /// Compares everything that was said with a trace. `bare` are penname's logits without the pairs.
    pub(super) fn compare(
        &self,
        trace: &Trace,
        stop_ids: &[u32],
        bare: Option<&[Vec<f32>]>,
        spell: &dyn Fn(u32) -> String,
    ) -> Verified {
        let mut verified = Verified {
            engine: self.engine.clone(),
            n_requests: trace.prompts.len(),
            n_same: 0,
            n_equal: 0,
            // An answer that is missing is as far away as can be.
            max_nats: if self.answers.len() == trace.prompts.len() { 0.0 } else { f64::INFINITY },
            differences: Vec::new(),
            moved_nats: None,
        };
        for (request, answer) in self.answers.iter().enumerate().take(trace.prompts.len()) {
            let ours = &trace.written[request];
            let n_same = ours.iter().zip(&answer.ids).take_while(|(a, b)| a == b).count();
            let n_compared = (n_same + 1).min(answer.steps.len()).min(ours.len());
            for (step, logits) in answer.steps.iter().zip(&trace.logits[request]).take(n_compared) {
                verified.max_nats = verified.max_nats.max(apart(step, logits));
            }
            verified.n_same += n_same;
            let ended =
                n_same == answer.ids.len() && ours.get(n_same).is_some_and(|id| stop_ids.contains(id));
            let just_ended = n_same > 0 && n_same == answer.ids.len() && stop_ids.contains(&ours[n_same - 1]);
            if n_same == ours.len() || ended || just_ended {
                verified.n_equal += 1;
                continue;
            }
            let logits = &trace.logits[request][n_same];
            let theirs = answer.ids.get(n_same).copied();
            let gap = theirs.and_then(|id| Some(log(logits, ours[n_same])? - log(logits, id)?));
            verified.differences.push(Difference {
                request,
                at: n_same,
                ours: spell(ours[n_same]),
                theirs: theirs.map_or_else(|| "the end".to_owned(), spell),
                gap_nats: gap.unwrap_or(f64::INFINITY),
            });
        }
        verified.moved_nats = bare.map(|bare| self.moved(bare, trace));
        verified
    }

    /// How far the pairs move the log-probabilities of the program's likeliest ids: there, and here. A
    /// program that holds only the sum of both is held against penname's base.
    fn moved(&self, bare: &[Vec<f32>], trace: &Trace) -> [f64; 2] {
        let mut moved = [0.0_f64; 2];
        for (request, bare) in bare.iter().enumerate() {
            let place =
                |answers: &[Answer]| answers.get(request).and_then(|answer| answer.steps.first().cloned());
            let (Some(with), Some(tuned)) = (place(&self.answers), trace.logits[request].first()) else {
                continue;
            };
            let without = self.bare.as_deref().and_then(place);
            for (id, after) in with {
                let (Some(base), Some(here)) = (log(bare, id), log(tuned, id)) else { continue };
                let before = match &without {
                    Some(step) => step.iter().find(|(other, _)| *other == id).map(|(_, log)| *log),
                    None => Some(base),
                };
                moved[0] = moved[0].max(before.map_or(0.0, |before| (after - before).abs()));
                moved[1] = moved[1].max(if before.is_some() { (here - base).abs() } else { 0.0 });
            }
        }
        moved
    }
}

/// The largest difference of the log-probabilities of some ids.
fn apart(step: &[(u32, f64)], logits: &[f32]) -> f64 {
    let one =
        |(id, theirs): &(u32, f64)| log(logits, *id).map_or(f64::INFINITY, |ours| (ours - theirs).abs());
    let worst = step.iter().map(one).fold(0.0, f64::max);
    if step.is_empty() { f64::INFINITY } else { worst }
}

/// The log-probability of an id.
fn log(logits: &[f32], id: u32) -> Option<f64> {
    let logit = f64::from(*logits.get(id as usize)?);
    let top = f64::from(*logits.get(best(logits) as usize)?);
    let sum: f64 = logits.iter().map(|x| (f64::from(*x) - top).exp()).sum();
    Some(logit - top - sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(ids: &[u32], steps: Vec<Vec<(u32, f64)>>) -> Answers {
        let answer = Answer { ids: ids.to_vec(), steps };
        Answers { engine: "x".to_owned(), answers: vec![answer], bare: None }
    }

    fn trace() -> Trace {
        // Two ids, the first e times as likely, then as likely as the second.
        let logits = vec![vec![vec![1.0, 0.0], vec![0.5, 0.5]]];
        Trace { prompts: vec![vec![0]], written: vec![vec![0, 0]], logits }
    }

    fn exact() -> Vec<Vec<(u32, f64)>> {
        let first = -(1.0 + (-1.0_f64).exp()).ln();
        vec![vec![(0, first), (1, first - 1.0)], vec![(0, 0.5_f64.ln()), (1, 0.5_f64.ln())]]
    }

    #[test]
    fn the_same_is_equal_and_a_tie_is_shown() {
        let check = |ids: &[u32], steps, n_equal, gap: Option<f64>, apart: f64| {
            let verified = answers(ids, steps).compare(&trace(), &[9], None, &|id| id.to_string());
            assert_eq!(verified.n_equal, n_equal, "{ids:?}");
            let found = verified.differences.first().map(|part| part.gap_nats);
            assert_eq!(found.map(|gap| (gap * 1e6).round()), gap.map(|gap| gap * 1e6), "{ids:?}");
            assert!((verified.max_nats - apart).abs() < 1e-6 || verified.max_nats == apart, "{verified:?}");
        };
        check(&[0, 0], exact(), 1, None, 0.0);
        check(&[0, 1], exact(), 0, Some(0.0), 0.0);
        check(&[1, 0], exact(), 0, Some(1.0), 0.0);
        let mut off = exact();
        off[1][0].1 -= 0.25;
        check(&[0, 0], off, 1, None, 0.25);
        check(&[], Vec::new(), 0, Some(f64::INFINITY), 0.0);
    }

    #[test]
    fn an_answer_that_is_missing_is_infinitely_far() {
        let none = Answers { engine: "x".to_owned(), answers: Vec::new(), bare: None };
        assert_eq!(none.compare(&trace(), &[], None, &|id| id.to_string()).max_nats, f64::INFINITY);
    }
}
