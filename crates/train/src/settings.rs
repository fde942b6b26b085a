//! What a run is asked to do, with every value resolved.

use crate::error::{Error, Result};
use penname_model::adapter::Trainable;
use penname_model::peft::AdapterConfig;
use penname_model::{Architecture, Config, Keeping, Method, Quantizer, Residence};
use serde::{Deserialize, Serialize};

/// Which weights are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Low-rank pairs beside frozen weights.
    Lora,
    /// The weights themselves.
    Full,
}

/// The shape of the learning rate after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Half a cosine down to a tenth.
    Cosine,
    /// A straight line down to zero.
    Linear,
    /// No change.
    Constant,
}

/// What of the text is learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learn {
    /// Answers, each with its end.
    #[default]
    Answers,
    /// Everything, from the beginning of each text to its end.
    Text,
}

/// What training begins from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A model that knows the language.
    #[default]
    Base,
    /// A small model that was made from nothing and knows what it has read.
    Small,
    /// A model that knows nothing: its weights were just drawn.
    Scratch,
}

/// What large products round their inputs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// bf16 inputs, f32 sums.
    Bf16,
    /// f32 throughout.
    F32,
}

/// How frozen weights are kept in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// Quantized ones as their file has them, others rounded.
    #[default]
    Stored,
    /// Rounded.
    Rounded,
    /// Linears as NF4 with doubled scales.
    Nf4,
    /// Linears as Q8_0.
    #[serde(rename = "q8_0")]
    Q8,
    /// Linears as Q4_0.
    #[serde(rename = "q4_0")]
    Q4,
    /// Linears in bytes, and what they are multiplied with too, while training lasts.
    Int8,
}

impl Base {
    /// How the voice is used afterwards: bytes are there to train sooner, and a base that is not rounded
    /// is as close to the one that was trained beside as can be.
    pub fn in_use(self) -> Self {
        if self == Self::Int8 { Self::Stored } else { self }
    }
}

impl From<Base> for Keeping {
    fn from(base: Base) -> Self {
        match base {
            Base::Stored => Self::Stored,
            Base::Rounded => Self::Rounded,
            Base::Nf4 => Self::Quantized(Quantizer::Nf4),
            Base::Q8 => Self::Quantized(Quantizer::Q8_0),
            Base::Q4 => Self::Quantized(Quantizer::Q4_0),
            Base::Int8 => Self::Int8,
        }
    }
}

/// What turns gradients into weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Optimizer {
    /// AdamW with its moments in f32.
    #[default]
    #[serde(rename = "adamw")]
    AdamW,
    /// The same with the moments of all but small weights in a byte each.
    #[serde(rename = "adamw_8bit")]
    AdamW8,
}

/// How a run trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What of the text is learned.
    #[serde(default)]
    pub learn: Learn,
    /// What training begins from.
    #[serde(default)]
    pub from: Origin,
    /// Which weights are changed.
    pub method: Way,
    /// Rank of the low-rank pairs.
    pub rank: usize,
    /// Numerator of their scale.
    pub alpha: f64,
    /// Share of their inputs dropped.
    pub dropout: f64,
    /// Scale α/√R instead of α/R.
    pub rslora: bool,
    /// Train the lengths of rows beside their directions.
    pub dora: bool,
    /// How many times as fast as A the half B learns.
    pub lora_plus: f64,
    /// Linears that get a pair, by path or its last part; with full training, patterns of parameters.
    pub targets: Vec<String>,
    /// What turns gradients into weights.
    pub optimizer: Optimizer,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Share of the steps over which the rate rises from zero.
    pub warmup: f64,
    /// How it falls afterwards.
    pub schedule: Shape,
    /// Optimizer steps.
    pub steps: u64,
    /// Sequences in one optimizer step.
    pub batch_examples: usize,
    /// Rows of a micro-batch: no sequence may be longer.
    pub batch_tokens: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// What is not decayed: `norms`, `biases`, `magnitudes`, `embeddings`, or patterns of parameters.
    pub no_decay: Vec<String>,
    /// Largest noise on embeddings while training, times √(L · D); zero is none.
    pub neftune: f64,
    /// Decay of the running average of the weights that is measured and kept; zero keeps the weights.
    pub ema: f64,
    /// Norm to which the gradient is clipped; zero never clips.
    pub clip: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Evaluations without improvement after which training stops; zero never stops.
    pub patience: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Rounding of products.
    pub precision: Rounding,
    /// How frozen weights are kept.
    pub base: Base,
    /// Where they are kept. Nothing that is computed depends on it, so it is no part of what a run is
    /// made from.
    #[serde(skip)]
    pub residence: Residence,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learn: Learn::Answers,
            from: Origin::Base,
            method: Way::Lora,
            rank: 16,
            alpha: 32.0,
            dropout: 0.0,
            rslora: false,
            dora: false,
            lora_plus: 1.0,
            targets: Vec::new(),
            optimizer: Optimizer::AdamW,
            learning_rate: 2e-4,
            warmup: 0.05,
            schedule: Shape::Cosine,
            steps: 100,
            batch_examples: 8,
            batch_tokens: 1024,
            weight_decay: 0.0,
            no_decay: ["norms", "biases", "magnitudes"].map(str::to_owned).into(),
            neftune: 0.0,
            ema: 0.0,
            clip: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            evaluate_every: 10,
            patience: 4,
            checkpoint_every: 25,
            precision: Rounding::Bf16,
            base: Base::Stored,
            residence: Residence::Memory,
        }
    }
}

/// What may be asked for beside linears: `experts` for all matrices of experts, or one kind of them.
const EXPERTS: [(&str, &str); 4] = [
    ("experts", "mlp.experts.gate_up_proj"),
    ("experts", "mlp.experts.down_proj"),
    ("experts.gate_up_proj", "mlp.experts.gate_up_proj"),
    ("experts.down_proj", "mlp.experts.down_proj"),
];

impl Settings {
    /// Where gradients go.
    ///
    /// # Errors
    /// When the architecture is not known.
    pub fn method(&self, base: &str, config: &Config) -> Result<Method> {
        let architecture = Architecture::find(&config.model_type)?;
        Ok(self.method_for(base, architecture))
    }

    fn method_for(&self, base: &str, architecture: &Architecture) -> Method {
        match self.method {
            Way::Full => Method::Full(Trainable { patterns: self.targets.clone() }),
            Way::Lora => {
                let all = architecture.linears.iter().map(|name| (*name).to_owned());
                let targets: Vec<String> =
                    if self.targets.is_empty() { all.collect() } else { self.targets.clone() };
                // Matrices of experts are parameters, not modules.
                let is_module = |target: &String| !EXPERTS.iter().any(|(name, _)| name == target);
                let (modules, experts): (Vec<_>, Vec<_>) = targets.into_iter().partition(is_module);
                let mut config = AdapterConfig::new(self.rank, self.alpha, modules);
                let parameters = EXPERTS.iter().filter(|(name, _)| experts.iter().any(|of| of == name));
                config.target_parameters = parameters.map(|(_, path)| (*path).to_owned()).collect();
                config.base_model = Some(base.to_owned());
                config.dropout = self.dropout;
                config.use_rslora = self.rslora;
                config.use_dora = self.dora;
                config.fan_in_fan_out = architecture.fan_in_fan_out;
                Method::LowRank(config)
            }
        }
    }

    /// Bytes serve frozen matrices in memory that nobody asks the length of.
    fn check_int8(&self) -> Result<()> {
        let beside = [
            (self.method == Way::Full, "`train.method: full`, which trains the weights themselves"),
            (self.dora, "`train.dora`, which measures the rows of the base"),
            (self.residence == Residence::Disk, "`train.base_place: disk`"),
        ];
        match beside.into_iter().find(|(is_set, _)| *is_set && self.base == Base::Int8) {
            Some((_, beside)) => {
                let found = "int8".to_owned();
                Err(Error::NotTogether { name: "base_weights", found, beside })
            }
            None => Ok(()),
        }
    }

    /// Refuses values with which no run can end well.
    ///
    /// # Errors
    /// The first setting out of range, by name.
    pub fn check(&self) -> Result<()> {
        let in_range = |name, value: f64, range: std::ops::RangeInclusive<f64>| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(Error::Setting { name, found: value, low: *range.start(), high: *range.end() })
        };
        in_range("steps", self.steps as f64, 1.0..=1e9)?;
        in_range("batch_examples", self.batch_examples as f64, 1.0..=1e6)?;
        in_range("batch_tokens", self.batch_tokens as f64, 2.0..=4e6)?;
        in_range("evaluate_every", self.evaluate_every as f64, 1.0..=1e9)?;
        in_range("checkpoint_every", self.checkpoint_every as f64, 1.0..=1e9)?;
        in_range("rank", self.rank as f64, 1.0..=4096.0)?;
        in_range("alpha", self.alpha, 1e-6..=1e6)?;
        // What PEFT refuses for a pair of experts cannot be read back by it either.
        let has_experts = self.targets.iter().any(|target| EXPERTS.iter().any(|(name, _)| name == target));
        in_range("dropout", self.dropout, 0.0..=if has_experts { 0.0 } else { 0.95 })?;
        in_range("dora", f64::from(u8::from(self.dora)), 0.0..=if has_experts { 0.0 } else { 1.0 })?;
        // Weights that are trained are written in every step.
        let on_disk = self.method == Way::Full && self.residence == Residence::Disk;
        in_range("base_place", f64::from(u8::from(on_disk)), 0.0..=0.0)?;
        self.check_int8()?;
        in_range("learning_rate", self.learning_rate, 1e-9..=1.0)?;
        in_range("warmup", self.warmup, 0.0..=1.0)?;
        in_range("weight_decay", self.weight_decay, 0.0..=1.0)?;
        in_range("lora_plus", self.lora_plus, 1e-3..=1e3)?;
        in_range("neftune", self.neftune, 0.0..=1e3)?;
        in_range("ema", self.ema, 0.0..=0.999_999)?;
        in_range("clip", self.clip, 0.0..=1e6)?;
        in_range("beta1", self.beta1, 0.0..=0.99999)?;
        in_range("beta2", self.beta2, 0.0..=0.999_999)
    }
}
