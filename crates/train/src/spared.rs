//! Which weights decay does not pull towards zero.
//!
//! A word stands for all weights of a sort, found by what the program does with them and not by their
//! names; anything else is a pattern of parameter names.

use penname_engine::op::Op;
use penname_engine::{Program, TensorId};
use penname_model::adapter::Trainable;
use std::collections::BTreeSet;

/// Weights without decay.
#[derive(Debug)]
pub(crate) struct Spared {
    weights: BTreeSet<TensorId>,
    named: Trainable,
}

/// Gains and biases of norms.
pub(crate) const NORMS: &str = "norms";
/// What is added to the result of a linear or a norm.
pub(crate) const BIASES: &str = "biases";
/// Trained lengths.
pub(crate) const MAGNITUDES: &str = "magnitudes";
/// Tables of tokens and positions; a head that is the same table too.
pub(crate) const EMBEDDINGS: &str = "embeddings";

impl Spared {
    /// Finds what the words and patterns stand for.
    pub(crate) fn new(program: &Program, list: &[String]) -> Self {
        let sorts = program.steps().iter().flat_map(|step| sorts(&step.op));
        let said = |sort: &str| list.iter().any(|word| word == sort);
        let weights = sorts.filter(|(sort, _)| said(sort)).map(|(_, id)| id).collect();
        let is_word = |word: &&String| [NORMS, BIASES, MAGNITUDES, EMBEDDINGS].contains(&word.as_str());
        let patterns = list.iter().filter(|word| !is_word(word)).cloned().collect();
        Self { weights, named: Trainable { patterns } }
    }

    /// The first pattern that fits none of these weights.
    pub(crate) fn stray(&self, program: &Program, weights: &[TensorId]) -> Option<&str> {
        let fits = |pattern: &&String| {
            let alone = Trainable { patterns: vec![String::clone(pattern)] };
            weights.iter().any(|id| alone.contains(&program.tensor(*id).name))
        };
        self.named.patterns.iter().find(|pattern| !fits(pattern)).map(String::as_str)
    }

    /// Whether decay leaves this weight alone.
    pub(crate) fn contains(&self, program: &Program, weight: TensorId) -> bool {
        let by_name = || !self.named.patterns.is_empty() && self.named.contains(&program.tensor(weight).name);
        self.weights.contains(&weight) || by_name()
    }
}

/// The weights of an operation that belong to a sort.
fn sorts(op: &Op) -> Vec<(&'static str, TensorId)> {
    match op {
        Op::RmsNorm(op) => vec![(NORMS, op.gamma)],
        Op::LayerNorm(op) => vec![(NORMS, op.gamma), (NORMS, op.beta), (BIASES, op.beta)],
        Op::HeadNorm(op) => op.gains.iter().map(|gain| (NORMS, gain.gamma)).collect(),
        Op::Linear(op) => op.parts.iter().filter_map(|part| Some((BIASES, part.bias?))).collect(),
        Op::Magnitude(op) => {
            let bias = |part: &penname_engine::op::Stretch| Some((BIASES, part.bias?));
            let length = |part: &penname_engine::op::Stretch| Some((MAGNITUDES, part.magnitude?));
            op.parts.iter().filter_map(bias).chain(op.parts.iter().filter_map(length)).collect()
        }
        Op::GroupedLinear(op) => op.experts.bias.map(|bias| (BIASES, bias)).into_iter().collect(),
        // Like a bias on the score of nothing.
        Op::Attention(op) => op.sinks.map(|sinks| (BIASES, sinks)).into_iter().collect(),
        Op::Embed(op) => vec![(EMBEDDINGS, op.table)],
        _ => Vec::new(),
    }
}
