//! Words meant to hurt, by a model that the user names. There is none by default, and none ever
//! stands in for another: a model that is not there is an error that says what can be done.

use std::path::Path;

use super::linear::Linear;
use super::{Bar, Looked, Rule, Side};
use crate::Error;

pub(super) const RULE: Rule = Rule {
    name: "toxicity",
    about: "a model of your choice scores it at or above the bar; a text is as bad as its worst hundred words",
    settings: "`toxicity`",
    judge,
};

/// Refuses a bar on the wrong side.
pub(super) fn check(bar: &Bar) -> Result<(), Error> {
    if bar.side == Side::Below {
        return Ok(());
    }
    let (found, expected) = (bar.to_string(), "a file of weights < a score".to_owned());
    Err(Error::UnknownName { setting: "validate.toxicity", found, expected })
}

/// Loads the model of a bar.
pub(super) fn load(bar: &Bar) -> Result<Linear, Error> {
    Linear::read(Path::new(&bar.scorer))
        .map_err(|why| Error::NoScorer { path: bar.scorer.clone().into(), why })
}

fn judge(looked: &Looked<'_>) -> Option<String> {
    let (model, bar) = (looked.toxicity?, looked.settings.toxicity.as_ref()?);
    let score = model.score(looked.voice);
    (!bar.passes(score)).then(|| format!("{score:.2} by {}", model.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Body, Document, Kind};
    use crate::settings::Validate;

    #[test]
    fn a_model_that_is_not_there_is_refused() {
        let bar: Bar = "nowhere.json < 0.3".parse().unwrap();
        let error = load(&bar).unwrap_err().to_string();
        assert!(error.contains("nowhere.json"), "{error}");
        assert!(check(&"x >= 0.3".parse().unwrap()).is_err());
    }

    #[test]
    fn the_bar_decides() {
        let examples: Vec<(String, bool)> = (0..40)
            .map(|n| (format!("{} number {n}", if n % 2 == 0 { "blasted" } else { "fine" }), n % 2 == 0))
            .collect();
        let model = Linear::learn("curses", 10, &examples);
        let settings = Validate { toxicity: Some("x < 0.5".parse().unwrap()), ..Default::default() };
        let says = |text: &str| {
            let document = Document::new("p", 0, Kind::Text, None, Body::Text(text.into()));
            judge(&Looked { document: &document, voice: text, settings: &settings, toxicity: Some(&model) })
        };
        assert!(says("a blasted number 7").unwrap().ends_with("by curses"));
        assert_eq!(says("a fine number 7"), None);
    }
}
