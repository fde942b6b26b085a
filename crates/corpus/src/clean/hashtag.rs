//! Hashtags written as words: `#BuildInPublic` becomes `Build In Public`. Off by default: where a
//! person puts a mark, and that they do, is their manner.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "hashtags";

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "`#BuildInPublic` becomes `Build In Public`",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let tag = |(at, _): (usize, &str)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + 1..];
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let tag = &rest[..length];
        let stands_free = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '#' | '&' | '/'));
        // `#1` is a rank, not a word.
        (stands_free && tag.contains(char::is_alphabetic))
            .then(|| Edit::replace(at..at + 1 + length, words(tag), NAME))
    };
    text.match_indices('#').filter_map(tag).collect()
}

/// A tag in words: a capital begins one, but capitals in a row are one, up to the last before a
/// small letter (`AIArt`); numbers stay with what they follow (`HTML5`).
fn words(tag: &str) -> String {
    let chars: Vec<char> = tag.chars().collect();
    let mut out = String::new();
    for (n, &c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| chars[n]);
        let is_small_next = chars.get(n + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase()
            && before
                .is_some_and(|b| b.is_lowercase() || b.is_numeric() || (b.is_uppercase() && is_small_next));
        match c {
            '_' => out.push(' '),
            c => {
                if begins && !out.ends_with(' ') {
                    out.push(' ');
                }
                out.push(c);
            }
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn tags_become_words() {
        check(&CLEANER, "Day 3 of #BuildInPublic #AIArt!", "Day 3 of Build In Public AI Art!");
        check(&CLEANER, "#100DaysOfCode #HTML5 #startup #to_do", "100 Days Of Code HTML5 startup to do");
        check(&CLEANER, "C# is #1, a/#b &#39; # Title", "C# is #1, a/#b &#39; # Title");
    }
}
