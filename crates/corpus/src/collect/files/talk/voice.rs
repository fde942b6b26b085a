//! Whose words are learned: names a person gave, compared as people compare names.

use crate::Settings;

/// The names of the voice.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Voices(Vec<String>);

impl Voices {
    /// Those of the settings.
    pub(in super::super) fn of(settings: &Settings) -> Self {
        Self::named(&settings.voice)
    }

    /// Those of a list.
    pub(in super::super) fn named(names: &[String]) -> Self {
        Self(names.iter().map(|name| plain(name)).filter(|name| !name.is_empty()).collect())
    }

    /// Whether no name was given.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everybody is the voice.
    pub(in super::super) fn is_everybody(&self) -> bool {
        self.0.iter().any(|voice| voice == "*")
    }

    /// Whether a speaker is the voice, by any of their names. `*` is everybody.
    pub(in super::super) fn has(&self, who: &str, also: &[String]) -> bool {
        let is = |name: &str| {
            let name = plain(name);
            !name.is_empty() && self.0.iter().any(|voice| *voice == name || voice == "*")
        };
        is(who) || also.iter().any(|name| is(name))
    }
}

/// A name without case, the sign of an account, direction marks and blanks around it.
fn plain(name: &str) -> String {
    let marks =
        |c: char| c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '~');
    name.trim_matches(marks).trim_start_matches('@').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_people_do() {
        let voices = Voices::named(&["Ann Lee".into(), "@annlee".into(), " ".into()]);
        assert!(voices.has("ann lee", &[]));
        assert!(voices.has("\u{200e}AnnLee", &[]));
        assert!(voices.has("A.", &["annlee".into()]));
        assert!(!voices.has("Ann", &[]));
        assert!(!voices.has("", &[String::new()]));
        assert!(Voices::named(&["*".into()]).has("anybody", &[]));
        assert!(Voices::named(&[]).is_empty());
    }
}
