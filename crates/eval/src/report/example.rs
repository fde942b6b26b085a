//! A few replies side by side, chosen by lot.

use serde::{Deserialize, Serialize};

use crate::Finish;
use crate::pair::{Pair, Pairs};
use crate::stat::random::Random;

/// One held-out question and what was written in answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The question's document.
    pub document: String,
    /// The question.
    pub id: String,
    /// The sampling seed.
    pub seed: u64,
    /// What was asked.
    pub prompt: String,
    /// The base model's reply.
    pub base: String,
    /// Why it ended.
    pub base_finish: Finish,
    /// The tuned model's reply.
    pub tuned: String,
    /// Why it ended.
    pub tuned_finish: Finish,
    /// The author's own answer, where known.
    pub author: Option<String>,
}

/// Draws up to `n` questions, each as likely as any other, in the order of the pairs.
///
/// Of several seeds for one question the lowest is shown.
pub(super) fn choose(pairs: &Pairs<'_>, n: usize, seed: u64) -> Vec<Example> {
    let mut questions: Vec<&Pair<'_>> = pairs.list.iter().collect();
    questions.dedup_by_key(|pair| (&pair.base.document, &pair.base.id));
    let mut order: Vec<usize> = (0..questions.len()).collect();
    let mut random = Random::stream(seed, "examples");
    let n = n.min(order.len());
    for place in 0..n {
        let other = place + random.below(order.len() - place);
        order.swap(place, other);
    }
    order.truncate(n);
    order.sort_unstable();
    order.into_iter().map(|pair_idx| Example::of(questions[pair_idx])).collect()
}

impl Example {
    fn of(pair: &Pair<'_>) -> Self {
        let Pair { base, tuned, author } = *pair;
        Self {
            document: base.document.clone(),
            id: base.id.clone(),
            seed: base.seed,
            prompt: base.prompt.clone(),
            base: base.text.clone(),
            base_finish: base.finish,
            tuned: tuned.text.clone(),
            tuned_finish: tuned.finish,
            author: author.map(str::to_owned),
        }
    }
}
