//! What of the forward pass is kept, chosen block by block.

use penname_engine::Keep;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_model::{Config, Storage};
use penname_train::plan::{self, Ask, Need};
use penname_train::settings::{Rounding, Way};
use penname_train::{Error, Settings};
use std::num::NonZeroUsize;

const LAYERS: usize = 6;

fn config() -> Config {
    Config::from_hf_json(serde_json::json!({
        "model_type": "llama", "vocab_size": 500, "hidden_size": 128, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 384, "hidden_act": "silu",
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
    }))
    .unwrap()
}

/// As few blocks as fit, and never one more: held against every number of them.
#[test]
fn as_few_blocks_as_must_be_are_computed_again() {
    let device = Cpu::with(NonZeroUsize::MIN, Isa::Scalar);
    let config = config();
    for method in [Way::Lora, Way::Full] {
        let settings =
            Settings { method, batch_tokens: 1024, precision: Rounding::F32, ..Settings::default() };
        let ask = Ask { config: &config, settings: &settings, stored: Storage::F32 };
        let need = |keep| plan::need(&ask, keep, &device).unwrap();
        let least = need(Keep::BlockInputs).total();
        let by_blocks: Vec<Need> = (1..LAYERS).map(|n| need(Keep::Blocks(n))).collect();
        assert!(
            by_blocks.windows(2).all(|pair| pair[1].total() < pair[0].total()),
            "{method:?}: each block helps"
        );
        let mut seen = Vec::new();
        for wanted in by_blocks.iter().map(Need::total) {
            // The least that is free for this many bytes to be within nine tenths, and one byte less.
            let free = wanted.div_ceil(9) * 10;
            for free in [free, free - 20] {
                let chosen = plan::choose(&ask, free, &device).unwrap();
                let fits = |total: usize| total <= free / 10 * 9;
                let fewest = by_blocks.iter().find(|need| fits(need.total()));
                assert_eq!(chosen.keep, fewest.map_or(Keep::BlockInputs, |need| need.keep), "{free} free");
                assert!(fits(chosen.total()));
                seen.push(chosen.keep);
            }
        }
        seen.dedup();
        assert!(seen.len() >= LAYERS - 1, "{method:?}: {seen:?}");
        let all = plan::choose(&ask, 100 * least, &device).unwrap();
        assert_eq!(all.keep, Keep::All);
        let refused = plan::choose(&ask, least / 9 * 10 - 100, &device);
        assert!(matches!(refused, Err(Error::Memory { needed, .. }) if needed == least), "{refused:?}");
    }
}
