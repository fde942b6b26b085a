//! Tags of the machinery around a post: Liquid, kramdown attributes, WordPress shortcodes.

use crate::edit::Edit;

const LIQUID: &str = "template tags";
const KRAMDOWN: &str = "kramdown attributes";
const SHORTCODE: &str = "shortcodes";

/// Longest tag, in bytes.
const MAX_TAG: usize = 4096;
/// Longest Liquid comment, in bytes.
const MAX_COMMENT: usize = 1 << 16;

/// WordPress shortcodes that hold no words of the author.
const SHORTCODES: &[&str] =
    &["caption", "gallery", "embed", "youtube", "audio", "video", "playlist", "wp_caption", "more"];

/// Lists the tags of a post.
pub(super) fn find(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '[']) {
        let start = at + found;
        match tag(text, start) {
            Some((end, rule)) => {
                edits.push(Edit::cut(start..end, rule));
                at = end;
            }
            None => at = start + 1,
        }
    }
    edits
}

/// The end of the tag that begins at `start`, if one does.
fn tag(text: &str, start: usize) -> Option<(usize, &'static str)> {
    let rest = &text[start..];
    match rest.as_bytes().get(..2)? {
        b"{%" => {
            let end = start + closed(rest, "%}")?;
            let name = rest[2..].trim_start_matches(['-', ' ']);
            let end = if name.starts_with("comment") { end_of_comment(text, end) } else { end };
            Some((end, LIQUID))
        }
        b"{{" => Some((start + closed(rest, "}}")?, LIQUID)),
        b"{:" => kramdown(rest).map(|end| (start + end, KRAMDOWN)),
        _ => shortcode(rest).map(|end| (start + end, SHORTCODE)),
    }
}

/// Bytes up to and with `close`, if it comes soon.
fn closed(rest: &str, close: &str) -> Option<usize> {
    find_within(rest, close, MAX_TAG).map(|at| at + close.len())
}

/// Where an ASCII pattern begins within the first `max` bytes. The bound keeps a text of nothing
/// but openers from costing the square of its length.
fn find_within(text: &str, pattern: &str, max: usize) -> Option<usize> {
    let window = &text.as_bytes()[..text.len().min(max)];
    window.windows(pattern.len()).position(|bytes| bytes == pattern.as_bytes())
}

fn end_of_comment(text: &str, from: usize) -> usize {
    let end = || {
        let start = from + find_within(&text[from..], "endcomment", MAX_COMMENT)?;
        Some(start + closed(&text[start..], "%}")?)
    };
    end().unwrap_or(from)
}

/// `{: .class #id key="v"}` and `{:toc}`, but not a Ruby hash such as `{:a => 1}`.
fn kramdown(rest: &str) -> Option<usize> {
    let end = closed(rest, "}")?;
    let inner = &rest[2..end - 1];
    let is_attribute = inner.starts_with([' ', '.', '#']) || inner.contains('=') || inner == "toc";
    (is_attribute && !inner.contains('\n') && !inner.contains("=>")).then_some(end)
}

/// `[caption id="x" …]`, `[/caption]`, `[gallery]`; a Markdown link is none.
fn shortcode(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('[')?;
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let end_of_name = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, after) = name.split_at(end_of_name);
    if !SHORTCODES.contains(&name) || !after.starts_with([' ', ']']) {
        return None;
    }
    let end = closed(rest, "]")?;
    (!rest[end..].starts_with(['(', '['])).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    fn check(text: &str, expected: &str) {
        assert_eq!(apply(text, find(text)).text, expected);
    }

    #[test]
    fn tags_go_and_words_stay() {
        check("a {% include x.html %}b {{ site.url }}c", "a b c");
        check("{% raw %}kept{% endraw %} {% comment %}gone{% endcomment %}.", "kept .");
        check("para\n{: .lead #x}\n{:toc}\nnext", "para\n\n\nnext");
        check("{:a => 1} {: \n} {{ open", "{:a => 1} {: \n} {{ open");
        check(
            "[caption id=\"a\" caption=\"Mine!\"]![x](y)[/caption] [more](z) [gallery]",
            "![x](y) [more](z) ",
        );
        check("[", "[");
    }
}
