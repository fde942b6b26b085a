//! Which experts a token goes to, and how much each of them counts.
//!
//! With the logits l of a token over X experts, the k largest are chosen, of two equal ones the
//! first. Their weights are a softmax, over the chosen alone or over all:
//!
//! ```text
//! chosen:  w_i = exp(l_i) / Σ_{j chosen} exp(l_j)          they sum to one
//! all:     w_i = exp(l_i) / Σ_j exp(l_j)                   they sum to less
//! ```
//!
//! A softmax over all whose chosen weights are then divided by their sum is the first of these.
//! Backwards, with g_i the gradient of w_i and zero where not chosen, p the softmax over the chosen
//! or over all: `dl_j = p_j (g_j − Σ_i w_i g_i)`. The choice itself has no derivative.
//!
//! # Source
//! Shazeer et al., "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts
//! Layer", 2017, arXiv 1701.06538, equations 3 to 5, without the noise; over all experts, Fedus et
//! al., "Switch Transformers", 2021, arXiv 2101.03961, equation 1.

use super::{Access, Host, Operation, Real, expect, expect_cols, expect_f32, expect_ids, expect_rows};
use crate::derive::Derive;
use crate::program::{Extent, Program, ShapeError, TensorId};

/// Over which experts the weights of a token sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Those it goes to.
    Chosen,
    /// All there are.
    All,
}

/// Chooses the experts of every token.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// l, (M, X), f32.
    pub logits: TensorId,
    /// Over which experts the weights sum to one.
    pub share: Share,
    /// w of the chosen, the largest first, (M, k), f32.
    pub weights: TensorId,
    /// The chosen, in the same order, (M, k) ids.
    pub experts: TensorId,
}

/// The gradient of [`Route`].
#[derive(Debug, Clone, PartialEq)]
pub struct RouteBackward {
    /// The operation as it ran forward.
    pub forward: Route,
    /// g, (M, k), f32.
    pub dweights: TensorId,
    /// Gradient of the logits, (M, X), f32.
    pub dlogits: TensorId,
}

impl Operation for Route {
    const NAME: &'static str = "route";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        visitor(Access::Read, &mut self.logits);
        visitor(Access::Write, &mut self.weights);
        visitor(Access::Write, &mut self.experts);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        expect_f32(Self::NAME, program, self.logits)?;
        expect_f32(Self::NAME, program, self.weights)?;
        expect_ids(Self::NAME, program, self.experts)?;
        expect_rows(Self::NAME, program, self.weights, self.logits)?;
        expect_rows(Self::NAME, program, self.experts, self.logits)?;
        let (chosen, all) = (program.cols(self.weights), program.cols(self.logits));
        expect_cols(Self::NAME, program, self.experts, chosen)?;
        expect(Self::NAME, program, self.weights, "columns", chosen, chosen.clamp(1, all.max(1)))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        let rows = extent.rows(program.tensor(self.logits).rows);
        (rows * program.cols(self.logits) * (program.cols(self.weights) + 4)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let (mut weights, mut experts) = (Vec::new(), Vec::new());
        for row in 0..host.rows(self.logits) {
            let logits = host.row(self.logits, row);
            let chosen = largest(logits, host.cols(self.weights));
            let of_chosen: Vec<R> = chosen.iter().map(|&expert| logits[expert]).collect();
            let total = match self.share {
                Share::Chosen => lse(&of_chosen),
                Share::All => lse(logits),
            };
            weights.extend(of_chosen.iter().map(|&logit| (logit - total).exp()));
            experts.extend(chosen.iter().map(|&expert| expert as u32));
        }
        host.put(self.weights, weights);
        host.set_ids(self.experts, experts);
    }

    fn derive(&self, derive: &mut Derive<'_>) {
        let Some(dweights) = derive.gradient(self.weights) else { return };
        let Some(dlogits) = derive.fresh_gradient(self.logits) else { return };
        derive.emit(RouteBackward { forward: self.clone(), dweights, dlogits });
        derive.contribute(self.logits, dlogits);
    }
}

/// The places of the `n` largest numbers, in order; of two equal ones the first.
fn largest<R: Real>(numbers: &[R], n: usize) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for _ in 0..n {
        let free = (0..numbers.len()).filter(|place| !places.contains(place));
        let best = free.reduce(|best, place| if numbers[place] > numbers[best] { place } else { best });
        places.extend(best);
    }
    places
}

fn lse<R: Real>(numbers: &[R]) -> R {
    let max = numbers.iter().fold(numbers[0], |max, &x| if x > max { x } else { max });
    let mut sum = R::zero();
    numbers.iter().for_each(|&x| sum += (x - max).exp());
    max + sum.ln()
}

impl Operation for RouteBackward {
    const NAME: &'static str = "route_backward";

    fn visit(&mut self, visitor: &mut dyn FnMut(Access, &mut TensorId)) {
        let Route { logits, weights, experts, .. } = &mut self.forward;
        for tensor in [logits, weights, experts, &mut self.dweights] {
            visitor(Access::Read, tensor);
        }
        visitor(Access::Write, &mut self.dlogits);
    }

    fn check(&self, program: &Program) -> Result<(), ShapeError> {
        self.forward.check(program)?;
        for tensor in [self.dweights, self.dlogits] {
            expect_f32(Self::NAME, program, tensor)?;
            expect_rows(Self::NAME, program, tensor, self.forward.logits)?;
        }
        expect_cols(Self::NAME, program, self.dweights, program.cols(self.forward.weights))?;
        expect_cols(Self::NAME, program, self.dlogits, program.cols(self.forward.logits))
    }

    fn flops(&self, program: &Program, extent: Extent) -> u64 {
        4 * (extent.rows(program.tensor(self.dlogits).rows) * program.cols(self.dlogits)) as u64
    }

    fn reference<R: Real>(&self, host: &mut Host<R>) {
        let Route { logits, share, weights, experts } = self.forward;
        let (chosen, all) = (host.cols(weights), host.cols(logits));
        let mut dlogits = vec![R::zero(); host.rows(logits) * all];
        for (row, dlogits) in dlogits.chunks_mut(all).enumerate() {
            let (w, g) = (host.row(weights, row), host.row(self.dweights, row));
            let mut mean = R::zero();
            w.iter().zip(g).for_each(|(&w, &g)| mean += w * g);
            if share == Share::All {
                let total = lse(host.row(logits, row));
                let p = host.row(logits, row).iter().map(|&logit| (logit - total).exp());
                dlogits.iter_mut().zip(p).for_each(|(d, p)| *d = -(p * mean));
            }
            for choice in 0..chosen {
                let expert = host.ids(experts)[row * chosen + choice] as usize;
                dlogits[expert] = w[choice] * (g[choice] - mean);
            }
        }
        host.put(self.dlogits, dlogits);
    }
}
