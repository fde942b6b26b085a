//! `adapter_config.json`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::fields::Fields;

/// The version of PEFT whose layout is written.
const PEFT_VERSION: &str = "0.17.0";

/// Fields that change nothing: they choose where an adapter is attached, which its tensors tell as
/// well, or how it was begun, trained or converted.
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
];

/// Exceptions to a setting, by module: a name matches a module path that is the name or ends with a
/// dot and the name. The first match counts.
pub type Patterns<T> = Vec<(String, T)>;

/// What an adapter is, apart from its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// The model it belongs to: a name on a model hub or a path.
    pub base_model: Option<String>,
    /// Which version of that model.
    pub revision: Option<String>,
    /// R, where [`AdapterConfig::rank_pattern`] has no exception.
    pub rank: usize,
    /// The numerator of the scale, where [`AdapterConfig::alpha_pattern`] has no exception.
    pub alpha: f64,
    /// Share of the inputs dropped while training.
    pub dropout: f64,
    /// The modules it changes: full paths, or their last parts. Empty when the file does not say.
    pub target_modules: BTreeSet<String>,
    /// The parameters of experts it changes, like `mlp.experts.down_proj`: full paths, or their last parts.
    pub target_parameters: BTreeSet<String>,
    /// Whether the scale is alpha/√R instead of alpha/R.
    pub use_rslora: bool,
    /// Whether the length of each row of a weight is trained beside its direction.
    pub use_dora: bool,
    /// Whether the base stores these weights as (in, out). The pair is (R, in) and (out, R) anyway.
    pub fan_in_fan_out: bool,
    /// Exceptions to the rank.
    pub rank_pattern: Patterns<usize>,
    /// Exceptions to alpha.
    pub alpha_pattern: Patterns<f64>,
}

impl AdapterConfig {
    /// An adapter of this rank and alpha on these modules: plain LoRA without dropout.
    pub fn new(rank: usize, alpha: f64, target_modules: impl IntoIterator<Item = String>) -> AdapterConfig {
        AdapterConfig {
            base_model: None,
            revision: None,
            rank,
            alpha,
            dropout: 0.0,
            target_modules: target_modules.into_iter().collect(),
            target_parameters: BTreeSet::new(),
            use_rslora: false,
            use_dora: false,
            fan_in_fan_out: false,
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
        }
    }

    /// R of the pair at a module path.
    pub fn rank_for(&self, module: &str) -> usize {
        exception(&self.rank_pattern, module).unwrap_or(self.rank)
    }

    /// What the product of the pair at a module path is multiplied by.
    ///
    /// # Source
    ///
    /// alpha/R: Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021, arXiv
    /// 2106.09685, section 4.1. alpha/√R: Kalajdzievski, *A Rank Stabilization Scaling Factor for
    /// Fine-Tuning with LoRA*, 2023, arXiv 2312.03732.
    pub fn scale_for(&self, module: &str) -> f64 {
        let alpha = exception(&self.alpha_pattern, module).unwrap_or(self.alpha);
        let rank = self.rank_for(module) as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }

    /// Whether a module path is among the targets.
    pub fn targets(&self, module: &str) -> bool {
        self.target_modules.iter().any(|target| matches(target, module))
    }

    /// Whether the parameter of experts at a path is among the targets.
    pub fn targets_parameter(&self, parameter: &str) -> bool {
        self.target_parameters.iter().any(|target| matches(target, parameter))
    }

    /// Reads an `adapter_config.json`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or [`AdapterConfig::from_json`] refuses it.
    pub fn read(path: &Path) -> Result<AdapterConfig> {
        AdapterConfig::from_json(crate::json::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Understands the contents of an `adapter_config.json`.
    ///
    /// # Errors
    ///
    /// When it is not LoRA (plain, rank-stabilised or DoRA) for text generation, or holds a field that is
    /// not known.
    pub fn from_json(object: Map<String, Value>) -> Result<AdapterConfig> {
        let mut fields = Fields::new(object);
        check_fixed(&mut fields)?;
        let config = AdapterConfig {
            base_model: fields.text("base_model_name_or_path")?,
            revision: fields.text("revision")?,
            rank: fields.required_count("r")?,
            alpha: fields.required_real("lora_alpha")?,
            dropout: fields.real("lora_dropout")?.unwrap_or(0.0),
            target_modules: fields.texts("target_modules")?.unwrap_or_default().into_iter().collect(),
            target_parameters: fields.texts("target_parameters")?.unwrap_or_default().into_iter().collect(),
            use_rslora: fields.flag("use_rslora")?.unwrap_or(false),
            use_dora: fields.flag("use_dora")?.unwrap_or(false),
            fan_in_fan_out: fields.flag("fan_in_fan_out")?.unwrap_or(false),
            rank_pattern: read_pattern(&mut fields, "rank_pattern", Fields::count)?,
            alpha_pattern: read_pattern(&mut fields, "alpha_pattern", Fields::real)?,
        };
        fields.finish(HARMLESS)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses numbers that make no adapter.
    pub(crate) fn check(&self) -> Result<()> {
        let ranks = self.rank_pattern.iter().map(|(_, rank)| rank).chain([&self.rank]);
        for rank in ranks {
            if !(1..=i32::MAX as usize).contains(rank) {
                return Err(refuse("r", rank, "1 to 2147483647"));
            }
        }
        let alphas = self.alpha_pattern.iter().map(|(_, alpha)| alpha).chain([&self.alpha]);
        for alpha in alphas {
            if !alpha.is_finite() {
                return Err(refuse("lora_alpha", alpha, "a finite number"));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(refuse("lora_dropout", self.dropout, "at least 0 and less than 1"));
        }
        if self.use_dora && !self.target_parameters.is_empty() {
            return Err(refuse("use_dora", true, "false beside target_parameters, as PEFT has it"));
        }
        if self.dropout > 0.0 && !self.target_parameters.is_empty() {
            return Err(refuse("lora_dropout", self.dropout, "0 beside target_parameters, as PEFT has it"));
        }
        Ok(())
    }

    /// The contents of an `adapter_config.json`, ready for inference.
    pub fn to_json(&self) -> Value {
        let ranks: Map<_, _> =
            self.rank_pattern.iter().map(|(name, rank)| (name.clone(), json!(rank))).collect();
        let alphas: Map<_, _> =
            self.alpha_pattern.iter().map(|(name, x)| (name.clone(), number(*x))).collect();
        let mut json = json!({
            "alpha_pattern": alphas,
            "base_model_name_or_path": self.base_model,
            "bias": "none",
            "fan_in_fan_out": self.fan_in_fan_out,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": number(self.alpha),
            "lora_dropout": self.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "peft_version": PEFT_VERSION,
            "r": self.rank,
            "rank_pattern": ranks,
            "revision": self.revision,
            "target_modules": self.target_modules,
            "task_type": "CAUSAL_LM",
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora,
        });
        // Readers older than the field need not see it where it says nothing.
        if !self.target_parameters.is_empty() {
            json["target_parameters"] = json!(self.target_parameters);
        }
        json
    }
}

/// Alpha is a whole number nearly always, and readers expect one to look like one.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < 1e9 { json!(x as i64) } else { json!(x) }
}

/// Fields that would change what is computed, and the values at which they do not.
fn check_fixed(fields: &mut Fields) -> Result<()> {
    let peft_type = fields.text("peft_type")?.ok_or_else(|| fields.missing("peft_type"))?;
    if peft_type != "LORA" {
        return Err(fields.unsupported("peft_type", &json!(peft_type), "\"LORA\""));
    }
    fields.only("task_type", &[json!("CAUSAL_LM")])?;
    fields.only("bias", &[json!("none")])?;
    for field in ["ensure_weight_tying", "lora_bias", "use_bdlora", "use_qalora"] {
        fields.only(field, &[json!(false)])?;
    }
    for field in ["layer_replication", "modules_to_save", "trainable_token_indices"] {
        fields.only(field, &[json!([])])?;
    }
    for field in CONFIGS_OF_VARIANTS {
        fields.only(field, &[json!({})])?;
    }
    // Other ways to begin take something out of the base, which is then not the published one.
    let begun = [json!(true), json!(false), json!("gaussian"), json!("orthogonal"), json!("eva")];
    fields.only("init_lora_weights", &begun)
}

const CONFIGS_OF_VARIANTS: &[&str] = &[
    "alora_invocation_tokens",
    "arrow_config",
    "corda_config",
    "kasa_config",
    "loftq_config",
    "lora_ga_config",
    "megatron_config",
    "monteclora_config",
    "velora_config",
];

/// Reads a pattern. PEFT takes the names as regular expressions; only names that mean themselves
/// are understood here.
fn read_pattern<T>(
    fields: &mut Fields,
    field: &str,
    read: impl Fn(&mut Fields, &str) -> Result<Option<T>>,
) -> Result<Patterns<T>> {
    let Some(mut object) = fields.object(field)? else { return Ok(Vec::new()) };
    let mut pattern = Vec::new();
    for name in object.names() {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let literal = name.strip_prefix('^').unwrap_or(&name);
        if literal.is_empty() || !literal.chars().all(plain) {
            return Err(fields.unsupported(field, &json!(name), "names of modules, not regular expressions"));
        }
        pattern.extend(read(&mut object, &name)?.map(|value| (name.clone(), value)));
    }
    Ok(pattern)
}

fn exception<T: Copy>(pattern: &Patterns<T>, module: &str) -> Option<T> {
    pattern.iter().find(|(name, _)| matches(name, module)).map(|(_, value)| *value)
}

/// Whether a name stands for a module path. A leading `^` ties it to the beginning.
fn matches(name: &str, module: &str) -> bool {
    match name.strip_prefix('^') {
        Some(whole) => whole == module,
        None => module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.')),
    }
}

fn refuse(field: &str, found: impl ToString, expected: &str) -> Error {
    Error::FieldUnsupported {
        field: field.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    }
}
