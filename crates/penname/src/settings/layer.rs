//! Values from one place, and how places are laid over each other.

use serde_json::{Map, Value};

use super::key::Key;
use super::origin::Origin;
use super::{Error, list, yaml};

/// One value for one setting.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The setting.
    pub(crate) key: &'static Key,
    /// Its value.
    pub(crate) value: Value,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

impl Entry {
    /// The entry, if its value may stand there.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn checked(mut self) -> Result<Self, Error> {
        self.value = self.key.kind.settle(self.value);
        if self.key.kind.accepts(&self.value) {
            return Ok(self);
        }
        let (found, expected) = (self.value.to_string(), self.key.kind.expected());
        Err(Error::Value { key: self.key.name, found, place: self.origin, expected })
    }
}

/// The defaults: every setting once.
///
/// # Errors
/// None, as a test holds.
pub(crate) fn defaults() -> Result<Vec<Entry>, Error> {
    let entry = |key: &'static Key| {
        let value = yaml::value(key.default, key.name)?;
        Entry { key, value, origin: Origin::BuiltIn }.checked()
    };
    list::ALL.iter().map(entry).collect()
}

/// A whole file or recipe.
///
/// # Errors
/// When it is not YAML, names unknown settings, or gives one twice or a value it may not hold.
pub(crate) fn document(
    text: &str,
    place: &dyn Fn(u64, u64) -> Origin,
    name: &str,
) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in yaml::read(text, place, name)? {
        if entries.iter().any(|earlier| earlier.key.name == entry.key.name) {
            return Err(Error::Twice { key: entry.key.name, place: entry.origin });
        }
        entries.push(entry.checked()?);
    }
    Ok(entries)
}

/// One `--set KEY=VALUE`.
///
/// # Errors
/// As [`document`], and without an equals sign.
pub(crate) fn assignment(typed: &str) -> Result<Entry, Error> {
    let Some((name, text)) = typed.split_once('=') else {
        return Err(Error::Assignment { typed: typed.to_owned() });
    };
    flag(name.trim(), text, &format!("--set {}", name.trim()))
}

/// A setting from a flag, whose text is taken as it is where the setting is a text.
///
/// # Errors
/// As [`document`].
pub(crate) fn flag(name: &str, text: &str, flag: &str) -> Result<Entry, Error> {
    let origin = Origin::Flag(flag.to_owned());
    let Some(key) = list::find(name) else {
        let meant = list::suggest(name);
        return Err(Error::Unknown { key: name.to_owned(), place: origin, meant });
    };
    let is_text = key.kind.is_text() && !matches!(text.trim(), "" | "null" | "~");
    let value = if is_text { Value::from(text) } else { yaml::value(text, flag)? };
    Entry { key, value, origin }.checked()
}

/// Lays `above` over `below`, which holds every setting.
pub(crate) fn lay(below: &mut [Entry], above: Vec<Entry>) {
    for entry in above {
        if let Some(slot) = below.iter_mut().find(|slot| slot.key.name == entry.key.name) {
            *slot = entry;
        }
    }
}

/// The entries as one nested object.
pub(crate) fn nest(entries: &[Entry]) -> Value {
    let mut root = Map::new();
    for entry in entries {
        let mut at = &mut root;
        let mut parts = entry.key.name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), entry.value.clone());
                break;
            }
            let section = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            match section {
                Value::Object(inner) => at = inner,
                // No key is a section, as a test of the list holds.
                _ => break,
            }
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_may_stand_where_they_stand() {
        assert_eq!(defaults().unwrap().len(), list::ALL.len());
    }

    #[test]
    fn a_flag_is_text_where_the_setting_is() {
        let check =
            |typed, expected: Value| assert_eq!(assignment(typed).unwrap().value, expected, "{typed}");
        check("voice.persona=You are: X # yes", Value::from("You are: X # yes"));
        check("voice.persona=", Value::Null);
        check("voice.name=1984", Value::from("1984"));
        check("train.targets=[q_proj, v_proj]", serde_json::json!(["q_proj", "v_proj"]));
        check("train.precision=f32", Value::from("f32"));
    }

    #[test]
    fn bad_assignments_say_what_is_wrong() {
        let check = |typed, expected: &str| assert_eq!(assignment(typed).unwrap_err().to_string(), expected);
        check("train.rank", "`--set train.rank` sets nothing, expected KEY=VALUE");
        check("train.rnk=8", "unknown setting `train.rnk` (--set train.rnk)");
        check(
            "train.rank=0",
            "setting `train.rank` is 0 (--set train.rank), expected a whole number from 1 to 4096",
        );
        check(
            "train.rank=x",
            "setting `train.rank` is \"x\" (--set train.rank), expected a whole number from 1 to 4096",
        );
    }
}
