//! What kernels are said to take beside the plan is what they take: every operation of a training step
//! under a counting allocator.
//!
//! A binary of its own, because an allocator counts for a whole process.
#![expect(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::num::NonZeroUsize;

use peak_alloc::PeakAlloc;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::op::Op;
use penname_engine::plan::scratch;
use penname_engine::{Device, Extent, Keep, Section};
use penname_model::adapter::ALL_LINEARS;
use penname_model::footprint::Hold;
use penname_model::{Config, Parameters, Purpose, Residence, Setup, Storage, build};
use penname_token::Sequence;
use penname_token::pack::pack_in_order;
use penname_train::Settings;
use penname_train::settings::{Rounding, Way};
use penname_train::step::{Trainer, packed};
use serde_json::json;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What is not worth counting: lists of segments, of documents, of tasks.
const SMALL: usize = 96 << 10;
const ROWS: usize = 640;
const ROUNDS: usize = 5;

fn models() -> [Config; 4] {
    let llama = json!({
        "model_type": "llama", "vocab_size": 2000, "hidden_size": 256, "intermediate_size": 640,
        "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 1024, "hidden_act": "silu", "tie_word_embeddings": true,
    });
    let gpt2 = json!({
        "model_type": "gpt2", "vocab_size": 2000, "n_embd": 256, "n_layer": 2, "n_head": 4,
        "n_positions": 1024, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
    });
    let qwen3_moe = json!({
        "model_type": "qwen3_moe", "vocab_size": 2000, "hidden_size": 256, "intermediate_size": 640,
        "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
        "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 320, "norm_topk_prob": true,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 1024, "hidden_act": "silu",
        "tie_word_embeddings": true, "decoder_sparse_step": 1, "mlp_only_layers": [],
    });
    let gpt_oss = json!({
        "model_type": "gpt_oss", "vocab_size": 2000, "hidden_size": 256, "intermediate_size": 320,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
        "num_local_experts": 4, "num_experts_per_tok": 2, "attention_bias": true, "sliding_window": 128,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 1024, "hidden_act": "silu",
        "tie_word_embeddings": false,
    });
    [llama, gpt2, qwen3_moe, gpt_oss].map(|value| Config::from_hf_json(value).unwrap())
}

/// A way to train, with pairs on everything that may have one.
fn settings(config: &Config, way: (Way, f64, bool), precision: Rounding) -> Settings {
    let (method, dropout, dora) = way;
    let linears = ALL_LINEARS.iter().chain(&["c_attn", "c_proj", "c_fc"]).copied();
    // Neither dropout nor lengths are known beside experts.
    let experts = (config.experts.is_some() && dropout == 0.0 && !dora).then_some("experts");
    let linears = linears.filter(|name| config.experts.is_none() || !MLP.contains(name));
    let targets = linears.chain(experts).map(str::to_owned).collect();
    let targets = if method == Way::Full { Vec::new() } else { targets };
    Settings { method, dropout, dora, precision, targets, rank: 8, batch_tokens: ROWS, ..Settings::default() }
}

/// Linears that models with experts have not.
const MLP: [&str; 3] = ["gate_proj", "up_proj", "down_proj"];

/// Each operation of one step with the bytes it took beyond what was there when it began.
fn measured(config: &Config, settings: &Settings, device: &mut Cpu) -> (Trainer, Vec<(Op, usize)>, usize) {
    let precision = match settings.precision {
        Rounding::Bf16 => penname_engine::Precision::Bf16,
        Rounding::F32 => penname_engine::Precision::F32,
    };
    let method = settings.method("", config).unwrap();
    let setup = Setup { method, precision, capacity: Extent::tokens(ROWS), purpose: Purpose::Loss };
    let network = build(config, &setup).unwrap();
    let residence = Residence::Memory;
    let hold = Hold { keeping: settings.base.into(), stored: Storage::F32, residence };
    let (mut parameters, _) = Parameters::hold(&network, hold, device).unwrap();
    parameters.hold_pairs(&network, device).unwrap();
    let mask = (0..ROWS).map(|at| at > 0).collect();
    let sequence = Sequence { ids: vec![3; ROWS], mask, n_trained: ROWS - 1, ..Sequence::default() };
    let packs = pack_in_order(&[sequence], ROWS).unwrap();
    let mut trainer = Trainer::new(network, &parameters, settings, Keep::All, device).unwrap();
    let pack = packed(&packs[0]);
    let mut whole = 0;
    let mut all = Vec::new();
    let start = MEMORY.current_usage();
    // Threads keep their buffers in a stack and find another on top than last time, until all have grown;
    // the last round shows what is given back.
    for round in 0..ROUNDS {
        pack.feed(&trainer.network, &trainer.session, device, 1.0);
        for section in [Section::Begin, Section::Forward, Section::Backward] {
            let mut before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let mut taken = Vec::new();
            trainer
                .session
                .run_watched(device, section, pack.extent(), &mut |step| {
                    let peak = MEMORY.peak_usage();
                    taken.push((step.op.clone(), peak.saturating_sub(before)));
                    whole = whole.max(peak.saturating_sub(start));
                    before = MEMORY.current_usage();
                    MEMORY.reset_peak_usage();
                })
                .unwrap();
            if round + 1 == ROUNDS {
                all.extend(taken);
            }
        }
    }
    (trainer, all, whole)
}

#[test]
fn what_is_said_is_what_is_taken() {
    let threads = NonZeroUsize::new(2).unwrap();
    for (config, precision, way) in models().iter().flat_map(|config| {
        let ways = [
            (Way::Full, 0.0, false),
            (Way::Lora, 0.0, false),
            (Way::Lora, 0.1, false),
            (Way::Lora, 0.0, true),
        ];
        [Rounding::F32, Rounding::Bf16]
            .into_iter()
            .flat_map(move |precision| ways.map(|way| (config, precision, way)))
    }) {
        if way.2 && config.experts.is_some() {
            // Held weights are zeros: rows of no length send tokens nowhere.
            continue;
        }
        let mut device = Cpu::with(threads, Isa::best());
        let settings = settings(config, way, precision);
        let (trainer, taken, whole) = measured(config, &settings, &mut device);
        let program = trainer.session.program();
        let what = format!("{} {way:?} {precision:?}", config.model_type);
        for (op, bytes) in &taken {
            let said = device.scratch(op, program).passing;
            assert!(*bytes <= said + SMALL, "{what}: {} took {bytes}, said {said}", op.name());
            assert!(
                said <= 4 * SMALL || *bytes + SMALL >= said / 2,
                "{what}: {} took {bytes}, said {said}",
                op.name()
            );
        }
        let said = scratch(program, &device).total();
        assert!(whole <= said + 4 * SMALL, "{what}: {whole} in all, said {said}");
        assert!(whole + 2 * SMALL >= said / 3, "{what}: {whole} in all, said {said}");
    }
}
