//! The metadata of a GGUF file, by key and type.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::value::{Array, Value};
use crate::error::{Error, Result};

/// Keys and values. Readers that ask for a type get it, nothing when the key is absent, or an
/// error that names the key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    values: BTreeMap<String, Value>,
}

impl Metadata {
    /// Adds a value.
    ///
    /// # Errors
    ///
    /// When the key is there already.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) -> Result<()> {
        match self.values.entry(key.into()) {
            Entry::Occupied(slot) => Err(Error::KeyTwice { key: slot.key().clone() }),
            Entry::Vacant(slot) => {
                slot.insert(value);
                Ok(())
            }
        }
    }

    /// All keys and values, in alphabetical order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of a key, of whatever type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    fn read<'m, T>(
        &'m self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'m Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Error::FieldUnsupported {
            field: key.to_owned(),
            found: value.describe(),
            expected: expected.to_owned(),
        })
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// When the value is something else.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        self.read(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A whole number of things.
    ///
    /// # Errors
    ///
    /// When the value is something else, or negative.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        self.read(key, "a count", |value| usize::try_from(value.to_integer()?).ok())
    }

    /// A token id.
    ///
    /// # Errors
    ///
    /// When the value is something else.
    pub fn id(&self, key: &str) -> Result<Option<u32>> {
        self.read(key, "a token id", |value| u32::try_from(value.to_integer()?).ok())
    }

    /// A real number; see [`Value::to_real`].
    ///
    /// # Errors
    ///
    /// When the value is not a number.
    pub fn real(&self, key: &str) -> Result<Option<f64>> {
        self.read(key, "a number", Value::to_real)
    }

    /// A truth value.
    ///
    /// # Errors
    ///
    /// When the value is something else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.read(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// An array of texts.
    ///
    /// # Errors
    ///
    /// When the value is something else.
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>> {
        self.read(key, "an array of texts", |value| match value {
            Value::Array(Array::Texts(texts)) => Some(texts.as_slice()),
            _ => None,
        })
    }

    /// An array of whole numbers.
    ///
    /// # Errors
    ///
    /// When the value is something else, or a number exceeds an `i64`.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.read(key, "an array of whole numbers", |value| {
            let Value::Array(array) = value else { return None };
            array.numbers()?.map(|x| i64::try_from(x.to_integer()?).ok()).collect()
        })
    }

    /// An array of `f32`, bit for bit.
    ///
    /// # Errors
    ///
    /// When the value is something else.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.read(key, "an array of 32-bit floats", |value| {
            let Value::Array(array) = value else { return None };
            let float = |x| if let Value::F32(x) = x { Some(x) } else { None };
            array.numbers()?.map(float).collect()
        })
    }
}
