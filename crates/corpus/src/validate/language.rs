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

use lingua::{IsoCode639_3, Language, LanguageDetector, LanguageDetectorBuilder};
use whatlang::{Detector, Lang};

use super::{Bar, Looked, Rule, Side};
use crate::Error;

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
pub(super) fn check(settings: &crate::settings::Validate) -> Result<(), Error> {
    if !SCORERS.contains(&settings.language.scorer.as_str()) || settings.language.side != Side::AtLeast {
        return Err(Error::UnknownName {
            setting: "validate.language",
            found: settings.language.to_string(),
            expected: format!("{} >= a score", SCORERS.join(", ")),
        });
    }
    let is_lingua = settings.language.scorer == LINGUA;
    let is_known = |name: &String| lang(name).is_some_and(|lang| !is_lingua || of_lingua(lang).is_some());
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

/// The same language as the other scorer has it, if it does.
fn of_lingua(lang: Lang) -> Option<Language> {
    let code = lang.code().parse::<IsoCode639_3>().ok()?;
    Language::all().into_iter().find(|language| language.iso_code_639_3() == code)
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

fn judge(looked: &Looked<'_>) -> Option<String> {
    let settings = looked.settings;
    if settings.languages.is_empty() {
        return None;
    }
    let text = &looked.voice[..looked.voice.floor_char_boundary(MAX_BYTES)];
    if text.chars().filter(|c| c.is_alphabetic()).count() < settings.min_letters {
        return None;
    }
    let wanted: Vec<Lang> = settings.languages.iter().filter_map(|name| lang(name)).collect();
    says_no(text, &wanted, &settings.language)
}

/// The language it seems to be in, and how sure that is; nothing for a text too short to tell.
pub(super) fn told(voice: &str, settings: &crate::settings::Validate) -> Option<String> {
    let text = &voice[..voice.floor_char_boundary(MAX_BYTES)];
    if text.chars().filter(|c| c.is_alphabetic()).count() < settings.min_letters {
        return None;
    }
    let found = Detector::new().detect(text)?;
    Some(format!("{}, {:.2}", found.lang().eng_name(), found.confidence()))
}

/// Sure of another language, or not sure enough of one of those asked for.
fn says_no(text: &str, wanted: &[Lang], bar: &Bar) -> Option<String> {
    let (is_one, name, sure) = if bar.scorer == LINGUA {
        let (language, sure) = detector().compute_language_confidence_values(text).into_iter().next()?;
        (wanted.iter().any(|lang| of_lingua(*lang) == Some(language)), language.to_string(), sure)
    } else {
        let found = Detector::new().detect(text)?;
        (wanted.contains(&found.lang()), found.lang().eng_name().to_owned(), found.confidence())
    };
    let is_wanted = is_one && bar.passes(sure);
    (!is_wanted).then(|| format!("{name} ({sure:.2} by {})", bar.scorer))
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
