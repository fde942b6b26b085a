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
        let by_blocks: Vec<Need> = (1..LAYERS).map(|n| need(Keep::Blocks(n))).collect();
        assert!(
            by_blocks.windows(2).all(|pair| pair[1].total() < pair[0].total()),
            "{method:?}: each block helps"
        );
        let all: Vec<Need> = by_blocks.iter().cloned().chain([need(Keep::BlockInputs)]).collect();
        let mut seen = Vec::new();
        for wanted in all.iter().map(Need::total) {
            // As much as is free where this many bytes are within nine tenths of it, and a little less.
            let free = wanted.div_ceil(9) * 10;
            for free in [free, free - 20] {
                let fits = |need: &&Need| need.total() <= free / 10 * 9;
                match (plan::choose(&ask, free, &device), all.iter().find(fits)) {
                    (Ok(chosen), Some(fewest)) => assert_eq!(chosen.keep, fewest.keep, "{free} free"),
                    (Err(Error::Memory { needed, .. }), None) => assert!(needed > free / 10 * 9),
                    (found, expected) => panic!("{free} free: {found:?}, expected {expected:?}"),
                }
                seen.extend(all.iter().find(fits).map(|need| need.keep));
            }
        }
        seen.dedup();
        assert!(seen.len() >= LAYERS - 1, "{method:?}: {seen:?}");
        let least = all.iter().map(Need::total).min().unwrap();
        assert_eq!(plan::least(&ask, &device).unwrap().total(), least);
        assert_eq!(plan::choose(&ask, 100 * least, &device).unwrap().keep, Keep::All);
        let refused = plan::choose(&ask, least / 9 * 10 - 100, &device);
        assert!(matches!(refused, Err(Error::Memory { needed, .. }) if needed == least), "{refused:?}");
    }
}
