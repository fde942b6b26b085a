//! The part of the vocabulary between the maps into attention and the map out of it.

use super::{Inputs, Network, Purpose};
use crate::config::Config;
use penname_engine::op::{Attention, CachedAttention, HeadGain, HeadNorm, Heads, Rope, RopeTable};
use penname_engine::program::Tensor;
use penname_engine::{DType, Program, Role, Rows, Section, TensorId};

/// How far back an attention looks, and what competes with what it sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    /// The most rows a row sees, itself among them; all of its document if none.
    pub(crate) window: Option<usize>,
    /// The parameter with a sink for every head.
    pub(crate) sinks: Option<String>,
}

impl Network {
    /// RMSNorm of every query head by one gain and of every key head by another, before they are turned.
    pub(crate) fn norm_heads(
        &mut self,
        qkv: TensorId,
        heads: Heads,
        [query, key]: [&str; 2],
        eps: f64,
    ) -> TensorId {
        let gain = |net: &mut Self, name: &str, heads_of: usize| HeadGain {
            gamma: net.parameter(name, &[heads.width]),
            heads: heads_of,
        };
        let gains = vec![gain(self, query, heads.query), gain(self, key, heads.kv)];
        let y = self.value("normed heads", qkv, heads.total_cols());
        self.program.push(Section::Forward, HeadNorm { x: qkv, gains, eps: eps as f32, y });
        y
    }

    /// Queries and keys turned by the angles of their positions.
    fn rotate(&mut self, qkv: TensorId, (cos, sin): (TensorId, TensorId), heads: Heads) -> TensorId {
        let rotated = self.value("rotated", qkv, heads.total_cols());
        let n_rotated = heads.query + heads.kv;
        let rope =
            Rope { x: qkv, cos, sin, heads: n_rotated, head_width: heads.width, inverse: false, y: rotated };
        self.program.push(Section::Forward, rope);
        rotated
    }

    /// Rotates queries and keys where positions are angles, then attends: inside documents, or over
    /// the cache.
    pub(crate) fn attend(&mut self, qkv: TensorId, heads: Heads) -> TensorId {
        self.attend_within(qkv, heads, Reach::default())
    }

    /// As [`Network::attend`], in a window and beside sinks if there are any.
    pub(crate) fn attend_within(&mut self, qkv: TensorId, heads: Heads, reach: Reach) -> TensorId {
        let Reach { window, sinks } = reach;
        let sinks = sinks.map(|name| self.parameter(&name, &[heads.query]));
        let qkv = self.rope.map_or(qkv, |rope| self.rotate(qkv, rope, heads));
        let out = self.value("attended", qkv, heads.query_cols());
        let scale = 1.0 / (heads.width as f32).sqrt();
        match (self.setup.purpose, self.inputs) {
            (Purpose::Generate { cache_rows }, Inputs { first: Some(first), at: Some(at), .. }) => {
                let keys = self.cache("keys", cache_rows, heads.kv_cols());
                let values = self.cache("values", cache_rows, heads.kv_cols());
                self.caches.push((keys, values));
                let op = CachedAttention { qkv, first, at, keys, values, heads, scale, window, sinks, out };
                self.program.push(Section::Forward, op);
            }
            (_, Inputs { starts: Some(starts), shared, .. }) => {
                let lse = self.program.activation("lse", Rows::Tokens, heads.query, DType::F32);
                let op = Attention { qkv, starts, shared, heads, scale, window, sinks, out, lse };
                self.program.push(Section::Forward, op);
            }
            _ => unreachable!(
                "`begin` gives a network for a loss its starts, and one that generates its cache rows"
            ),
        }
        out
    }

    fn cache(&mut self, name: &str, rows: usize, cols: usize) -> TensorId {
        let name = format!("{name} {}", self.caches.len());
        let dtype = self.setup.precision.dtype();
        self.program.declare(Tensor { name, rows: Rows::Fixed(rows), cols, dtype, role: Role::State })
    }
}

/// Cosines and sines of the angles of each row's position, (M, E / 2) each.
pub(super) fn rope_table(
    program: &mut Program,
    config: &Config,
    positions: TensorId,
) -> (TensorId, TensorId) {
    let half = config.head_width / 2;
    let cos = program.activation("cos", Rows::Tokens, half, DType::F32);
    let sin = program.activation("sin", Rows::Tokens, half, DType::F32);
    let inverse_frequency = config.rope_frequencies().into_iter().map(|f| f as f32).collect();
    let scale = config.rope_scaling.attention_factor() as f32;
    program.push(Section::Forward, RopeTable { positions, inverse_frequency, scale, cos, sin });
    (cos, sin)
}
