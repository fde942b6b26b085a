//! Web addresses in running text. Off by default: an author who links means it.

use super::{Cleaner, Effect, Scope, Traits};
use crate::edit::Edit;

const NAME: &str = "links";

/// What an address begins with.
const BEGINS: &[&str] = &["https://", "http://", "www.", "pic.twitter.com/", "t.co/"];

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "web addresses, with the blank before them",
    effect: Effect::Voice,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut starts: Vec<usize> =
        BEGINS.iter().flat_map(|begin| text.match_indices(begin).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    for at in starts {
        let is_inside = edits.last().is_some_and(|edit| at < edit.range.end);
        let is_joined = text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '@'));
        if is_inside || is_joined {
            continue;
        }
        let end = at
            + text[at..]
                .find(|c: char| c.is_whitespace() || "<>\"”)]".contains(c))
                .unwrap_or(text.len() - at);
        let end = text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '…']).len();
        let spaced = usize::from(text[..at].ends_with(' '));
        if end > at {
            edits.push(Edit::cut(at - spaced..end, NAME));
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::CLEANER;

    #[test]
    fn addresses_go_and_stops_stay() {
        check(&CLEANER, "See https://example.org/a?b=c. And (www.example.org) too", "See. And () too");
        check(&CLEANER, "so it is https://t.co/abc", "so it is");
        check(&CLEANER, "a.www.b and shttp://x", "a.www.b and shttp://x");
    }
}
