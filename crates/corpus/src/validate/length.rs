//! Too short to learn a manner from, or too long to be what it seems.

use unicode_segmentation::UnicodeSegmentation;

use super::{Looked, Rule};

pub(super) const RULE: Rule = Rule {
    name: "length",
    about: "what the voice says is shorter or longer than asked, in characters as a reader counts them",
    settings: "`min_chars`, `max_chars`",
    judge,
};

fn judge(looked: &Looked<'_>) -> Option<String> {
    let (min, max) = (looked.settings.min_chars, looked.settings.max_chars);
    if min == 0 && max.is_none() {
        return None;
    }
    let n_chars = looked.voice.trim().graphemes(true).count();
    let is_long = max.is_some_and(|max| n_chars > max);
    (n_chars < min || is_long).then(|| format!("{n_chars} characters"))
}

#[cfg(test)]
mod tests {
    use super::super::judged as check;
    use super::RULE;
    use crate::settings::Validate;

    #[test]
    fn length_is_counted_as_a_reader_counts() {
        let settings = Validate { min_chars: 2, max_chars: Some(4), ..Default::default() };
        check(&RULE, " a ", &settings, Some("1 characters"));
        check(&RULE, "👩‍👧👩‍👧", &settings, None);
        check(&RULE, "12345", &settings, Some("5 characters"));
        check(&RULE, "", &Validate::default(), None);
    }
}
