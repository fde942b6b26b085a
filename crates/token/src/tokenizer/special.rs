//! Where control tokens stand in a rendered text.
//!
//! The tokenizer library would find them anywhere, also in what a user wrote.
//! Here a match may be forbidden by a *guard*: a position that came from
//! inside a message, just behind the first letter of something that is spelled
//! like a control token. A token with a guard behind one of its letters was
//! typed by a person, and stays ordinary text.

use std::ops::Range;

use tokenizers::AddedToken;

/// The control tokens of one vocabulary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Specials {
    /// Longest first, so that the first hit at a place is the longest.
    tokens: Vec<(u32, AddedToken)>,
    is_first_byte: Vec<bool>,
}

/// A stretch of text, or one control token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Ordinary text.
    Text(Range<usize>),
    /// A control token, with the text it stands for (spaces it swallows included).
    Control(u32, Range<usize>),
}

impl Specials {
    /// Keeps the control tokens among the added tokens.
    pub(crate) fn new(added: impl IntoIterator<Item = (u32, AddedToken)>) -> Self {
        let mut tokens: Vec<_> =
            added.into_iter().filter(|(_, t)| t.special && !t.content.is_empty()).collect();
        tokens.sort_by(|(a, s), (b, t)| t.content.len().cmp(&s.content.len()).then(a.cmp(b)));
        let mut is_first_byte = vec![false; 256];
        for (_, token) in &tokens {
            is_first_byte[usize::from(token.content.as_bytes()[0])] = true;
        }
        Self { tokens, is_first_byte }
    }

    /// The control token with this id.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        self.tokens.iter().find(|(known, _)| *known == id).map(|(_, token)| token.content.as_str())
    }

    /// Whether an id is a control token.
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.text(id).is_some()
    }

    /// Cuts `text` at its control tokens. No token is found
    /// where one of `guards` stands behind a letter of it.
    pub(crate) fn split(&self, text: &str, guards: &[usize]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut done, mut at) = (0, 0);
        while let Some((id, range)) = self.next(text, at, done, guards) {
            if done < range.start {
                pieces.push(Piece::Text(done..range.start));
            }
            (done, at) = (range.end, range.end);
            pieces.push(Piece::Control(id, range));
        }
        if done < text.len() {
            pieces.push(Piece::Text(done..text.len()));
        }
        pieces
    }

    /// The places where a control token is spelled, whoever wrote it.
    pub(crate) fn spellings<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        (0..text.len()).filter_map(|at| self.at(text, at)).map(|(_, range)| range)
    }

    fn next(&self, text: &str, from: usize, done: usize, guards: &[usize]) -> Option<(u32, Range<usize>)> {
        (from..text.len()).find_map(|at| {
            let (token, id, range) = self.at_with(text, at)?;
            let is_typed = guards.iter().any(|g| range.start < *g && *g <= range.end);
            if is_typed || (token.single_word && touches_word(text, &range)) {
                return None;
            }
            Some((id, swallow_spaces(text, token, range, done)))
        })
    }

    fn at(&self, text: &str, at: usize) -> Option<(u32, Range<usize>)> {
        self.at_with(text, at).map(|(_, id, range)| (id, range))
    }

    fn at_with(&self, text: &str, at: usize) -> Option<(&AddedToken, u32, Range<usize>)> {
        let rest = &text.as_bytes()[at..];
        if !*self.is_first_byte.get(usize::from(*rest.first()?))? {
            return None;
        }
        let (id, token) = self.tokens.iter().find(|(_, t)| rest.starts_with(t.content.as_bytes()))?;
        Some((token, *id, at..at + token.content.len()))
    }
}

fn touches_word(text: &str, range: &Range<usize>) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text[..range.start].chars().next_back().is_some_and(is_word)
        || text[range.end..].chars().next().is_some_and(is_word)
}

/// Some tokens are declared to take the spaces beside them along.
fn swallow_spaces(text: &str, token: &AddedToken, range: Range<usize>, done: usize) -> Range<usize> {
    let mut range = range;
    if token.lstrip {
        range.start = text[..range.start].trim_end().len().max(done);
    }
    if token.rstrip {
        range.end = text.len() - text[range.end..].trim_start().len();
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, guards: &[usize], expected: &[Piece]) {
        let token = |id, text: &str| (id, AddedToken::from(text, true));
        let wide = (9, AddedToken::from("<w>", true).lstrip(true).rstrip(true));
        let specials = Specials::new([token(1, "<a>"), token(2, "<a><b>"), wide]);
        assert_eq!(specials.split(text, guards), expected, "{text:?}");
    }

    #[test]
    fn longest_first_and_leftmost() {
        check("", &[], &[]);
        check("x", &[], &[Piece::Text(0..1)]);
        check("x<a>y", &[], &[Piece::Text(0..1), Piece::Control(1, 1..4), Piece::Text(4..5)]);
        check("<a><b>", &[], &[Piece::Control(2, 0..6)]);
        check("<<a>", &[], &[Piece::Text(0..1), Piece::Control(1, 1..4)]);
    }

    #[test]
    fn a_guard_behind_a_letter_forbids_the_match() {
        check("<a>", &[1], &[Piece::Text(0..3)]);
        check("<a>", &[3], &[Piece::Text(0..3)]);
        check("<a>x", &[0, 4], &[Piece::Control(1, 0..3), Piece::Text(3..4)]);
        check("<a><a>", &[1], &[Piece::Text(0..3), Piece::Control(1, 3..6)]);
    }

    #[test]
    fn wide_tokens_take_their_spaces() {
        check("x <w> y", &[], &[Piece::Text(0..1), Piece::Control(9, 1..6), Piece::Text(6..7)]);
    }
}
