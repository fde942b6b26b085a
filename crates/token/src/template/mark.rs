//! Marks that travel through a template unseen and come out as positions.
//!
//! Two things are lost once a template has turned messages into one text:
//! which of it a model is to generate, and which of it a person typed. Both
//! are carried through by letters from a private-use area that occur nowhere
//! else in the conversation, and are taken out again here.
//!
//! `{% generation %}` is an extension of `transformers` that minijinja does
//! not know. It is rewritten to a filter block, which has the same whitespace
//! rules and the same line, and whose filter puts the marks around its text.

use std::ops::Range;

use super::Rendered;
use crate::tokenizer::special::Specials;

/// The filter `{% generation %}` is rewritten to.
pub(super) const FILTER: &str = "penname_generation";
/// The variable that holds the opening mark.
pub(super) const OPEN: &str = "penname_open";
/// The variable that holds the closing mark.
pub(super) const CLOSE: &str = "penname_close";

/// Three letters that occur nowhere in a conversation.
pub(super) struct Marks {
    /// Opens a generated span.
    pub(super) open: char,
    /// Closes it.
    pub(super) close: char,
    guard: char,
}

impl Marks {
    /// Picks letters that neither the messages nor the template use.
    pub(super) fn absent_from<'m>(messages: impl Iterator<Item = &'m str>, source: &str) -> Self {
        let is_private = |c: &char| ('\u{100000}'..='\u{10fffd}').contains(c);
        let mut used: Vec<char> = messages.flat_map(str::chars).filter(is_private).collect();
        used.extend(source.chars().filter(is_private));
        used.sort_unstable();
        let mut free = ('\u{100000}'..='\u{10fffd}').filter(|c| used.binary_search(c).is_err());
        let mut next = || free.next().unwrap_or('\u{10ffff}');
        Self { open: next(), close: next(), guard: next() }
    }

    /// Puts a guard inside every control token that a message spells.
    pub(super) fn guard(&self, content: &str, specials: &Specials) -> String {
        let mut guarded = String::with_capacity(content.len());
        let mut done = 0;
        for spelled in specials.spellings(content) {
            let after_first = spelled.start + content[spelled].chars().next().map_or(0, char::len_utf8);
            guarded.push_str(&content[done..after_first]);
            guarded.push(self.guard);
            done = after_first;
        }
        guarded.push_str(&content[done..]);
        guarded
    }

    /// Takes every mark out of the text and notes where it stood.
    pub(super) fn read(&self, marked: &str) -> Rendered {
        let mut rendered = Rendered { text: String::with_capacity(marked.len()), ..Rendered::default() };
        let mut opened = Vec::new();
        for letter in marked.chars() {
            let at = rendered.text.len();
            if letter == self.guard {
                rendered.guards.push(at);
            } else if letter == self.open {
                opened.push(at);
            } else if letter == self.close {
                rendered.generated.extend(opened.pop().map(|start: usize| Range { start, end: at }));
            } else {
                rendered.text.push(letter);
            }
        }
        rendered
    }
}

/// Rewrites `{% generation %}` and its end, outside comments.
pub(super) fn rewrite(source: &str) -> String {
    let mut rewritten = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%").into_iter().chain(rest.find("{#")).min() {
        let (before, from) = rest.split_at(at);
        rewritten.push_str(before);
        let taken = match from.strip_prefix("{#") {
            Some(comment) => comment.find("#}").map_or(from.len(), |end| end + 4),
            None => tag(from).map_or(2, |(replacement, len)| {
                rewritten.push_str(&replacement);
                rest = &from[len..];
                0
            }),
        };
        if taken > 0 {
            rewritten.push_str(&from[..taken]);
            rest = &from[taken..];
        }
    }
    rewritten.push_str(rest);
    rewritten
}

/// If `from` begins with one of the two tags, what to write instead and how
/// much of it that replaces.
fn tag(from: &str) -> Option<(String, usize)> {
    let end = from.find("%}")? + 2;
    let inner = &from[2..end - 2];
    let trims = |c: char| c == '-' || c == '+';
    let before = if inner.starts_with(trims) { &inner[..1] } else { "" };
    let inner = &inner[before.len()..];
    let after = if inner.ends_with(trims) { &inner[inner.len() - 1..] } else { "" };
    let word = match inner[..inner.len() - after.len()].trim() {
        "generation" => format!("filter {FILTER}"),
        "endgeneration" => "endfilter".to_owned(),
        _ => return None,
    };
    // Line breaks inside the tag are kept so that errors name the right line.
    let breaks = "\n".repeat(inner.matches('\n').count());
    Some((format!("{{%{before} {word} {breaks}{after}%}}"), end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::AddedToken;

    #[test]
    fn rewrites_tags_and_leaves_comments() {
        let check = |source: &str, expected: &str| assert_eq!(rewrite(source), expected);
        check("a{% if x %}b", "a{% if x %}b");
        check("{%- generation -%}x{% endgeneration %}", "{%- filter penname_generation -%}x{% endfilter %}");
        check("{%generation%}", "{% filter penname_generation %}");
        check(
            "{# {% generation %} #}{% generation\n%}",
            "{# {% generation %} #}{% filter penname_generation \n%}",
        );
        check("{{ generation }}{% set generation = 1 %}", "{{ generation }}{% set generation = 1 %}");
        check("{# open", "{# open");
        check("{% open", "{% open");
        check("{#}{% generation %}", "{#}{% generation %}");
    }

    #[test]
    fn marks_avoid_letters_that_are_in_use() {
        let marks = Marks::absent_from(["\u{100000}x"].into_iter(), "\u{100001}");
        assert_eq!(marks.open, '\u{100002}');
        let text = "\u{100000}x";
        assert_eq!(marks.read(text).text, text);
    }

    #[test]
    fn guards_stand_inside_every_spelled_token() {
        let specials = Specials::new([(1, AddedToken::from("<e>", true)), (2, AddedToken::from("é!", true))]);
        let marks = Marks::absent_from([].into_iter(), "");
        let read = marks.read(&marks.guard("a<e>é!<", &specials));
        assert_eq!((read.text.as_str(), read.guards.as_slice()), ("a<e>é!<", &[2, 6][..]));
    }

    #[test]
    fn generated_spans_are_positions_in_the_clean_text() {
        let marks = Marks::absent_from([].into_iter(), "");
        let (open, close) = (marks.open, marks.close);
        let read = marks.read(&format!("ab{open}cd{close}e{open}{close}"));
        assert_eq!((read.text.as_str(), read.generated), ("abcde", vec![2..4, 5..5]));
    }
}
