//! Web pages: the writing in them, without the page around it.
//!
//! A page is read as a stream of tags and never as a tree, so that no page, however deep, costs more
//! than its length. Where the writing stands is told by what pages say of themselves ([`region`]);
//! comments of readers and quotations set apart are other people's words and are counted apart.

pub(super) mod quotation;
pub(in crate::collect) mod region;
pub(in crate::collect) mod tag;

use std::ops::Range;

use self::region::{Page, Region};
use super::{Claim, Format, Reading, Source, chars, claim, extension, section, words};
use crate::document::{Body, Document, Kind, Title};
use crate::edit::{self, Edit};
use crate::issue::{Code, Issue, Severity};
use crate::provenance::Author;

/// Reason for everything that is no writing.
pub(super) const AROUND: &str = "html tags and the page around the text";
/// Words below which a page may be nothing but an excuse.
const EXCUSE_WORDS: usize = 80;
/// What stands on a page that was not the page.
const EXCUSES: &[&str] = &[
    "enable javascript",
    "javascript is disabled",
    "javascript is required",
    "are you a robot",
    "are not a robot",
    "verify you are human",
    "checking your browser",
    "access denied",
    "log in to continue",
    "sign in to continue",
    "subscribe to continue",
    "accept cookies",
    "page not found",
    "404 not found",
    "403 forbidden",
    "internal server error",
    "service unavailable",
    "bad gateway",
];

pub(super) const FORMAT: Format = Format {
    name: "html",
    about: "a web page; what stands in its article or main part, without comments of readers",
    needs: "",
    yields: "writing",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let extension = extension(source.path);
    if matches!(extension.as_str(), "html" | "htm" | "xhtml") {
        return claim(90, format!("the name ends in .{extension}"));
    }
    let head: String = source.text.trim_start().chars().take(300).collect::<String>().to_ascii_lowercase();
    let is_page = head.starts_with("<!doctype html") || head.starts_with("<html") || head.contains("\n<html");
    is_page.then(|| claim(90, "the text begins as a web page")).flatten()
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let mut page = Page::of(source.text);
    if !source.settings.quotations {
        leave_out(source.text, &mut page, &mut reading);
    }
    reading.tally.drop("readers' comments", page.comment_chars);
    for region in &page.regions {
        let text = flat(source.text, region);
        if is_excuse(&text) {
            let detail = "an error page or a wall, not the writing";
            reading.issues.push(Issue::new(source.path, Code::Blocked, Severity::Bad, detail));
            continue;
        }
        let title = region.title.clone().or_else(|| page.title.clone());
        let title = title.filter(|title| !title.is_empty()).map(|text| Title { text, given: true });
        place(source, &text, title, page.date.as_deref(), &mut reading);
    }
    for document in &mut reading.documents {
        document.provenance.author = page.author.clone().map(|name| Author { name, id: None });
        document.provenance.url.clone_from(&page.url);
    }
    reading.close(source.text, AROUND);
    reading
}

/// Leaves quotations out of what is written.
fn leave_out(text: &str, page: &mut Page, reading: &mut Reading) {
    let quoted = quotation::ranges(text);
    for region in &mut page.regions {
        let is_in = |range: &Range<usize>| region.range.start <= range.start && range.end <= region.range.end;
        let is_apart = |range: &Range<usize>| {
            region.left_out.iter().all(|other| range.end <= other.start || other.end <= range.start)
        };
        let new: Vec<_> = quoted.iter().filter(|range| is_in(range) && is_apart(range)).cloned().collect();
        let n_chars = new.iter().map(|range| chars(&text[range.clone()])).sum();
        reading.tally.drop(quotation::QUOTED, n_chars);
        region.left_out.extend(new);
        region.left_out.sort_by_key(|range| range.start);
    }
}

/// HTML without its quotations, and how many characters of words they held.
pub(super) fn without_quotations(html: &str) -> (String, u64) {
    let (mut own, mut at, mut n_chars) = (String::with_capacity(html.len()), 0, 0);
    for range in quotation::ranges(html) {
        own.push_str(&html[at..range.start]);
        own.push_str("<p></p>");
        n_chars += chars(&words_of(&html[range.clone()]));
        at = range.end;
    }
    own.push_str(&html[at..]);
    (own, n_chars)
}

/// Puts one text into a reading: as a post, or divided where it is long.
pub(super) fn place(
    source: &Source<'_>,
    text: &str,
    title: Option<Title>,
    date: Option<&str>,
    reading: &mut Reading,
) {
    if text.trim().is_empty() {
        return;
    }
    let first = reading.documents.len();
    if section::is_long(source, text) {
        let mut partition = super::partition::Partition::new(text);
        let divided = section::divide(source, text, &mut partition, title);
        let moved = divided.into_iter().enumerate().map(|(idx, d)| d.moved(first + idx));
        reading.documents.extend(moved);
        reading.tally.merge(&partition.finish());
    } else {
        let kind = if title.is_some() { Kind::Post } else { Kind::Text };
        let body = Body::Text(text.trim().to_owned());
        reading.documents.push(Document::new(source.path, first, kind, title, body));
    }
    for document in &mut reading.documents[first..] {
        document.date = date.map(str::to_owned);
    }
}

/// The words of a region as a browser would break them.
fn flat(text: &str, region: &Region) -> String {
    let mut edits: Vec<Edit> = region.left_out.iter().map(|range| Edit::cut(range.clone(), AROUND)).collect();
    let (mut at, mut feeds) = (region.range.start, 2);
    let end = Range { start: region.range.end, end: region.range.end };
    for gap in region.left_out.iter().cloned().chain(std::iter::once(end)) {
        if at < gap.start {
            feeds = tag::find(text, at..gap.start, feeds, &mut edits);
        }
        at = at.max(gap.end);
    }
    edits.push(Edit::cut(0..region.range.start, AROUND));
    edits.push(Edit::cut(region.range.end..text.len(), AROUND));
    edit::apply(text, edits).text.trim().to_owned()
}

/// The words of a piece of HTML that is all writing: a chapter, the entry of a feed.
pub(crate) fn words_of(html: &str) -> String {
    let mut edits = Vec::new();
    tag::find(html, 0..html.len(), 2, &mut edits);
    edit::apply(html, edits).text.trim().to_owned()
}

/// Whether a short text says that the page could not be had.
fn is_excuse(text: &str) -> bool {
    let lower = text.to_lowercase();
    chars(text) < 2000 && words(text) < EXCUSE_WORDS && EXCUSES.iter().any(|excuse| lower.contains(excuse))
}

#[cfg(test)]
mod tests;
