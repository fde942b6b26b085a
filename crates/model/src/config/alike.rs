//! Whether two configurations say the same of the maths.

use serde_json::{Map, Value};

use super::Config;
use crate::quant::Storage;

/// Fields that say nothing of the maths, or say the same in other words: a Mistral is a Llama in GGUF.
const TOLD_ELSEWHERE: &[&str] =
    &["architectures", "bos_token_id", "eos_token_id", "model_type", "torch_dtype", "dtype"];

/// How far numbers may be apart: containers have some in f32.
const WITHIN: f64 = 1e-6;

/// A field in which two configurations are not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlike {
    /// As `config.json` calls it.
    pub field: String,
    /// What one says.
    pub found: Value,
    /// What the other says.
    pub expected: Value,
}

impl Config {
    /// The first field in which another configuration asks for other maths than this one; tokens that
    /// begin and end a text are not looked at.
    pub fn unlike(&self, other: &Config) -> Option<Unlike> {
        let [expected, found] = [self, other].map(|config| match config.to_hf_json(Storage::F32) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        });
        let names = expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name)));
        let mut names = names.filter(|name| !TOLD_ELSEWHERE.contains(&name.as_str()));
        let of = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
        let field = names.find(|name| !is_alike(&of(&expected, name), &of(&found, name)))?;
        Some(Unlike { field: field.clone(), found: of(&found, field), expected: of(&expected, field) })
    }
}

fn is_alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= WITHIN * a.abs().max(b.abs()),
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let of = |name| b.get(name).is_some_and(|b| is_alike(&a[name], b));
            a.len() == b.len() && a.keys().all(of)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fresh::{Sizes, Wanted};

    #[test]
    fn the_field_is_named() {
        let config = Sizes::of(&Wanted::default()).config(300, true, Some(1), Some(2)).unwrap();
        let rounded = Config { norm_eps: f64::from(config.norm_eps as f32), eos: vec![1], ..config.clone() };
        assert_eq!(config.unlike(&rounded), None);
        let other = Config { rope_theta: 2.0 * config.rope_theta, ..config.clone() };
        assert_eq!(config.unlike(&other).map(|unlike| unlike.field).as_deref(), Some("rope_theta"));
    }
}
