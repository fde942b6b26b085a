//! Messages made to be found rather than read: mostly tags, links or accounts.

use super::{Looked, Rule};

/// Tags, links and accounts from which a text can be spam at all.
const MIN_MARKS: usize = 4;

pub(super) const RULE: Rule = Rule {
    name: "spam",
    about: "most words are hashtags, links or accounts, four of them at least",
    settings: "`spam`",
    judge,
};

fn judge(looked: &Looked<'_>) -> Option<String> {
    if !looked.settings.spam {
        return None;
    }
    let is_mark = |word: &&str| {
        let bare = word.trim_start_matches(['(', '"', '\'', '[']);
        (bare.len() > 1 && bare.starts_with(['#', '@'])) || bare.contains("://") || bare.starts_with("www.")
    };
    let words = looked.voice.split_whitespace();
    let (n_words, n_marks) = (words.clone().count(), words.filter(is_mark).count());
    (n_marks >= MIN_MARKS && n_marks * 2 > n_words)
        .then(|| format!("{n_marks} of {n_words} words are tags or links"))
}

#[cfg(test)]
mod tests {
    use super::super::judged as check;
    use super::RULE;
    use crate::settings::Validate;

    #[test]
    fn tags_without_a_text_are_spam() {
        let settings = Validate { spam: true, ..Default::default() };
        let spam = "Win now #crypto #win #free https://x.y #now";
        check(&RULE, spam, &settings, Some("5 of 7 words are tags or links"));
        check(&RULE, spam, &Validate::default(), None);
        check(&RULE, "A kettle, a #kettle, my @kingdom for a #kettle", &settings, None);
        check(&RULE, "# A title # and # more #", &settings, None);
    }
}
