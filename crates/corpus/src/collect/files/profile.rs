//! How a book of numbered questions is printed: a few lines of YAML per kind of book.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The profiles that come with penname: one file each under `profiles/`, one line here.
pub const ALL: &[(&str, &str)] = &[("numbered-qa", include_str!("../../../profiles/numbered-qa.yaml"))];

/// How to find questions and answers in a numbered book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What books it is for, in one line.
    pub about: String,
    /// Characters that may follow a question's number.
    pub number_ends: String,
    /// Whether a numbered paragraph that opens in `_italics_` is a question even without a
    /// question mark and out of sequence.
    pub italics_ask: bool,
    /// How far a question's number may run ahead of the one before. A numbered list inside an
    /// answer begins again at 1 and so is never taken for questions.
    pub max_jump: u32,
    /// Questions below which a text is not such a book.
    pub min_questions: usize,
    /// Blank lines that set a heading apart.
    pub heading_blanks: usize,
    /// Headings, in capitals, after which nothing is read: the index and the like.
    pub stop_at: Vec<String>,
}

/// The user's own profiles, then the built-in ones.
///
/// # Errors
/// [`Error::Profile`] when a built-in profile is not what this version reads.
pub fn load(own: &[Profile]) -> Result<Vec<Profile>, Error> {
    let mut profiles = own.to_vec();
    for (name, yaml) in ALL {
        let broken =
            |why: serde_saphyr::Error| Error::Profile { name: (*name).to_owned(), why: why.to_string() };
        profiles.push(serde_saphyr::from_str(yaml).map_err(broken)?);
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_are_readable_and_named_as_listed() {
        let names: Vec<_> = load(&[]).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
