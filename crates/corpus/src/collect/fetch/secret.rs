//! Keys of services. They come from the environment by way of the program, are sent to the host they
//! belong to, and are never shown, kept or written down.

use std::collections::BTreeMap;
use std::fmt;

use super::Fault;

/// Every key that a source may need: the variable that holds it, and what it opens.
pub const SECRETS: &[(&str, &str)] = &[
    ("REDDIT_CLIENT_ID", "the id of your own Reddit application"),
    ("REDDIT_CLIENT_SECRET", "its secret; an installed application has none"),
    ("REDDIT_REFRESH_TOKEN", "a token that renews itself, for an account of yours"),
    ("REDDIT_USERNAME", "the account of a script application"),
    ("REDDIT_PASSWORD", "its password"),
    ("APIFY_API_TOKEN", "your account with Apify, which is charged for what actors do"),
    ("ANTHROPIC_API_KEY", "your account with Anthropic, which is charged for questions (`corpus.ask`)"),
    ("OPENAI_API_KEY", "the same for OpenAI, or for another service that speaks as it does"),
];

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value, without the blanks around it.
    pub fn new(value: &str) -> Self {
        Self(value.trim().to_owned())
    }

    /// The value, for the one request it belongs into.
    pub(crate) fn open(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The keys there are, by the names of [`SECRETS`].
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Those that `read` finds for the names of [`SECRETS`]. Empty ones count as absent.
    pub fn find(read: impl Fn(&'static str) -> Option<String>) -> Self {
        let found =
            SECRETS.iter().filter_map(|(name, _)| Some(((*name).to_owned(), Secret::new(&read(name)?))));
        Self(found.filter(|(_, secret)| !secret.0.is_empty()).collect())
    }

    /// A key that may be absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// A key that is needed.
    pub(crate) fn need(&self, name: &'static str) -> Result<&Secret, Fault> {
        self.get(name).ok_or(Fault::Secret { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_never_shown() {
        let secrets = Secrets::find(|name| (name == "APIFY_API_TOKEN").then(|| " apify_x\n".to_owned()));
        assert_eq!(secrets.get("APIFY_API_TOKEN").unwrap().open(), "apify_x");
        assert!(!format!("{secrets:?}").contains("apify_x"));
        let fault = secrets.need("REDDIT_CLIENT_ID").unwrap_err();
        assert_eq!(fault.to_string(), "there is no `REDDIT_CLIENT_ID` in the environment");
        assert!(Secrets::find(|_| Some(" ".to_owned())).get("REDDIT_USERNAME").is_none());
    }
}
