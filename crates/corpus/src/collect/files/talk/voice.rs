//! Whose words are learned: names a person gave, compared as people compare names.

use crate::Settings;
use crate::provenance::plain_name;

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
        Self(names.iter().map(|name| plain_name(name)).filter(|name| !name.is_empty()).collect())
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
            let name = plain_name(name);
            !name.is_empty() && self.0.iter().any(|voice| *voice == name || voice == "*")
        };
        is(who) || also.iter().any(|name| is(name))
    }
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
