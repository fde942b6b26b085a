//! Written in another language than the voice's.
//!
//! Short texts say little of their language (a library takes `gm` for Polish), so a text with fewer
//! letters than asked is left to stand. How sure a scorer is means something only for that scorer,
//! which is why both are one setting.
//!
//! `whatlang` knows seventy languages by their trigrams and is quick; of texts as short as a post it is
//! often unsure. `lingua` looks at all n-grams up to five, knows the eight languages it was built with,
//! and is right about posts, at some tenths of a millisecond each.

use std::sync::OnceLock;

use lingua::{Language, LanguageDetector, LanguageDetectorBuilder};
use whatlang::{Detector, Lang};

use super::{Looked, Rule, Side};
use crate::Error;
use crate::settings::Validate as Settings;

/// Bytes of a text looked at: more say no more.
const MAX_BYTES: usize = 1 << 14;

/// The scorers there are.
const SCORERS: &[&str] = &[WHATLANG, LINGUA];
const WHATLANG: &str = "whatlang";
const LINGUA: &str = "lingua";

/// Two-letter names of languages, and the names the scorer has for them.
const SHORT: &[(&str, &str)] = &[
    ("ar", "ara"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("cy", "cym"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("eo", "epo"),
    ("es", "spa"),
    ("et", "est"),
    ("fa", "pes"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("gu", "guj"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("hy", "hye"),
    ("id", "ind"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("ka", "kat"),
    ("ko", "kor"),
    ("la", "lat"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("nl", "nld"),
    ("no", "nob"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sr", "srp"),
    ("sv", "swe"),
    ("ta", "tam"),
    ("te", "tel"),
    ("th", "tha"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("ur", "urd"),
    ("vi", "vie"),
    ("zh", "cmn"),
];

pub(super) const RULE: Rule = Rule {
    name: "language",
    about: "what the voice says is not in one of the languages asked for, as far as it is long enough to tell",
    settings: "`languages`, `language`, `min_letters`",
    judge,
};

/// Refuses a scorer that is not there and languages it does not know, before anything is read.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    if !SCORERS.contains(&settings.language.scorer.as_str()) || settings.language.side != Side::AtLeast {
        return Err(Error::UnknownName {
            setting: "validate.language",
            found: settings.language.to_string(),
            expected: format!("{} >= a score", SCORERS.join(", ")),
        });
    }
    let is_lingua = settings.language.scorer == LINGUA;
    let has = |lang: Lang| Language::all().into_iter().any(|language| of_lingua(language) == Some(lang));
    let is_known = |name: &String| lang(name).is_some_and(|lang| !is_lingua || has(lang));
    match settings.languages.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(Error::UnknownName {
            setting: "validate.languages",
            found: unknown.clone(),
            expected: match is_lingua {
                true => Language::all().iter().map(|l| l.iso_code_639_1().to_string()).collect::<Vec<_>>(),
                false => SHORT.iter().map(|(short, _)| (*short).to_owned()).collect(),
            }
            .join(", "),
        }),
        None => Ok(()),
    }
}

/// The same language as the other scorer has it.
fn of_lingua(language: Language) -> Option<Lang> {
    Lang::from_code(language.iso_code_639_3().to_string())
}

/// Made when it is asked first: its tables are large.
fn detector() -> &'static LanguageDetector {
    static DETECTOR: OnceLock<LanguageDetector> = OnceLock::new();
    DETECTOR.get_or_init(|| LanguageDetectorBuilder::from_all_languages().build())
}

fn lang(name: &str) -> Option<Lang> {
    let lower = name.to_ascii_lowercase();
    let long = SHORT.iter().find(|(short, _)| *short == lower).map_or(lower.as_str(), |(_, long)| long);
    Lang::from_code(long)
}

/// The beginning of what the voice says, if there is enough of it to tell its language.
fn telling<'t>(voice: &'t str, settings: &Settings) -> Option<&'t str> {
    let text = &voice[..voice.floor_char_boundary(MAX_BYTES)];
    let n_letters = text.chars().filter(|c| c.is_alphabetic()).count();
    (n_letters >= settings.min_letters).then_some(text)
}

/// What a scorer takes the language of a text for.
struct Found {
    lang: Option<Lang>,
    name: String,
    /// How sure it is, 0 to 1.
    sure: f64,
}

/// Asks the scorer of the settings, and no other.
fn found(text: &str, scorer: &str) -> Option<Found> {
    if scorer == LINGUA {
        let (language, sure) = detector().compute_language_confidence_values(text).into_iter().next()?;
        return Some(Found { lang: of_lingua(language), name: language.to_string(), sure });
    }
    let found = Detector::new().detect(text)?;
    let name = found.lang().eng_name().to_owned();
    Some(Found { lang: Some(found.lang()), name, sure: found.confidence() })
}

/// Sure of another language, or not sure enough of one of those asked for.
fn judge(looked: &Looked<'_>) -> Option<String> {
    let settings = looked.settings;
    if settings.languages.is_empty() {
        return None;
    }
    let (text, bar) = (telling(looked.voice, settings)?, &settings.language);
    let Found { lang: of_text, name, sure } = found(text, &bar.scorer)?;
    let is_asked_for = settings.languages.iter().filter_map(|name| lang(name)).any(|l| Some(l) == of_text);
    (!(is_asked_for && bar.passes(sure))).then(|| format!("{name} ({sure:.2} by {})", bar.scorer))
}

/// The language it seems to be in, and how sure that is; nothing for a text too short to tell.
pub(super) fn told(voice: &str, settings: &Settings) -> Option<String> {
    let Found { name, sure, .. } = found(telling(voice, settings)?, &settings.language.scorer)?;
    Some(format!("{name}, {sure:.2}"))
}

#[cfg(test)]
mod tests {
    use super::super::judged;
    use super::*;
    use crate::settings::Validate;

    fn english() -> Validate {
        Validate { languages: vec!["en".into()], ..Default::default() }
    }

    #[test]
    fn other_languages_are_told() {
        let english_text =
            "The kettle sings on the hob, and nobody in the whole house listens to it any more.";
        judged(&RULE, english_text, &english(), None);
        let german = "Der Kessel singt auf dem Herd, und niemand im ganzen Haus hört ihm noch zu.";
        judged(&RULE, german, &english(), Some("German (1.00 by whatlang)"));
        judged(&RULE, german, &Validate::default(), None);
    }

    fn posts() -> Validate {
        Validate { language: "lingua >= 0.5".parse().unwrap(), ..english() }
    }

    #[test]
    fn posts_are_told_by_the_scorer_that_knows_them() {
        let english = [
            "Talk to ten people who would pay for it before you write a line of code.",
            "my cofounder and I split it 50/50 and it was the best decision we made",
            "Hot take: most dashboards exist so that managers feel less lonely",
            "depends on your runway tbh",
        ];
        english.iter().for_each(|post| judged(&RULE, post, &posts(), None));
        judged(&RULE, "Ik denk dat je gelijk hebt", &posts(), Some("Dutch (0.97 by lingua)"));
    }

    #[test]
    fn what_is_shown_is_what_the_scorer_asked_for_says() {
        let dutch = "Ik denk dat je gelijk hebt";
        assert_eq!(told(dutch, &posts()).as_deref(), Some("Dutch, 0.97"));
        assert_eq!(told(dutch, &english()).as_deref(), Some("Dutch, 0.66"));
        assert_eq!(told("gm", &posts()), None);
    }

    #[test]
    fn short_texts_are_left_to_stand() {
        for text in ["gm", "Congrats!", "lol no", "👍👍👍"] {
            judged(&RULE, text, &english(), None);
        }
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        check(&english()).unwrap();
        check(&Validate { languages: vec!["eng".into(), "DE".into()], ..Default::default() }).unwrap();
        let unknown = Validate { languages: vec!["klingon".into()], ..Default::default() };
        assert!(check(&unknown).unwrap_err().to_string().contains("klingon"));
        let other = Validate { language: "guess >= 0.8".parse().unwrap(), ..Default::default() };
        assert!(check(&other).unwrap_err().to_string().contains("guess >= 0.8"));
        let narrow = Validate { languages: vec!["ja".into()], ..posts() };
        let error = check(&narrow).unwrap_err().to_string();
        assert!(error.contains("`ja`") && error.contains("en, fr") || error.contains("nl"), "{error}");
        check(&posts()).unwrap();
        assert!(SHORT.iter().all(|(short, _)| lang(short).is_some()));
    }
}
