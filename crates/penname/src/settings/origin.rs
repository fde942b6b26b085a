//! Where a value comes from.

use std::fmt;

/// Where a value comes from, from the weakest to the strongest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// The effort dial.
    Effort(String),
    /// The depth of a new model.
    Depth(u64),
    /// A recipe, by its name.
    Recipe(String),
    /// A file.
    File {
        /// Its name, as the reader knows it.
        name: String,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag, as it was typed.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Effort(effort) => write!(f, "effort {effort}"),
            Self::Depth(depth) => write!(f, "depth {depth}"),
            Self::Recipe(name) => write!(f, "recipe {name}"),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(typed) => f.write_str(typed),
        }
    }
}
