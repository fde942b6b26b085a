//! How large a new model is: everything from its depth, unless said otherwise.

use serde_json::json;

use crate::config::Config;
use crate::error::{Error, Result};

/// Width of the residual stream for each layer of depth, and of a head: depth 6 is the 7-million
/// model of llama2.c's sort, 288 wide with 6 heads.
const WIDTH_PER_LAYER: usize = 48;
/// Positions for each layer of depth, before they are rounded down to a power of two.
const CONTEXT_PER_LAYER: usize = 64;
const CONTEXTS: std::ops::RangeInclusive<usize> = 128..=2048;
/// Feed-forward widths are multiples of this.
const FEED_FORWARD_STEP: usize = 32;

/// What was asked for; what was not follows from the depth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// L.
    pub depth: usize,
    /// D.
    pub width: Option<usize>,
    /// H.
    pub heads: Option<usize>,
    /// K.
    pub kv_heads: Option<usize>,
    /// F.
    pub feed_forward: Option<usize>,
    /// The longest sequence.
    pub context: Option<usize>,
}

/// The sizes of a new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// L.
    pub layers: usize,
    /// D.
    pub width: usize,
    /// H.
    pub heads: usize,
    /// K.
    pub kv_heads: usize,
    /// F.
    pub feed_forward: usize,
    /// The longest sequence.
    pub context: usize,
}

impl Sizes {
    /// Fills in what was not asked for.
    pub fn of(wanted: &Wanted) -> Self {
        let layers = wanted.depth.max(1);
        let width = wanted.width.unwrap_or(WIDTH_PER_LAYER * layers);
        let heads = wanted.heads.unwrap_or_else(|| heads(width));
        let feed_forward = wanted
            .feed_forward
            .unwrap_or_else(|| (8 * width).div_ceil(3).next_multiple_of(FEED_FORWARD_STEP));
        let context = wanted.context.unwrap_or_else(|| {
            let most = CONTEXT_PER_LAYER * layers;
            (1_usize << most.ilog2()).clamp(*CONTEXTS.start(), *CONTEXTS.end())
        });
        Self { layers, width, heads, kv_heads: wanted.kv_heads.unwrap_or(heads), feed_forward, context }
    }

    /// Numbers in the layers, without the tables of the vocabulary: what the rules of thumb for
    /// learning rates count.
    pub fn n_layer_weights(&self) -> u64 {
        let [d, f, l] = [self.width, self.feed_forward, self.layers].map(|n| n as u64);
        let kv = d / self.heads.max(1) as u64 * self.kv_heads as u64;
        l * (2 * d * d + 2 * d * kv + 3 * d * f)
    }

    /// Numbers in all weights but the norms.
    pub fn n_weights(&self, vocab_size: usize, tied: bool) -> u64 {
        let table = vocab_size as u64 * self.width as u64;
        self.n_layer_weights() + if tied { table } else { 2 * table }
    }

    /// The configuration of a Llama of this size.
    ///
    /// # Errors
    /// When heads and width do not fit each other, by the name of the setting.
    pub fn config(
        &self,
        vocab_size: usize,
        tied: bool,
        bos: Option<u32>,
        eos: Option<u32>,
    ) -> Result<Config> {
        let refuse = |field: &str, found: usize, expected: String| Error::FieldUnsupported {
            field: field.to_owned(),
            found: found.to_string(),
            expected,
        };
        if self.heads == 0 || !self.width.is_multiple_of(2 * self.heads) {
            let expected = format!("a divisor of half the width, {}", self.width / 2);
            return Err(refuse("model.heads", self.heads, expected));
        }
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) {
            return Err(refuse(
                "model.kv_heads",
                self.kv_heads,
                format!("a divisor of the {} heads", self.heads),
            ));
        }
        Config::from_hf_json(json!({
            "model_type": "llama",
            "hidden_size": self.width,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": vocab_size,
            "max_position_embeddings": self.context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": tied,
            "bos_token_id": bos,
            "eos_token_id": eos,
        }))
    }
}

/// The number of heads, of even width, whose width comes nearest to the usual one.
fn heads(width: usize) -> usize {
    let fits = |heads: &usize| width.is_multiple_of(2 * heads);
    let distance = |heads: &usize| (width / heads).abs_diff(WIDTH_PER_LAYER);
    (1..=width.max(1))
        .take_while(|heads| width / heads >= WIDTH_PER_LAYER / 2)
        .filter(fits)
        .min_by_key(distance)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_six_is_the_seven_million() {
        let sizes = Sizes::of(&Wanted { depth: 6, ..Wanted::default() });
        let expected =
            Sizes { layers: 6, width: 288, heads: 6, kv_heads: 6, feed_forward: 768, context: 256 };
        assert_eq!(sizes, expected);
        assert_eq!(sizes.n_weights(4096, true), 7_151_616);
        let config = sizes.config(4096, true, Some(1), Some(2)).unwrap();
        assert_eq!((config.head_width, config.tied, &config.eos[..]), (48, true, &[2][..]));
    }

    #[test]
    fn every_depth_fits_together() {
        for depth in 1..=64 {
            let sizes = Sizes::of(&Wanted { depth, ..Wanted::default() });
            assert!(sizes.config(4096, true, None, None).is_ok(), "{sizes:?}");
            assert!(sizes.context.is_power_of_two());
        }
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_follows() {
        let wanted =
            Wanted { depth: 5, width: Some(64), heads: Some(8), kv_heads: Some(4), ..Wanted::default() };
        let sizes = Sizes::of(&wanted);
        assert_eq!((sizes.width, sizes.heads, sizes.kv_heads, sizes.feed_forward), (64, 8, 4, 192));
        assert_eq!(Sizes::of(&Wanted { depth: 4, width: Some(100), ..Wanted::default() }).heads, 2);
        let odd = Sizes { heads: 7, ..sizes };
        let error = odd.config(300, true, None, None).unwrap_err().to_string();
        assert_eq!(error, "`model.heads` is 7, expected a divisor of half the width, 32");
    }
}
