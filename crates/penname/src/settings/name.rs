//! Names of settings: found, and guessed at where they are mistyped.

use super::key::Key;
use super::list::ALL;

/// The key of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    ALL.iter().find(|key| key.name == name)
}

/// Whether the name is a section: `train` of `train.rank`.
pub(crate) fn is_section(name: &str) -> bool {
    ALL.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// What to say of a name that is no setting and no section.
pub(crate) fn unknown(typed: &str) -> super::Error {
    let place = super::Origin::Flag("on the command line".to_owned());
    super::Error::Unknown { key: typed.to_owned(), place, meant: suggest(typed) }
}

/// The key or section most like what was typed, if any is like it. Someone who wrote `rank` meant
/// `train.rank`.
pub(crate) fn suggest(typed: &str) -> Option<&'static str> {
    let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
    if let Some(key) = ALL.iter().find(|key| last(key.name) == typed) {
        return Some(key.name);
    }
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(name, typed);
    let sections = ALL
        .iter()
        .filter_map(|key| key.name.rsplit_once('.'))
        .map(|(section, _)| (section, likeness(section)));
    let keys = ALL.iter().map(|key| (key.name, likeness(key.name).max(likeness(last(key.name)))));
    let best = sections.chain(keys).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best.1 > 0.6).then_some(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_no_key_is_a_section() {
        for (idx, key) in ALL.iter().enumerate() {
            assert!(ALL[idx + 1..].iter().all(|other| other.name != key.name), "{}", key.name);
            assert!(!is_section(key.name), "{}", key.name);
            assert!(!key.about.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn suggestions_are_what_was_meant() {
        let check = |typed, expected| assert_eq!(suggest(typed), expected, "{typed}");
        check("train.rnk", Some("train.rank"));
        check("rank", Some("train.rank"));
        check("train.learning-rate", Some("train.learning_rate"));
        check("temprature", Some("write.temperature"));
        check("bse", Some("base"));
        check("evaluat", Some("evaluate"));
        check("corpus.splitt", Some("corpus.split"));
        check("zzzzzz", None);
    }
}
