//! A mixture of experts in the place of a feed-forward part, as `config.json` tells of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{MOST_LAYERS, refuse};
use crate::error::Result;
use crate::fields::Fields;

/// Experts that stand in the place of a feed-forward part.
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    /// X: how many there are in a layer.
    pub count: usize,
    /// k: how many of them a token goes to.
    pub per_token: usize,
    /// F: width inside one.
    pub width: usize,
    /// Whether the weights of those a token goes to sum to one.
    pub renormalised: bool,
    /// Layers with an ordinary feed-forward part.
    pub dense: Vec<usize>,
    /// How gates are clamped, if they are.
    pub clamp: Option<Clamp>,
}

/// The constants of a clamped gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp {
    /// How steep its sigmoid is.
    pub alpha: f64,
    /// The most that gate and up count for.
    pub limit: f64,
}

impl Experts {
    /// Whether a layer has them.
    pub fn are_in(&self, layer: usize) -> bool {
        !self.dense.contains(&layer)
    }

    /// Refuses numbers that no model can have.
    pub(super) fn check(&self, n_layers: usize) -> Result<()> {
        for (field, count) in [("number of experts", self.count), ("width of an expert", self.width)] {
            if count == 0 || count > i32::MAX as usize {
                return Err(refuse(field, count, "1 to 2147483647"));
            }
        }
        if !(1..=self.count).contains(&self.per_token) {
            return Err(refuse("experts a token", self.per_token, &format!("1 to {}", self.count)));
        }
        if let Some(layer) = self.dense.iter().find(|layer| **layer >= n_layers) {
            return Err(refuse("layer without experts", layer, &format!("less than {n_layers}")));
        }
        match self.clamp {
            Some(Clamp { alpha, limit }) if !(alpha.is_finite() && limit.is_finite() && limit > 0.0) => {
                Err(refuse("limit of the experts' gates", limit, "a positive number"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads the fields of Qwen3-MoE.
pub(super) fn read_qwen3(fields: &mut Fields, n_layers: usize) -> Result<Experts> {
    check_balance(fields)?;
    let step = fields.count("decoder_sparse_step")?.unwrap_or(1);
    if step == 0 {
        return Err(fields.unsupported("decoder_sparse_step", &json!(0), "at least 1"));
    }
    let said: BTreeSet<usize> = fields.counts("mlp_only_layers")?.unwrap_or_default().into_iter().collect();
    let is_dense = |layer: &usize| said.contains(layer) || !(layer + 1).is_multiple_of(step);
    Ok(Experts {
        count: fields.count("num_experts")?.unwrap_or(128),
        per_token: fields.count("num_experts_per_tok")?.unwrap_or(8),
        width: fields.required_count("moe_intermediate_size")?,
        renormalised: fields.flag("norm_topk_prob")?.unwrap_or(false),
        // No more than `checked` will allow: the number is what a file says.
        dense: (0..n_layers.min(MOST_LAYERS)).filter(is_dense).collect(),
        clamp: None,
    })
}

/// A loss for the balance of the router would change what is trained; its coefficient alone does not.
pub(super) fn check_balance(fields: &mut Fields) -> Result<()> {
    fields.only("output_router_logits", &[json!(false)])?;
    fields.real("router_aux_loss_coef").map(|_| ())
}

/// Writes the fields of Qwen3-MoE.
pub(super) fn write_qwen3(experts: &Experts, json: &mut Value) {
    json["num_experts"] = json!(experts.count);
    json["num_experts_per_tok"] = json!(experts.per_token);
    json["moe_intermediate_size"] = json!(experts.width);
    json["norm_topk_prob"] = json!(experts.renormalised);
    json["decoder_sparse_step"] = json!(1);
    json["mlp_only_layers"] = json!(experts.dense);
}
