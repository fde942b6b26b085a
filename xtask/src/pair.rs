//! Low-rank pairs to begin with.

use penname_ledger::{Seed, Stream};
use penname_model::Network;
use penname_model::network::PairSlot;
use penname_model::peft::Pair;

/// A pair whose A is uniform within ±1/√K, as PEFT begins, and whose B is uniform within `±b`.
pub(crate) fn draw(network: &Network, slot: &PairSlot, seed: Seed, b: f32) -> Pair {
    let [rank, n_in, n_out] = slot.shape(&network.program);
    let stream = &mut seed.stream(&slot.module);
    let a_bound = 1.0 / (n_in as f32).sqrt();
    let a = uniform(stream, rank * n_in, a_bound);
    Pair { rank, n_in, n_out, a, b: uniform(stream, n_out * rank, b), magnitude: None }
}

fn uniform(stream: &mut Stream, n: usize, bound: f32) -> Vec<f32> {
    (0..n).map(|_| (2.0 * stream.unit_f32() - 1.0) * bound).collect()
}
