//! What the measures say of a text, whether or not a rule asks: for the eye of whoever reviews it.

use serde::Serialize;

use super::{Judge, language, repetition};

/// One measure of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// What is measured.
    pub name: &'static str,
    /// The result, in words.
    pub value: String,
    /// The bar it has to pass, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar: Option<String>,
}

impl Judge<'_> {
    /// Measures what the voice says. What cannot be told of a short text is left out.
    pub fn scores(&self, voice: &str) -> Vec<Score> {
        let settings = self.settings;
        let score =
            |name, value: Option<String>, bar: Option<String>| value.map(|value| Score { name, value, bar });
        let asked = (!settings.languages.is_empty()).then(|| settings.languages.join(", "));
        let toxicity =
            self.toxicity.as_ref().map(|model| format!("{:.2} by {}", model.score(voice), model.name()));
        let most = settings.repetition.map(|most| format!("at most {:.0} %", most * 100.0));
        [
            score("language", language::told(voice, settings), asked),
            score("toxicity", toxicity, settings.toxicity.as_ref().map(ToString::to_string)),
            score("repetition", repetition::told(voice), most),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Validate;

    #[test]
    fn measures_are_told_where_there_is_enough_to_measure() {
        let settings = Validate { languages: vec!["en".into()], ..Default::default() };
        let judge = Judge::new(&settings).unwrap();
        assert_eq!(judge.scores("gm"), []);
        let text =
            "The kettle sings on the hob, and nobody in the whole house listens to it any more. ".repeat(4);
        let scores = judge.scores(&text);
        assert_eq!(scores[0].name, "language");
        assert!(scores[0].value.starts_with("English"), "{scores:?}");
        assert_eq!(scores[0].bar.as_deref(), Some("en"));
        assert_eq!((scores[1].name, scores[1].value.as_str()), ("repetition", "73 % of runs of 5 words"));
    }
}
