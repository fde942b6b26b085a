//! The depth of a new model: what it derives, and why.
//!
//! With `base: scratch` the defaults are those of a model that learns a language, not of one that
//! learns a voice. Sizes stay `auto` in the settings and are worked out where the model is made.

use penname_ledger::Choice;
use penname_model::fresh::Sizes;
use penname_train::dial;
use serde_json::{Value, json};

use super::layer::{self, Entry};
use super::meant::{Meant, SCRATCH};
use super::origin::Origin;
use super::{Error, list};

/// A value that follows from the sizes.
struct Derived {
    key: &'static str,
    value: Value,
    reason: String,
}

/// The settings that follow from the depth; none where the base is not a new model. `said` holds every
/// setting with what was said of it, but for the recipe.
///
/// # Errors
/// None, as a test holds.
pub(crate) fn layer(said: &[Entry], recipe: &[Entry]) -> Result<Vec<Entry>, Error> {
    let mut all = layer::defaults()?;
    layer::lay(&mut all, recipe.to_vec());
    layer::lay(&mut all, said.iter().filter(|entry| entry.origin != Origin::BuiltIn).cloned().collect());
    if super::value_of(&all, "base").and_then(Value::as_str) != Some(SCRATCH) {
        return Ok(Vec::new());
    }
    let meant: Meant =
        serde_json::from_value(layer::nest(&all)).map_err(|error| Error::Whole { why: error.to_string() })?;
    let origin = Origin::Depth(meant.model.depth as u64);
    let entry = |derived: Derived| {
        let key = list::find(derived.key)?;
        Some(Entry { key, value: derived.value, origin: origin.clone() }.checked())
    };
    derived(&meant.model.sizes()).into_iter().filter_map(entry).collect()
}

/// What became of it, said once: sizes and settings, each with its reason.
pub(crate) fn choices(entries: &[Entry], meant: &Meant) -> Vec<Choice> {
    if !meant.is_scratch() {
        return Vec::new();
    }
    let sizes = meant.model.sizes();
    let about = |derived: Derived| {
        let entry = entries.iter().find(|entry| entry.key.name == derived.key)?;
        let reason = match &entry.origin {
            Origin::Depth(depth) => format!("depth {depth}; {}", derived.reason),
            origin => format!("set by {origin}"),
        };
        Some(Choice::new(derived.key, entry.value.to_string(), reason))
    };
    shape(meant, &sizes).into_iter().chain(derived(&sizes).into_iter().filter_map(about)).collect()
}

fn shape(meant: &Meant, sizes: &Sizes) -> Vec<Choice> {
    let weights = sizes.n_weights(meant.tokenizer.size, meant.model.tied);
    let millions = format!("{:.1} million weights", weights as f64 / 1e6);
    let head = sizes.width / sizes.heads.max(1);
    let width = format!("{} wide, {} heads of {head}", sizes.width, sizes.heads);
    vec![
        Choice::new(
            "new model",
            millions,
            format!("{} layers, a vocabulary of {}", sizes.layers, meant.tokenizer.size),
        ),
        Choice::new("width", width, "48 for each layer of depth, and for a head, unless set"),
        Choice::new(
            "feed-forward",
            sizes.feed_forward,
            "eight thirds of the width, as gated ones have, unless set",
        ),
        Choice::new(
            "context",
            sizes.context,
            "the power of two below 64 for each layer of depth, unless set",
        ),
    ]
}

fn derived(sizes: &Sizes) -> Vec<Derived> {
    let step = dial::step_tokens(sizes.layers).max(sizes.context);
    let weights = sizes.n_layer_weights();
    let row = |key, value, reason: &str| Derived { key, value, reason: reason.to_owned() };
    vec![
        row("train.method", json!("full"), "there is nothing to stand beside"),
        row(
            "train.learning_rate",
            json!(dial::learning_rate(weights)),
            &format!("what {weights} weights in layers bear, by Kaplan et al. 2020"),
        ),
        row(
            "train.batch_examples",
            json!(step / sizes.context),
            &format!("about {step} tokens a step: small models learn from small steps"),
        ),
        row(
            "train.batch_tokens",
            json!(step.min(8192).max(sizes.context)),
            "a step at once, where memory allows",
        ),
        row("train.weight_decay", json!(0.1), "usual where all weights are learned from nothing"),
        row("train.beta2", json!(0.95), "usual where all weights are learned from nothing"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layers, Settings};

    fn resolved(flags: &[(&str, &str)]) -> Settings {
        let flags = flags.iter().map(|(name, text)| layer::flag(name, text, "--set").unwrap()).collect();
        Settings::resolve(Layers { file: Vec::new(), flags }).unwrap()
    }

    #[test]
    fn a_new_model_is_trained_as_one() {
        let settings = resolved(&[("base", "scratch")]);
        assert_eq!(settings.train.method, "full");
        assert_eq!((settings.train.batch_examples, settings.train.batch_tokens), (8, 2048));
        assert!((settings.train.learning_rate - 1.1e-3).abs() < 1e-9);
        assert_eq!(settings.origin("train.beta2").to_string(), "depth 6");
        assert!(settings.choices().iter().all(|choice| !choice.reason.is_empty()));
        let usual = resolved(&[]);
        assert_eq!((usual.train.method.as_str(), usual.train.batch_tokens), ("lora", 1024));
        assert!(!usual.choices().iter().any(|choice| choice.what == "new model"));
    }

    #[test]
    fn a_person_s_own_numbers_stand_above_the_dial() {
        let settings =
            resolved(&[("base", "scratch"), ("model.depth", "12"), ("train.learning_rate", "5e-4")]);
        assert!((settings.train.learning_rate - 5e-4).abs() < 1e-12);
        assert_eq!(settings.train.batch_examples, 16, "8192 tokens in sequences of 512");
        let rate =
            settings.choices().into_iter().find(|choice| choice.what == "train.learning_rate").unwrap();
        assert_eq!(rate.reason, "set by --set");
    }

    #[test]
    fn every_depth_may_stand_where_it_stands() {
        for depth in [1, 2, 3, 6, 8, 16, 48, 512] {
            resolved(&[("base", "scratch"), ("model.depth", &depth.to_string())]);
        }
    }
}
