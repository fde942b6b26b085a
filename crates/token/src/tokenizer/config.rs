//! The files beside `tokenizer.json` that say which tokens have a job.

use serde_json::{Value, json};

use super::load::unreadable;
use super::{SpecialIds, Tokenizer};
use crate::error::{Error, Result};

/// What `tokenizer_config.json` adds to a tokenizer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Text of the token that begins a text.
    pub bos: Option<String>,
    /// Text of the token that ends a text.
    pub eos: Option<String>,
    /// Text of the token for what cannot be spelled.
    pub unk: Option<String>,
    /// Text of the token that fills rows.
    pub pad: Option<String>,
    /// Whether `bos` stands before every text.
    pub add_bos: bool,
    /// The model's own chat template.
    pub chat_template: Option<String>,
}

impl TokenizerConfig {
    /// Reads a `tokenizer_config.json`.
    ///
    /// # Errors
    /// Malformed JSON.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let config: Value = serde_json::from_slice(json)
            .map_err(|cause| Error::Json { file: "tokenizer_config.json", cause: cause.to_string() })?;
        let token = |name: &str| text(&config[name]);
        Ok(Self {
            bos: token("bos_token"),
            eos: token("eos_token"),
            unk: token("unk_token"),
            pad: token("pad_token"),
            add_bos: config["add_bos_token"].as_bool().unwrap_or(false),
            chat_template: template(&config["chat_template"]),
        })
    }
}

impl Tokenizer {
    /// Takes the special ids from a `tokenizer_config.json`. `eos_ids` are the
    /// further ends that `generation_config.json` or `config.json` lists.
    ///
    /// # Errors
    /// A named token or a listed id that is not in the vocabulary.
    pub fn with_config(self, config: &TokenizerConfig, eos_ids: &[u32]) -> Result<Self> {
        let mut eos: Vec<u32> = self.id_of("eos", config.eos.as_deref())?.into_iter().collect();
        eos.extend(eos_ids.iter().filter(|&id| Some(id) != eos.first()).copied().collect::<Vec<_>>());
        let ids = SpecialIds {
            bos: self.id_of("bos", config.bos.as_deref())?,
            eos,
            unk: self.id_of("unk", config.unk.as_deref())?,
            pad: self.id_of("pad", config.pad.as_deref())?,
            add_bos: config.add_bos,
        };
        self.with_special_ids(ids)
    }

    /// Writes the `tokenizer_config.json` that stands beside [`Tokenizer::to_json`].
    ///
    /// # Errors
    /// None for any tokenizer that could be read.
    pub fn to_config_json(&self, chat_template: Option<&str>) -> Result<String> {
        let ids = self.special_ids();
        let token = |id: Option<u32>| id.map(|id| self.decode(&[id]));
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": token(ids.bos),
            "eos_token": token(ids.eos.first().copied()),
            "unk_token": token(ids.unk),
            "pad_token": token(ids.pad),
            "add_bos_token": ids.add_bos,
            "clean_up_tokenization_spaces": false,
            "chat_template": chat_template,
        });
        serde_json::to_string_pretty(&config).map_err(unreadable)
    }

    fn id_of(&self, role: &'static str, text: Option<&str>) -> Result<Option<u32>> {
        let Some(text) = text else { return Ok(None) };
        match self.token_id(text) {
            Some(id) => Ok(Some(id)),
            None => {
                let vocab_size = self.vocab_size();
                Err(Error::SpecialToken { role, found: format!("{text:?}"), vocab_size })
            }
        }
    }
}

/// A token is written as its text or as an object that holds the text.
fn text(token: &Value) -> Option<String> {
    token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned)
}

/// A template is one text or a list of named ones, of which `default` counts.
fn template(entry: &Value) -> Option<String> {
    let named = entry.as_array().and_then(|list| list.iter().find(|t| t["name"] == "default"));
    entry.as_str().or_else(|| named?["template"].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_templates_come_in_two_forms() {
        let config = TokenizerConfig::from_json(
            br#"{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null, "add_bos_token": true,
                "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]}"#,
        );
        let expected = TokenizerConfig {
            bos: Some("<s>".to_owned()),
            eos: Some("</s>".to_owned()),
            add_bos: true,
            chat_template: Some("yes".to_owned()),
            ..TokenizerConfig::default()
        };
        assert_eq!(config.unwrap(), expected);
        assert!(TokenizerConfig::from_json(b"{").is_err());
    }
}
