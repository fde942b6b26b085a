//! Where in a page the writing stands, told by its tags alone.
//!
//! Pages say it in one of four ways, tried in this order: an element whose class or property is that
//! of a post's content; `article`; `main`; the body. Several articles of like size are an archive
//! and each is a piece of writing. Inside, what is for getting about, sharing, selling and commenting
//! is left out.

use std::ops::Range;

use super::super::chars;
use super::tag::{Tag, tag};
use super::words_of;

/// Elements left out wherever they stand.
const FURNITURE: &[&str] =
    &["nav", "aside", "footer", "form", "button", "select", "dialog", "menu", "iframe", "head"];
/// Elements that never have an end tag.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// Classes, ids and properties of what a post says.
const CONTENT: &[&str] = &[
    "entry-content",
    "post-content",
    "post-body",
    "postbody",
    "article-body",
    "article-content",
    "articlebody",
    "e-content",
    "markdown-body",
    "post__content",
    "blog-post-content",
    "available-content",
    "postarticle-content",
];
/// Beginnings of classes and ids of what readers say.
const COMMENTS: &[&str] = &["comment", "disqus", "respond", "webmention", "talkback", "isso-thread"];
/// Classes and ids of what is no writing.
const AROUND: &[&str] = &[
    "share",
    "sharing",
    "sharedaddy",
    "social",
    "related",
    "newsletter",
    "cookie",
    "breadcrumb",
    "breadcrumbs",
    "sidebar",
    "pagination",
    "navigation",
    "nav",
    "menu",
    "jp-relatedposts",
    "tags",
    "post-meta",
    "entry-meta",
    "byline",
    "advertisement",
    "ad",
    "promo",
    "subscribe",
    "subscription-widget",
    "screen-reader-text",
    "toc",
];
/// Elements open at once beyond which nesting is no longer followed.
const MAX_OPEN: usize = 4096;
/// An article counts beside the largest from this share of its length.
const LIKE_SIZE: f64 = 0.2;

/// A stretch of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) range: Range<usize>,
    /// What is left out of it, in order, without overlap.
    pub(super) left_out: Vec<Range<usize>>,
    /// Its own heading.
    pub(super) title: Option<String>,
}

/// A page, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) regions: Vec<Region>,
    /// The title of the page as a whole.
    pub(super) title: Option<String>,
    pub(super) date: Option<String>,
    /// Who wrote it, as the page says.
    pub(super) author: Option<String>,
    /// Where it stands, as the page says.
    pub(super) url: Option<String>,
    /// Characters of readers' comments, tags included.
    pub(super) comment_chars: u64,
}

/// What an element is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Content,
    Article,
    Main,
    Body,
    Heading,
    Title,
    Time,
    Comments,
    Around,
    Other,
}

/// An element with what lies between its tags and with them.
#[derive(Debug)]
struct Element {
    role: Role,
    whole: Range<usize>,
    inner: Range<usize>,
}

impl Page {
    pub(super) fn of(text: &str) -> Self {
        let elements = elements(text);
        let of = |role: Role| elements.iter().filter(move |e| e.role == role);
        let words = |role: Role| of(role).map(|e| words_of(&text[e.inner.clone()])).find(|w| !w.is_empty());
        let comments = outermost(of(Role::Comments));
        let left_out = outermost(of(Role::Comments).chain(of(Role::Around)));
        let regions = ranges(text, &elements, &left_out).into_iter();
        let title = meta(text, "og:title").or_else(|| words(Role::Title).map(|title| without_site(&title)));
        Self {
            regions: regions.map(|range| region(text, range, &elements, &left_out)).collect(),
            title,
            date: meta(text, "article:published_time").or_else(|| of(Role::Time).find_map(|e| time(text, e))),
            author: meta(text, "author").or_else(|| meta(text, "article:author")),
            url: meta(text, "og:url").or_else(|| canonical(text)),
            comment_chars: comments.iter().map(|range| chars(&text[range.clone()])).sum(),
        }
    }
}

/// The ranges of ranges that lie in no other.
fn outermost<'a>(elements: impl Iterator<Item = &'a Element>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = elements.map(|e| e.whole.clone()).collect();
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    ranges.retain(|range| {
        let is_outer = range.start >= end;
        end = end.max(range.end);
        is_outer
    });
    ranges
}

/// Where the writing stands.
fn ranges(text: &str, elements: &[Element], left_out: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_in =
        |range: &Range<usize>, other: &Range<usize>| other.start <= range.start && range.end <= other.end;
    for role in [Role::Content, Role::Article, Role::Main, Role::Body] {
        let outer = outermost(elements.iter().filter(|e| e.role == role));
        let kept: Vec<_> = outer.into_iter().filter(|r| !left_out.iter().any(|l| is_in(r, l))).collect();
        let longest = kept.iter().map(Range::len).max().unwrap_or(0);
        let like = |range: &Range<usize>| range.len() as f64 >= LIKE_SIZE * longest as f64;
        if longest > 0 {
            return kept.into_iter().filter(like).collect();
        }
    }
    vec![Range { start: 0, end: text.len() }]
}

fn region(text: &str, range: Range<usize>, elements: &[Element], left_out: &[Range<usize>]) -> Region {
    let inside = |other: &Range<usize>| range.start <= other.start && other.end <= range.end;
    let headings: Vec<&Element> =
        elements.iter().filter(|e| e.role == Role::Heading && inside(&e.whole)).collect();
    // A heading that opens the writing is its title.
    let first = headings.first().filter(|e| words_of(&text[range.start..e.whole.start]).is_empty());
    let title = first.map(|e| words_of(&text[e.inner.clone()])).filter(|title| !title.is_empty());
    let mut left_out: Vec<Range<usize>> = left_out.iter().filter(|r| inside(r)).cloned().collect();
    left_out.extend(first.filter(|_| title.is_some()).map(|e| e.whole.clone()));
    left_out.sort_by_key(|range| range.start);
    Region { range, left_out, title }
}

/// `Tea | A site` without the site.
fn without_site(title: &str) -> String {
    let cut = [" | ", " – ", " — ", " » ", " :: "].iter().filter_map(|mark| title.find(mark)).min();
    title[..cut.unwrap_or(title.len())].trim().to_owned()
}

/// The content of a `meta` element.
fn meta(text: &str, name: &str) -> Option<String> {
    let at = text.find(&format!("\"{name}\""))?;
    let start = text[..at].rfind('<')?;
    let tag = tag(&text[start..])?;
    let whole = &text[start..start + tag.length];
    attribute(whole, "content").map(words_of).filter(|words| !words.is_empty())
}

/// The address a page gives as its own.
fn canonical(text: &str) -> Option<String> {
    let at = text.find("rel=\"canonical\"").or_else(|| text.find("rel=canonical"))?;
    let start = text[..at].rfind('<')?;
    let tag = tag(&text[start..])?;
    attribute(&text[start..start + tag.length], "href").map(words_of).filter(|words| !words.is_empty())
}

fn time(text: &str, element: &Element) -> Option<String> {
    attribute(&text[element.whole.start..element.inner.start], "datetime").map(str::to_owned)
}

/// The value of an attribute of a tag.
pub(in crate::collect) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let lower = tag.to_ascii_lowercase();
    let found = lower.match_indices(name).find(|(at, _)| {
        lower[..*at].ends_with(char::is_whitespace) && lower[at + name.len()..].trim_start().starts_with('=')
    });
    let rest = tag[found?.0 + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next(),
        _ => rest.split(|c: char| c.is_whitespace() || c == '>').next(),
    }
}

/// What a tag is for.
fn role(name: &str, whole: &str) -> Role {
    let is = |list: &[&str]| list.iter().any(|n| n.eq_ignore_ascii_case(name));
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "title" => return Role::Title,
        "time" => return Role::Time,
        "h1" | "h2" => return Role::Heading,
        "body" => return Role::Body,
        _ if is(FURNITURE) => return Role::Around,
        _ => {}
    }
    let values = ["class", "id", "itemprop", "role"].iter().filter_map(|name| attribute(whole, name));
    let mut found = Role::Other;
    for value in values {
        for word in value.split_whitespace() {
            let word = word.to_ascii_lowercase();
            match () {
                () if COMMENTS.iter().any(|start| word.starts_with(start)) => return Role::Comments,
                () if AROUND.contains(&word.as_str()) => found = Role::Around,
                () if CONTENT.contains(&word.as_str()) && found == Role::Other => found = Role::Content,
                () => {}
            }
        }
    }
    match (found, lower.as_str()) {
        (Role::Other, "article") => Role::Article,
        (Role::Other, "main") => Role::Main,
        (found, _) => found,
    }
}

/// Every element that has a role, in order of its start.
fn elements(text: &str) -> Vec<Element> {
    let mut done: Vec<Element> = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        let Some(tag) = tag(&text[start..]) else {
            at = start + 1;
            continue;
        };
        at = start + tag.length;
        let name = tag.raw_name();
        if tag.is_end() {
            close(&mut open, &mut done, name, start, at);
        } else if tag.hides() && !name.eq_ignore_ascii_case("head") {
            at = hidden_end(text, at, name);
        } else if begins(&tag, &text[start..at]) && open.len() < MAX_OPEN {
            open.push((name, done.len()));
            let role = role(name, &text[start..at]);
            done.push(Element { role, whole: start..text.len(), inner: at..text.len() });
        }
    }
    done.retain(|element| element.role != Role::Other);
    done
}

fn begins(tag: &Tag<'_>, whole: &str) -> bool {
    let name = tag.raw_name();
    !name.is_empty()
        && !whole.ends_with("/>")
        && !whole.starts_with("<!")
        && !VOID.iter().any(|v| v.eq_ignore_ascii_case(name))
}

/// Ends the innermost open element of a name, and with it all that were left open inside.
fn close(open: &mut Vec<(&str, usize)>, done: &mut [Element], name: &str, start: usize, end: usize) {
    // Paragraphs and list items are left open everywhere; looking far up for them costs too much.
    let within = open.iter().rev().take(256).position(|(other, _)| other.eq_ignore_ascii_case(name));
    let Some(up) = within else { return };
    for (depth, (_, idx)) in open.drain(open.len() - 1 - up..).enumerate() {
        done[idx].inner.end = start;
        done[idx].whole.end = if depth == 0 { end } else { start };
    }
}

/// Where an element that shows no words ends: its end tag, or the end of the page.
fn hidden_end(text: &str, at: usize, name: &str) -> usize {
    let closes = |found: usize| {
        let after = text[found + 2..].get(..name.len());
        after.is_some_and(|after| after.eq_ignore_ascii_case(name))
    };
    let mut ends = text[at..].match_indices("</").map(|(found, _)| at + found);
    let end = ends.find(|found| closes(*found)).unwrap_or(text.len());
    text[end..].find('>').map_or(text.len(), |found| end + found + 1)
}
