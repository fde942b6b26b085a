//! What other programs wrote, from the goldens of the repository.

macro_rules! golden {
    ($path:literal) => {
        include_bytes!(concat!("../../../golden/", $path))
    };
}

/// A file after the one that describes it.
type Described = (&'static [u8], &'static [u8]);

/// `config.json` and `model.safetensors` of a family each, as transformers writes them.
pub(super) const MODELS: [Described; 5] = [
    (golden!("llama/untied/config.json"), golden!("llama/untied/model.safetensors")),
    (golden!("gpt2/tied/config.json"), golden!("gpt2/tied/model.safetensors")),
    (golden!("qwen3/untied/config.json"), golden!("qwen3/untied/model.safetensors")),
    (golden!("qwen3_moe/plain/config.json"), golden!("qwen3_moe/plain/model.safetensors")),
    (golden!("gpt_oss/mxfp4/config.json"), golden!("gpt_oss/mxfp4/model.safetensors")),
];

/// `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes them.
pub(super) const ADAPTERS: [Described; 4] = [
    (
        golden!("llama/tied/adapter/adapter_config.json"),
        golden!("llama/tied/adapter/adapter_model.safetensors"),
    ),
    (
        golden!("gpt2/tied/adapter/adapter_config.json"),
        golden!("gpt2/tied/adapter/adapter_model.safetensors"),
    ),
    (
        golden!("methods/qwen3-dora/adapter/adapter_config.json"),
        golden!("methods/qwen3-dora/adapter/adapter_model.safetensors"),
    ),
    (
        golden!("gpt_oss/mxfp4/adapter/adapter_config.json"),
        golden!("gpt_oss/mxfp4/adapter/adapter_model.safetensors"),
    ),
];

/// A `tokenizer.json` that `tokenizers` learned.
pub(super) const TOKENIZER: &[u8] = golden!("templates/tokenizer.json");

/// Models that `sentencepiece` learned, of both ways of cutting.
pub(super) const PIECES: [&[u8]; 3] = [
    golden!("sentencepiece/bpe.model"),
    golden!("sentencepiece/unigram.model"),
    golden!("sentencepiece/whole.model"),
];
