//! A JSON object read strictly: each field is asked for by name and type, and what nobody asked
//! for must be known to be harmless.
//!
//! A setting that is ignored because nobody knew it is how a model comes out subtly wrong. `null`
//! counts as absent, for known and unknown fields alike: it says nothing.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The fields not yet asked for.
#[derive(Debug)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    /// Names of fields that were there and said nothing.
    nulls: Vec<String>,
    /// Put before names in errors: `rope_scaling.` inside that object.
    prefix: String,
}

impl Fields {
    pub(crate) fn new(values: Map<String, Value>) -> Fields {
        let (nulls, values): (Vec<_>, Vec<_>) = values.into_iter().partition(|(_, value)| value.is_null());
        let nulls = nulls.into_iter().map(|(name, _)| name).collect();
        Fields { values: values.into_iter().collect(), nulls, prefix: String::new() }
    }

    /// Whether a field was there with `null`, where that says something else than no field.
    pub(crate) fn says_null(&self, name: &str) -> bool {
        self.nulls.iter().any(|null| null == name)
    }

    fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.values.shift_remove(name) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| self.unsupported(name, &value, expected))
    }

    /// An error about the value of a field.
    pub(crate) fn unsupported(&self, name: &str, found: &Value, expected: &str) -> Error {
        let field = format!("{}{name}", self.prefix);
        Error::FieldUnsupported { field, found: shown(found), expected: expected.to_owned() }
    }

    /// An error about a field that is not there.
    pub(crate) fn missing(&self, name: &str) -> Error {
        Error::FieldMissing { field: format!("{}{name}", self.prefix) }
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<usize>> {
        self.read(name, "a count", |value| usize::try_from(value.as_u64()?).ok())
    }

    pub(crate) fn required_count(&mut self, name: &str) -> Result<usize> {
        self.count(name)?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn real(&mut self, name: &str) -> Result<Option<f64>> {
        self.read(name, "a number", Value::as_f64)
    }

    pub(crate) fn required_real(&mut self, name: &str) -> Result<f64> {
        self.real(name)?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.read(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        self.read(name, "a list of texts", |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    pub(crate) fn counts(&mut self, name: &str) -> Result<Option<Vec<usize>>> {
        self.read(name, "a list of counts", |value| {
            value.as_array()?.iter().map(|count| usize::try_from(count.as_u64()?).ok()).collect()
        })
    }

    /// One token id or several.
    pub(crate) fn ids(&mut self, name: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let ids = self.read(name, "a token id or a list of them", |value| match value {
            Value::Array(ids) => ids.iter().map(id).collect(),
            one => Some(vec![id(one)?]),
        })?;
        Ok(ids.unwrap_or_default())
    }

    /// An object inside this one, to be read as strictly.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>> {
        let prefix = format!("{}{name}.", self.prefix);
        let object = self.read(name, "an object", |value| value.as_object().cloned())?;
        Ok(object.map(|object| Fields { prefix, ..Fields::new(object) }))
    }

    /// The names of the fields not yet asked for.
    pub(crate) fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }

    /// Refuses a field that is there with any other value than these.
    pub(crate) fn only(&mut self, name: &str, accepted: &[Value]) -> Result<()> {
        let Some(value) = self.values.shift_remove(name) else { return Ok(()) };
        if accepted.contains(&value) {
            return Ok(());
        }
        let expected: Vec<_> = accepted.iter().map(Value::to_string).collect();
        let expected = if expected.is_empty() { "nothing".to_owned() } else { expected.join(" or ") };
        Err(self.unsupported(name, &value, &expected))
    }

    /// Refuses a list that is there with any other item than this.
    pub(crate) fn only_these(&mut self, name: &str, accepted: &Value) -> Result<()> {
        let items = self.read(name, "a list", |value| value.as_array().cloned())?.unwrap_or_default();
        match items.iter().find(|item| *item != accepted) {
            Some(other) => Err(self.unsupported(name, other, &format!("{accepted} throughout"))),
            None => Ok(()),
        }
    }

    /// Refuses what is left, unless it is known to change nothing. Names that begin with an
    /// underscore are a library's notes to itself.
    pub(crate) fn finish(self, harmless: &[&str]) -> Result<()> {
        let known = |name: &str| name.starts_with('_') || harmless.contains(&name);
        match self.values.keys().find(|name| !known(name)) {
            Some(name) => Err(Error::FieldUnknown { field: format!("{}{name}", self.prefix) }),
            None => Ok(()),
        }
    }
}

/// A value short enough to read.
pub(crate) fn shown(value: &Value) -> String {
    const SHOWN: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
