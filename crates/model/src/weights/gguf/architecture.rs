//! What GGUF calls the tensors of each architecture, and which rows it stores in another order.

use super::ARCHITECTURE;
use super::metadata::Metadata;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::weights::tensor::RowOrder;

/// Every architecture whose GGUF files can be read.
pub static ALL: &[&Architecture] = &[&LLAMA, &GPT2, &QWEN2, &QWEN3, &QWEN3_MOE, &GPT_OSS];

/// How one architecture is written down in GGUF.
#[derive(Debug)]
pub struct Architecture {
    /// The value of `general.architecture`.
    pub name: &'static str,
    /// The `model_type` Hugging Face gives it.
    pub model_type: &'static str,
    /// The key of ε of its norms, after the name.
    pub(crate) norm_eps: &'static str,
    /// What stands before the number of a layer in a published name.
    layers: &'static str,
    /// Tensors outside the layers: name in GGUF, published name.
    tensors: &'static [(&'static str, &'static str)],
    /// Modules of a layer: name in GGUF after `blk.N.`, published name after the layer's number.
    modules: &'static [&'static [(&'static str, &'static str)]],
    /// Parameters of a layer whose published name does not end with what kind it is.
    bare: &'static [(&'static str, &'static str)],
    /// Whether its layers have experts.
    pub(crate) has_experts: bool,
    /// Whether query and key rows lie interleaved: converters reorder them for architectures whose
    /// rotary embedding llama.cpp applies to neighbours, not to halves.
    interleaved: bool,
}

const DECODER_TENSORS: &[(&str, &str)] = &[
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

const DECODER_MODULES: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    (QUERY, "self_attn.q_proj"),
    (KEY, "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

const HEAD_NORMS: &[(&str, &str)] =
    &[("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")];

const LLAMA: Architecture = Architecture {
    name: "llama",
    model_type: "llama",
    norm_eps: "attention.layer_norm_rms_epsilon",
    layers: "model.layers.",
    tensors: DECODER_TENSORS,
    modules: &[DECODER_MODULES],
    bare: &[],
    has_experts: false,
    interleaved: true,
};

/// Rows lie as published: its rotary embedding is applied to halves.
static QWEN2: Architecture = Architecture { name: "qwen2", model_type: "qwen2", interleaved: false, ..LLAMA };

static QWEN3: Architecture = Architecture {
    name: "qwen3",
    model_type: "qwen3",
    modules: &[DECODER_MODULES, HEAD_NORMS],
    interleaved: false,
    ..LLAMA
};

/// Experts, all of a layer in one tensor; what nobody publishes so is named like what is.
const EXPERTS: &[(&str, &str)] = &[
    ("ffn_gate_exps", "mlp.experts.gate_proj"),
    ("ffn_up_exps", "mlp.experts.up_proj"),
    ("ffn_down_exps", "mlp.experts.down_proj"),
];

static QWEN3_MOE: Architecture = Architecture {
    name: "qwen3moe",
    model_type: "qwen3_moe",
    modules: &[DECODER_MODULES, HEAD_NORMS, &[("ffn_gate_inp", "mlp.gate")], EXPERTS],
    has_experts: true,
    interleaved: false,
    ..LLAMA
};

static GPT_OSS: Architecture = Architecture {
    name: "gpt-oss",
    model_type: "gpt_oss",
    modules: &[
        &[("post_attention_norm", "post_attention_layernorm"), ("ffn_gate_inp", "mlp.router")],
        EXPERTS,
        DECODER_MODULES,
    ],
    bare: &[("attn_sinks.weight", "self_attn.sinks")],
    has_experts: true,
    interleaved: false,
    ..LLAMA
};

/// Converters write its linears as (out, in), which Hugging Face has as (in, out).
static GPT2: Architecture = Architecture {
    name: "gpt2",
    model_type: "gpt2",
    norm_eps: "attention.layer_norm_epsilon",
    layers: "transformer.h.",
    tensors: &[
        ("token_embd.weight", "transformer.wte.weight"),
        ("position_embd.weight", "transformer.wpe.weight"),
        ("output_norm.weight", "transformer.ln_f.weight"),
        ("output_norm.bias", "transformer.ln_f.bias"),
        ("output.weight", "lm_head.weight"),
    ],
    modules: &[&[
        ("attn_norm", "ln_1"),
        ("attn_qkv", "attn.c_attn"),
        ("attn_output", "attn.c_proj"),
        ("ffn_norm", "ln_2"),
        ("ffn_up", "mlp.c_fc"),
        ("ffn_down", "mlp.c_proj"),
    ]],
    bare: &[],
    has_experts: false,
    interleaved: false,
};

const QUERY: &str = "attn_q";
const KEY: &str = "attn_k";

/// The architecture a file says it has.
///
/// # Errors
///
/// When it says nothing, or names one that is not in [`ALL`].
pub fn architecture(metadata: &Metadata) -> Result<&'static Architecture> {
    let found =
        metadata.text(ARCHITECTURE)?.ok_or_else(|| Error::FieldMissing { field: ARCHITECTURE.to_owned() })?;
    ALL.iter().copied().find(|known| known.name == found).ok_or_else(|| Error::ArchitectureUnknown {
        found: found.to_owned(),
        known: ALL.iter().map(|known| known.name).collect::<Vec<_>>().join(", "),
    })
}

impl Architecture {
    /// The architecture that Hugging Face calls `model_type`.
    ///
    /// # Errors
    ///
    /// When its GGUF files are not known.
    pub fn of_model(model_type: &str) -> Result<&'static Architecture> {
        // Converters write Mistral as the Llama it is.
        let wanted = if model_type == "mistral" { "llama" } else { model_type };
        ALL.iter().copied().find(|known| known.model_type == wanted).ok_or_else(|| {
            Error::ArchitectureUnknown {
                found: model_type.to_owned(),
                known: ALL.iter().map(|known| known.model_type).collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// The published name of a GGUF tensor, `None` when the table does not know it.
    pub fn published_name(&self, gguf: &str) -> Option<String> {
        if let Some((_, published)) = self.tensors.iter().find(|(ours, _)| *ours == gguf) {
            return Some((*published).to_owned());
        }
        let (layer, module, parameter) = split_layer_name(gguf)?;
        let is_bare = |(ours, _): &&(&str, &str)| ours.split_once('.') == Some((module, parameter));
        if let Some((_, published)) = self.bare.iter().find(is_bare) {
            return Some(format!("{}{layer}.{published}", self.layers));
        }
        let (_, published) = self.modules.iter().copied().flatten().find(|(ours, _)| *ours == module)?;
        Some(format!("{}{layer}.{published}.{parameter}", self.layers))
    }

    /// The GGUF name of a published tensor, `None` when the table does not know it.
    pub fn gguf_name(&self, published: &str) -> Option<String> {
        if let Some((gguf, _)) = self.tensors.iter().find(|(_, theirs)| *theirs == published) {
            return Some((*gguf).to_owned());
        }
        let (layer, rest) = published.strip_prefix(self.layers)?.split_once('.')?;
        if let Some((gguf, _)) = self.bare.iter().find(|(_, theirs)| *theirs == rest) {
            return Some(format!("blk.{layer}.{gguf}"));
        }
        let (module, parameter) = rest.rsplit_once('.')?;
        let (gguf, _) = self.modules.iter().copied().flatten().find(|(_, theirs)| *theirs == module)?;
        Some(format!("blk.{layer}.{gguf}.{parameter}"))
    }

    /// In which order the rows of a tensor lie.
    pub(crate) fn row_order(&self, name: &str, shape: &[usize], config: &Config) -> Result<RowOrder> {
        let n_heads = match split_layer_name(name) {
            Some((_, QUERY, _)) if self.interleaved => config.n_heads,
            Some((_, KEY, _)) if self.interleaved => config.n_kv_heads,
            _ => return Ok(RowOrder::AsPublished),
        };
        let n_rows = n_heads * config.head_width;
        if shape.first() != Some(&n_rows) {
            let (found, mut expected) = (shape.to_vec(), shape.to_vec());
            expected.iter_mut().take(1).for_each(|len| *len = n_rows);
            return Err(Error::TensorShape { tensor: name.to_owned(), found, expected });
        }
        Ok(RowOrder::Interleaved { head_width: config.head_width })
    }
}

/// `blk.7.attn_q.weight` is layer `7`, module `attn_q`, parameter `weight`.
fn split_layer_name(gguf: &str) -> Option<(usize, &str, &str)> {
    let (layer, rest) = gguf.strip_prefix("blk.")?.split_once('.')?;
    let (module, parameter) = rest.rsplit_once('.')?;
    // Only the canonical spelling: `blk.07` must not become a second layer 7.
    let number: usize = layer.parse().ok().filter(|number: &usize| number.to_string() == layer)?;
    Some((number, module, parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(architecture: &Architecture, gguf: &str, published: &str) {
        assert_eq!(architecture.published_name(gguf).as_deref(), Some(published));
        assert_eq!(architecture.gguf_name(published).as_deref(), Some(gguf));
    }

    fn check(gguf: &str, published: &str) {
        check_in(&LLAMA, gguf, published);
    }

    #[test]
    fn names_go_both_ways() {
        check("token_embd.weight", "model.embed_tokens.weight");
        check("output.weight", "lm_head.weight");
        check("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight");
        check("blk.12.attn_k.bias", "model.layers.12.self_attn.k_proj.bias");
        check("blk.3.ffn_norm.weight", "model.layers.3.post_attention_layernorm.weight");
    }

    #[test]
    fn names_of_gpt2_go_both_ways() {
        check_in(&GPT2, "position_embd.weight", "transformer.wpe.weight");
        check_in(&GPT2, "blk.3.attn_qkv.bias", "transformer.h.3.attn.c_attn.bias");
        check_in(&GPT2, "blk.11.ffn_down.weight", "transformer.h.11.mlp.c_proj.weight");
    }

    #[test]
    fn head_norms_are_known_where_there_are_some() {
        check_in(&QWEN3, "blk.5.attn_q_norm.weight", "model.layers.5.self_attn.q_norm.weight");
        check_in(&QWEN3, "blk.5.attn_k.weight", "model.layers.5.self_attn.k_proj.weight");
        check_in(&QWEN2, "blk.0.attn_v.bias", "model.layers.0.self_attn.v_proj.bias");
        assert_eq!(QWEN2.published_name("blk.5.attn_q_norm.weight"), None);
    }

    #[test]
    fn names_of_experts_go_both_ways() {
        check_in(&QWEN3_MOE, "blk.5.ffn_gate_exps.weight", "model.layers.5.mlp.experts.gate_proj.weight");
        check_in(&QWEN3_MOE, "blk.5.ffn_gate_inp.weight", "model.layers.5.mlp.gate.weight");
        check_in(&GPT_OSS, "blk.5.ffn_down_exps.bias", "model.layers.5.mlp.experts.down_proj.bias");
        check_in(&GPT_OSS, "blk.5.attn_sinks.weight", "model.layers.5.self_attn.sinks");
        check_in(
            &GPT_OSS,
            "blk.5.post_attention_norm.weight",
            "model.layers.5.post_attention_layernorm.weight",
        );
        check_in(&GPT_OSS, "blk.5.ffn_gate_inp.bias", "model.layers.5.mlp.router.bias");
    }

    #[test]
    fn unknown_names_stay_unknown() {
        for name in ["blk.07.attn_q.weight", "blk.0.attn_q", "blk.x.attn_q.weight", "rope_freqs.weight", ""] {
            assert_eq!(LLAMA.published_name(name), None, "{name}");
        }
    }
}
