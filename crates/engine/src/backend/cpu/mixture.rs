//! A mixture of experts, one operation at a time: from tensors of a program to the kernels of
//! `route`, `experts` and `embed`. Their linears are in `grouped`.

use super::device::Cpu;
use super::{embed, experts, route};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;

impl Cpu {
    pub(super) fn route(&self, bound: &Bound<'_>, op: &op::Route) {
        let (logits, weights) = (self.mat(bound, op.logits), self.mat_mut(bound, op.weights));
        route::route(&self.pool, self.isa, (logits, op.share), weights, self.ids_mut(bound, op.experts));
    }

    pub(super) fn route_backward(&self, bound: &Bound<'_>, op: &op::RouteBackward) {
        let op::Route { logits, share, weights, experts } = op.forward;
        let chosen = (self.mat(bound, weights), self.ids(bound, experts));
        let (dweights, dlogits) = (self.mat(bound, op.dweights), self.mat_mut(bound, op.dlogits));
        let logits = (self.mat(bound, logits), share);
        route::route_backward(&self.pool, self.isa, logits, chosen, dweights, dlogits);
    }

    pub(super) fn sort_rows(&self, bound: &Bound<'_>, op: &op::SortRows) {
        let sorted = experts::Sorted {
            bounds: self.ids_mut(bound, op.bounds),
            tokens: self.ids_mut(bound, op.tokens),
            places: self.ids_mut(bound, op.places),
        };
        experts::sort(self.ids(bound, op.experts), bound.program.cols(op.experts), sorted);
    }

    fn choices(
        &self,
        bound: &Bound<'_>,
        places: TensorId,
        weights: Option<TensorId>,
    ) -> experts::Choices<'_> {
        experts::Choices {
            places: self.ids(bound, places),
            weights: weights.map(|weights| self.floats(bound, weights)),
            per_token: bound.program.cols(places),
        }
    }

    pub(super) fn combine_rows(&self, bound: &Bound<'_>, op: &op::CombineRows) {
        let choices = self.choices(bound, op.places, op.weights);
        let add = op.add.map(|add| self.mat(bound, add));
        let (x, y) = (self.mat(bound, op.x), self.mat_mut(bound, op.y));
        experts::combine(&self.pool, self.isa, x, &choices, add, y);
    }

    pub(super) fn combine_rows_backward(&self, bound: &Bound<'_>, op: &op::CombineRowsBackward) {
        let choices = self.choices(bound, op.places, Some(op.weights));
        let from = (self.mat(bound, op.dy), self.mat(bound, op.x));
        let dx = op.dx.map(|dx| self.mat_mut(bound, dx));
        let dweights = op.dweights.map(|dweights| self.floats_mut(bound, dweights));
        experts::combine_backward(&self.pool, self.isa, from, &choices, dx, dweights);
    }

    pub(super) fn spread_rows(&self, bound: &Bound<'_>, op: &op::SpreadRows) {
        let (x, tokens) = (self.mat(bound, op.x), self.ids(bound, op.tokens));
        embed::gather(&self.pool, self.isa, x, tokens, self.mat_mut(bound, op.y));
    }
}
