//! What can be wrong with a setting.

use std::io;
use std::path::PathBuf;

use super::list;
use super::origin::Origin;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No setting has this name.
    #[error("unknown setting `{key}` ({place})")]
    Unknown {
        /// What was given.
        key: String,
        /// Where.
        place: Origin,
        /// What may have been meant.
        meant: Option<&'static str>,
    },
    /// The value is not one the setting may hold.
    #[error("setting `{key}` is {found} ({place}), expected {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What it was given.
        found: String,
        /// Where.
        place: Origin,
        /// What it may hold.
        expected: String,
    },
    /// A setting is given twice in one place.
    #[error("setting `{key}` is given twice ({place})")]
    Twice {
        /// The setting.
        key: &'static str,
        /// Where it is given again.
        place: Origin,
    },
    /// The file is not YAML.
    #[error("`{name}` is not YAML that can be read: {why}")]
    Yaml {
        /// The file, or the flag.
        name: String,
        /// What the reader said, with the place.
        why: String,
    },
    /// The file is YAML, but holds no settings.
    #[error("`{name}` holds {found}, expected settings such as `base: smollm2-135m-instruct`")]
    NoSettings {
        /// The file.
        name: String,
        /// What it holds.
        found: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `--set` without an equals sign.
    #[error("`--set {typed}` sets nothing, expected KEY=VALUE")]
    Assignment {
        /// What was typed.
        typed: String,
    },
    /// No recipe has this name.
    #[error("unknown recipe `{found}`, expected one of {known}")]
    Recipe {
        /// What was given.
        found: String,
        /// The recipes there are.
        known: String,
    },
    /// Each setting is fine by itself and the whole does not fit its type: a fault of the list.
    #[error("the settings do not fit together: {why}")]
    Whole {
        /// What the reader said.
        why: String,
    },
    /// The corpus refuses a setting of its own.
    #[error(transparent)]
    Corpus(#[from] penname_corpus::Error),
}

impl Error {
    /// What the reader can do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { key, .. } if list::is_section(key) => {
                Some(format!("`{key}` is a section: its settings stand below it, indented"))
            }
            Self::Unknown { meant: Some(meant), .. } => Some(format!("did you mean `{meant}`?")),
            Self::Unknown { meant: None, .. } => Some("`penname settings` lists all of them".to_owned()),
            Self::Assignment { .. } => Some("for example: --set train.rank=8".to_owned()),
            Self::Yaml { .. } => Some("a text that holds `: ` or `#` needs quotes".to_owned()),
            Self::Corpus(_) => {
                Some("`penname settings --origin` shows where each value comes from".to_owned())
            }
            _ => None,
        }
    }
}
