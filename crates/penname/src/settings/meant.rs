//! What was meant, with types: the form in which commands read settings.

use penname_ledger::Seed;
use penname_model::fresh::{Sizes, Wanted};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The word that stands for a new model where a base is named.
pub(crate) const SCRATCH: &str = "scratch";

/// Every setting with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meant {
    /// Starting values for a sort of writing.
    pub(crate) recipe: Option<String>,
    /// The model to start from.
    pub(crate) base: String,
    /// A built-in template or a file.
    pub(crate) template: Option<String>,
    /// Where all chance begins.
    pub(crate) seed: Seed,
    /// The dial.
    pub(crate) effort: Effort,
    /// Whose voice it is.
    pub(crate) voice: Voice,
    /// How text becomes ids.
    pub(crate) tokenizer: Tokenizer,
    /// What a new model looks like.
    pub(crate) model: Model,
    /// How writing is prepared.
    pub(crate) corpus: penname_corpus::Settings,
    /// How weights are changed.
    pub(crate) train: Train,
    /// How replies are written.
    pub(crate) write: Write,
    /// How the voice is measured.
    pub(crate) evaluate: Evaluate,
}

impl Meant {
    /// Whether the model is new.
    pub(crate) fn is_scratch(&self) -> bool {
        self.base == SCRATCH
    }
}

/// How much time to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    /// See whether it works.
    Quick,
    /// A voice.
    Normal,
    /// The best voice this machine makes.
    Thorough,
}

/// Whose voice it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Voice {
    /// Its name.
    pub(crate) name: Option<String>,
    /// A system prompt.
    pub(crate) persona: Option<String>,
    /// Whether there is room for thoughts before an answer.
    pub(crate) thinking: bool,
}

/// How text becomes ids. Each field is described in the list of settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokenizer {
    pub(crate) file: Option<String>,
    pub(crate) kind: String,
    pub(crate) size: usize,
}

/// What a new model looks like. Each field is described in the list of settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) depth: usize,
    pub(crate) width: Auto<usize>,
    pub(crate) heads: Auto<usize>,
    pub(crate) kv_heads: Auto<usize>,
    pub(crate) feed_forward: Auto<usize>,
    pub(crate) context: Auto<usize>,
    pub(crate) tied: bool,
}

impl Model {
    /// The sizes of the model that is meant.
    pub(crate) fn sizes(&self) -> Sizes {
        let is = |value: Auto<usize>| match value {
            Auto::Is(value) => Some(value),
            Auto::Auto => None,
        };
        Sizes::of(&Wanted {
            depth: self.depth,
            width: is(self.width),
            heads: is(self.heads),
            kv_heads: is(self.kv_heads),
            feed_forward: is(self.feed_forward),
            context: is(self.context),
        })
    }
}

/// How weights are changed; the words and numbers of `penname_train::Settings` before what is
/// automatic is decided. Each field is described in the list of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Train {
    pub(crate) method: String,
    pub(crate) learn: Auto<String>,
    pub(crate) shards: Vec<String>,
    pub(crate) rank: usize,
    pub(crate) alpha: f64,
    pub(crate) dropout: f64,
    pub(crate) rslora: bool,
    pub(crate) dora: bool,
    pub(crate) lora_plus: f64,
    pub(crate) targets: Vec<String>,
    pub(crate) optimizer: String,
    pub(crate) learning_rate: f64,
    pub(crate) epochs: f64,
    pub(crate) steps: Option<u64>,
    pub(crate) batch_examples: usize,
    pub(crate) batch_tokens: usize,
    pub(crate) warmup: f64,
    pub(crate) schedule: String,
    pub(crate) weight_decay: f64,
    pub(crate) no_decay: Vec<String>,
    pub(crate) neftune: f64,
    pub(crate) ema: f64,
    pub(crate) clip: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) precision: Auto<String>,
    pub(crate) base_weights: Auto<String>,
    pub(crate) base_place: String,
    pub(crate) evaluate_every: Auto<u64>,
    pub(crate) patience: u64,
    pub(crate) checkpoint_every: Auto<u64>,
}

/// How replies are written. Each field is described in the list of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    pub(crate) temperature: Auto<f32>,
    pub(crate) top_k: Auto<usize>,
    pub(crate) top_p: Auto<f32>,
    pub(crate) min_p: f32,
    pub(crate) repetition_penalty: f32,
    pub(crate) max_tokens: usize,
}

/// How the voice is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluate {
    /// Held-out prompts that are answered.
    pub(crate) questions: usize,
}

/// A value, or the wish that it be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Auto<T> {
    /// Chosen by the program, which then says what and why.
    #[serde(serialize_with = "auto")]
    Auto,
    /// Chosen by the person.
    Is(T),
}

impl<T> Auto<T> {
    /// What the person chose, or what was chosen for them.
    pub(crate) fn or(self, otherwise: T) -> T {
        match self {
            Self::Is(value) => value,
            Self::Auto => otherwise,
        }
    }
}

fn auto<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("auto")
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "auto" => Ok(Self::Auto),
            value => serde_json::from_value(value).map(Self::Is).map_err(D::Error::custom),
        }
    }
}
