//! What was meant, and where each value comes from.
//!
//! Places are laid over each other, the later the stronger:
//!
//! ```text
//! built-in < effort < depth of a new model < recipe < penname.yaml < flag
//! ```
//!
//! The environment gives secrets and paths only; see [`environment`]. [`list::ALL`] is the one list
//! of settings. [`Settings::resolve`] is the whole of it on one page.

mod depth;
mod effort;
pub(crate) mod environment;
mod error;
mod key;
pub(crate) mod layer;
pub(crate) mod list;
pub(crate) mod meant;
mod name;
mod origin;
pub(crate) mod recipe;
mod yaml;

use std::path::Path;

pub(crate) use error::Error;
pub(crate) use layer::Entry;
pub(crate) use meant::Meant;
pub(crate) use origin::Origin;
use penname_corpus::ask::Provider;
use penname_ledger::Choice;
use serde_json::Value;

/// What the places said, before they are laid over each other.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// `penname.yaml`.
    pub(crate) file: Vec<Entry>,
    /// Flags, in the order they were typed.
    pub(crate) flags: Vec<Entry>,
}

/// Every setting, resolved.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    entries: Vec<Entry>,
    meant: Meant,
}

impl std::ops::Deref for Settings {
    type Target = Meant;

    fn deref(&self) -> &Meant {
        &self.meant
    }
}

impl Settings {
    /// Lays the places over each other.
    ///
    /// # Errors
    /// An unknown recipe, or settings that contradict each other.
    pub(crate) fn resolve(layers: Layers) -> Result<Self, Error> {
        let mut said = layer::defaults()?;
        layer::lay(&mut said, layers.file.clone());
        layer::lay(&mut said, layers.flags.clone());
        let word = |name: &str| value_of(&said, name).and_then(Value::as_str).map(str::to_owned);

        let mut entries = layer::defaults()?;
        let recipe =
            word("recipe").map(|name| recipe::find(&name)?.entries()).transpose()?.unwrap_or_default();
        layer::lay(&mut entries, effort::layer(&word("effort").unwrap_or_default())?);
        layer::lay(&mut entries, depth::layer(&said, &recipe)?);
        layer::lay(&mut entries, recipe);
        layer::lay(&mut entries, layers.file);
        layer::lay(&mut entries, layers.flags);
        Self::of(entries)
    }

    fn of(entries: Vec<Entry>) -> Result<Self, Error> {
        let meant = serde_json::from_value(layer::nest(&entries));
        let mut meant: Meant = meant.map_err(|error| Error::Whole { why: error.to_string() })?;
        // One persona, wherever a system turn is needed.
        meant.corpus.persona.clone_from(&meant.voice.persona);
        // A model of our own that writes questions is the base, unless another one is named.
        if meant.corpus.ask.provider == Some(Provider::Local) && meant.corpus.ask.model.is_none() {
            meant.corpus.ask.model = Some(meant.base.clone());
        }
        meant.corpus.check().map_err(|refusal| placed(refusal, &entries))?;
        Ok(Self { entries, meant })
    }

    /// The same with one value changed by a flag of a command.
    ///
    /// # Errors
    /// When it cannot stand there.
    pub(crate) fn with(&self, name: &str, text: &str, flag: &str) -> Result<Self, Error> {
        let mut entries = self.entries.clone();
        layer::lay(&mut entries, vec![layer::flag(name, text, flag)?]);
        Self::of(entries)
    }

    /// Every setting with its value and origin, in the order of the list.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the value of a setting comes from.
    pub(crate) fn origin(&self, name: &str) -> &Origin {
        self.entries
            .iter()
            .find(|entry| entry.key.name == name)
            .map_or(&Origin::BuiltIn, |entry| &entry.origin)
    }

    /// What the dials derived, and why.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let mut choices = effort::choices(&self.entries);
        choices.extend(depth::choices(&self.entries, &self.meant));
        choices
    }

    /// Values and origins, for the books of a run.
    pub(crate) fn record(&self) -> Value {
        let row = |entry: &Entry| {
            let row = serde_json::json!({ "value": entry.value, "origin": entry.origin.to_string() });
            (entry.key.name.to_owned(), row)
        };
        Value::Object(self.entries.iter().map(row).collect())
    }
}

/// A refusal of the corpus, with the place the value comes from.
fn placed(refusal: penname_corpus::Error, entries: &[Entry]) -> Error {
    use penname_corpus::Error as E;
    let (setting, found, expected) = match &refusal {
        E::UnknownName { setting, found, expected } => {
            (setting, format!("`{found}`"), format!("one of {expected}"))
        }
        E::OutOfRange { setting, found, expected } => (setting, found.to_string(), (*expected).to_owned()),
        _ => return Error::Corpus(refusal),
    };
    let full = format!("corpus.{setting}");
    match entries.iter().find(|entry| entry.key.name == full) {
        Some(entry) => Error::Value { key: entry.key.name, found, place: entry.origin.clone(), expected },
        None => Error::Corpus(refusal),
    }
}

fn value_of<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Value> {
    entries.iter().find(|entry| entry.key.name == name).map(|entry| &entry.value)
}

/// Reads `penname.yaml`. Windows editors begin files with a mark that is no part of the text.
///
/// # Errors
/// When it cannot be read, or is not what it should be.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Entry>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let place = |line, column| Origin::File { name: name.clone(), line, column };
    layer::document(text.trim_start_matches('\u{feff}'), &place, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(file: &str, flags: &[&str]) -> Settings {
        let place = |line, column| Origin::File { name: "penname.yaml".into(), line, column };
        let file = layer::document(file, &place, "penname.yaml").unwrap();
        let flags = flags.iter().map(|typed| layer::assignment(typed).unwrap()).collect();
        Settings::resolve(Layers { file, flags }).unwrap()
    }

    #[test]
    fn the_list_and_the_types_agree() {
        let settings = resolve("", &[]);
        assert_eq!(settings.corpus, penname_corpus::Settings::default());
        // Every field of the types is in the list: nothing is filled in by a default of its own.
        let typed = serde_json::to_value(&*settings).unwrap();
        let mut listed = layer::nest(settings.entries());
        listed["corpus"]["persona"] = Value::Null;
        assert_eq!(shape(&typed), shape(&listed));
    }

    /// The dotted names of all leaves.
    fn shape(value: &Value) -> std::collections::BTreeSet<String> {
        fn walk(path: &str, value: &Value, into: &mut std::collections::BTreeSet<String>) {
            match value.as_object().filter(|map| !map.is_empty()) {
                Some(map) => {
                    map.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, into))
                }
                None => {
                    into.insert(path.to_owned());
                }
            }
        }
        let mut names = Default::default();
        walk("", value, &mut names);
        names
    }

    #[test]
    fn the_stronger_place_wins() {
        let settings = resolve("recipe: blog\neffort: quick\ntrain: {rank: 4, alpha: 8}", &["train.rank=2"]);
        assert_eq!(settings.train.rank, 2);
        assert_eq!(settings.train.alpha, 8.0);
        assert_eq!(settings.origin("train.rank").to_string(), "--set train.rank");
        assert_eq!(settings.origin("train.alpha").to_string(), "penname.yaml:3:25");
        assert_eq!(settings.origin("train.epochs").to_string(), "effort quick");
        assert_eq!(settings.origin("corpus.compose.post_prompt").to_string(), "recipe blog");
        assert_eq!(settings.origin("train.clip").to_string(), "built-in");
    }

    #[test]
    fn the_dial_leaves_alone_what_a_person_said() {
        let settings = resolve("effort: thorough\ntrain: {epochs: 2}", &[]);
        assert_eq!(settings.train.epochs, 2.0);
        let choices = settings.choices();
        assert_eq!(choices[0].reason, "set by penname.yaml:2:17, so effort thorough leaves it alone");
        assert_eq!(choices[1].value, "64");
    }

    #[test]
    fn one_persona_reaches_the_corpus() {
        let settings = resolve("voice: {persona: You are X}", &[]);
        assert_eq!(settings.corpus.persona.as_deref(), Some("You are X"));
    }
}
