//! What stands where: the header, and the order of the weights behind it.

use super::{HEAD_BYTES, Version};
use crate::error::{Error, Result};
use crate::weights::tensor::RowOrder;

/// The seven numbers of every header, and what stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Version,
    /// D.
    pub(super) width: usize,
    /// F.
    pub(super) feed_forward: usize,
    /// L.
    pub(super) n_layers: usize,
    /// H.
    pub(super) n_heads: usize,
    /// K.
    pub(super) n_kv_heads: usize,
    /// V.
    pub(super) vocab_size: usize,
    pub(super) context: usize,
    pub(super) tied: bool,
}

/// A stretch of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A weight under its published name.
    Weight { name: String, shape: Vec<usize>, order: RowOrder },
    /// The rotary angles of version 0.
    Angles { n_values: usize },
}

impl Header {
    /// E.
    pub(super) fn head_width(&self) -> usize {
        self.width / self.n_heads
    }

    fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_width()
    }

    /// Bytes of the whole file. In 128 bits no header overflows: each number is below 2³¹.
    pub(super) fn file_bytes(&self) -> u128 {
        let [d, f, l, v, kv] =
            [self.width, self.feed_forward, self.n_layers, self.vocab_size, self.kv_width()]
                .map(|n| n as u128);
        let norms = (2 * l + 1) * d;
        let tables = if self.tied { 1 } else { 2 } * v * d;
        let matrices = tables + l * (2 * d * d + 2 * d * kv + 3 * d * f);
        let angles = (self.context * self.head_width()) as u128;
        let data = match self.version {
            Version::V0 => 4 * (norms + matrices + angles),
            Version::V1 => 4 * (norms + matrices),
            Version::V2 { group } => 4 * norms + matrices + 4 * (matrices / group as u128),
        };
        HEAD_BYTES[self.version.number() as usize] as u128 + data
    }

    /// Refuses groups that do not come out even.
    pub(super) fn check_groups(&self) -> Result<()> {
        let Version::V2 { group } = self.version else { return Ok(()) };
        for part in self.parts() {
            let Part::Weight { name, shape, .. } = part else { continue };
            let n_values: usize = shape.iter().product();
            if shape.len() == 2 && (group == 0 || !n_values.is_multiple_of(group)) {
                return Err(Error::GroupUneven { tensor: name, n_values, group });
            }
        }
        Ok(())
    }

    /// The stretches behind the header, in order. Ask only when the size of the file was found to be
    /// [`Header::file_bytes`], or for a model that exists: there is an entry for every weight.
    pub(super) fn parts(&self) -> Vec<Part> {
        let (norms, matrices) = (self.norms(), self.matrices());
        let [attention, feed_forward, last] = norms;
        let [embedding, q, k, v, o, gate, down, up, head] = matrices;
        match self.version {
            Version::V0 => {
                let angles = vec![Part::Angles { n_values: self.context * self.head_width() }];
                [embedding, attention, q, k, v, o, feed_forward, gate, down, up, last, angles, head].concat()
            }
            _ => [attention, feed_forward, last, embedding, q, k, v, o, gate, down, up, head].concat(),
        }
    }

    fn norms(&self) -> [Vec<Part>; 3] {
        let norm = |name| self.layers(name, &[self.width], RowOrder::AsPublished);
        let last = weight("model.norm.weight".to_owned(), &[self.width], RowOrder::AsPublished);
        [norm("input_layernorm"), norm("post_attention_layernorm"), vec![last]]
    }

    fn matrices(&self) -> [Vec<Part>; 9] {
        let &Self { width: d, feed_forward: f, vocab_size, .. } = self;
        let plain = RowOrder::AsPublished;
        let turned = RowOrder::Interleaved { head_width: self.head_width() };
        let table = |name: &str| vec![weight(name.to_owned(), &[vocab_size, d], plain)];
        [
            table("model.embed_tokens.weight"),
            self.layers("self_attn.q_proj", &[d, d], turned),
            self.layers("self_attn.k_proj", &[self.kv_width(), d], turned),
            self.layers("self_attn.v_proj", &[self.kv_width(), d], plain),
            self.layers("self_attn.o_proj", &[d, d], plain),
            self.layers("mlp.gate_proj", &[f, d], plain),
            self.layers("mlp.down_proj", &[d, f], plain),
            self.layers("mlp.up_proj", &[f, d], plain),
            if self.tied { Vec::new() } else { table("lm_head.weight") },
        ]
    }

    /// One weight of every layer.
    fn layers(&self, module: &str, shape: &[usize], order: RowOrder) -> Vec<Part> {
        let name = |layer| format!("model.layers.{layer}.{module}.weight");
        (0..self.n_layers).map(|layer| weight(name(layer), shape, order)).collect()
    }
}

fn weight(name: String, shape: &[usize], order: RowOrder) -> Part {
    Part::Weight { name, shape: shape.to_vec(), order }
}
