//! Where a document comes from: what was known of it before it was read. How it was received stands in
//! [`crate::document::Reception`].
//!
//! Nothing here is learned.

use serde::{Deserialize, Serialize};

/// Who wrote a piece.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The name under which it stands.
    pub name: String,
    /// The account's own number or key, where there is one beside the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Somebody whose words stand in a document, or a piece that does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its name at its source, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_id: Option<String>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Where it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Piece {
    /// Words of somebody of this name.
    pub(crate) fn by(name: &str) -> Self {
        let author = Some(Author { name: name.to_owned(), id: None });
        Self { author, ..Self::default() }
    }
}

/// Where a piece stands among others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Its name at its source: the number of a tweet, the key of a post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_id: Option<String>,
    /// Who wrote what the voice says in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// When the voice wrote it: `2024-01-31T12:30:00Z`. `date` is as the source writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was fetched, where what it was read from says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<String>,
    /// The native name of what it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Where it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whose words stand in it besides, those of the voice's other names included, and which pieces
    /// they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Piece>,
}

/// A name as people compare names: without case, the sign of an account, direction marks and blanks
/// around it.
pub(crate) fn plain_name(name: &str) -> String {
    let marks =
        |c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '~');
    name.trim_matches(marks).trim_start_matches('@').to_lowercase()
}

impl Provenance {
    /// Notes somebody whose words stand in it, once.
    pub(crate) fn holds(&mut self, piece: Piece) {
        if piece != Piece::default() && !self.within.contains(&piece) {
            self.within.push(piece);
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_absent() {
        assert_eq!(serde_json::to_string(&Provenance::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Provenance>("{}").unwrap(), Provenance::default());
        assert!(Provenance::default().is_empty());
    }
}
