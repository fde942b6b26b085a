//! What sort of page a page is, by its address and by what it says of itself.

use super::super::address::Address;
use super::super::polite::Answer;
use crate::collect::files::html::tag::tag;
use crate::encoding;

/// Endings of addresses that are no pages.
const OTHER: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "pdf", "zip", "gz", "mp3", "mp4", "mov", "css", "js",
    "json", "woff", "woff2", "doc", "docx", "epub", "txt",
];
/// Parts of paths and queries of the machinery.
const MACHINERY: &[&str] = &[
    "/wp-json",
    "/wp-admin",
    "/wp-login",
    "/wp-content/",
    "/xmlrpc.php",
    "replytocom=",
    "share=",
    "/comments/feed",
];
/// Parts of paths of pages that list others.
const LISTS: &[&str] = &[
    "/page/",
    "/tag/",
    "/tags/",
    "/category/",
    "/categories/",
    "/author/",
    "/archive",
    "/archives",
    "/search",
    "/label/",
    "/feed",
    "/rss",
    "/atom",
];
/// Fields of a query that only count visitors.
const COUNTERS: &[&str] = &["utm_", "fbclid", "gclid", "ref", "mc_cid", "mc_eid"];

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// One piece of writing.
    Post,
    /// A page that leads to others.
    List,
    /// A feed or a list of pages for machines.
    Map,
    /// Nothing of use.
    Other,
}

/// What sort of page it is. Where pages do not say, one that is no list is a post.
pub(super) fn sort(address: &Address, body: &str) -> Sort {
    let head = body[..body.floor_char_boundary(1 << 12)].trim_start().to_ascii_lowercase();
    let is_map =
        ["<urlset", "<sitemapindex", "<rss", "<feed", "<rdf:rdf"].iter().any(|name| head.contains(name));
    let is_html = head.contains("<html")
        || head.contains("<!doctype html")
        || head.contains("<body")
        || head.contains("<p");
    match () {
        () if is_map && !head.contains("<html") => Sort::Map,
        () if !is_html => Sort::Other,
        () if is_list(address) => Sort::List,
        () if says_post(body) => Sort::Post,
        () if n_articles(body) > 1 => Sort::List,
        () => Sort::Post,
    }
}

/// Whether a page calls itself a piece of writing.
fn says_post(body: &str) -> bool {
    let head = body[..body.floor_char_boundary(1 << 17)].to_ascii_lowercase();
    let has = |property: &str, content: &str| {
        let found =
            head.find(property).and_then(|at| head[at..].split('>').next().map(|tag| tag.contains(content)));
        found.unwrap_or(false)
    };
    has("og:type", "article") || head.contains("article:published_time") || head.contains("\"blogposting\"")
}

/// Articles of a page, those of comments left out.
fn n_articles(body: &str) -> usize {
    let found = body.match_indices("<article").map(|(at, _)| &body[at..]);
    found.filter(|rest| tag(rest).is_some_and(|tag| !rest[..tag.length].contains("comment"))).count()
}

/// Whether an address is that of a page that lists others.
pub(super) fn is_list(address: &Address) -> bool {
    let rest = address.rest().to_ascii_lowercase();
    let is_date = |path: &str| {
        let mut parts = path.trim_matches('/').split('/').rev();
        let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(last), None, _) => digits(last, 4),
            (Some(last), Some(before), _) if digits(last, 2) => digits(before, 4) || digits(before, 2),
            _ => false,
        }
    };
    LISTS.iter().any(|part| rest.contains(part))
        || rest.contains("?page=")
        || rest.contains("?paged=")
        || rest.ends_with(".xml")
        || is_date(address.path())
}

/// Whether an address may be that of a page.
pub(super) fn is_page(address: &Address) -> bool {
    let rest = address.rest().to_ascii_lowercase();
    let name = address.path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !OTHER.contains(&ending) && !MACHINERY.iter().any(|part| rest.contains(part))
}

/// An address without what only counts visitors.
pub(super) fn bare(address: &Address) -> Address {
    let Some((path, query)) = address.rest().split_once('?') else { return address.clone() };
    let is_kept = |field: &&str| !COUNTERS.iter().any(|name| field.starts_with(name));
    let fields: Vec<&str> = query.split('&').filter(is_kept).filter(|field| !field.is_empty()).collect();
    let query = if fields.is_empty() { String::new() } else { format!("?{}", fields.join("&")) };
    Address::parse(&format!("{}{path}{query}", address.origin())).unwrap_or_else(|| address.clone())
}

/// An answer as text, by the encoding that it declares or that is found.
pub(super) fn text(answer: &Answer) -> String {
    encoding::decode(&answer.body).map_or_else(|_| String::new(), |decoded| decoded.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Address {
        Address::parse(&format!("https://a.test{path}")).unwrap()
    }

    #[test]
    fn lists_are_told_from_posts() {
        let check = |path: &str, expected: bool| assert_eq!(is_list(&at(path)), expected, "{path}");
        check("/2020/", true);
        check("/2020/05", true);
        check("/2020/05/07/", true);
        check("/2020/05/07/tea", false);
        check("/tag/tea", true);
        check("/tea?page=2", true);
        check("/tea", false);
        assert_eq!(sort(&at("/x"), "<html><article>a</article><article>b</article>"), Sort::List);
        assert_eq!(
            sort(&at("/x"), "<html><article>a</article><article class=comment>b</article>"),
            Sort::Post
        );
        let says =
            "<html><meta property=\"og:type\" content=\"article\"><article>a</article><article>b</article>";
        assert_eq!(sort(&at("/x"), says), Sort::Post);
        assert_eq!(sort(&at("/x"), "<?xml version='1.0'?><urlset>"), Sort::Map);
        assert_eq!(sort(&at("/x"), "{}"), Sort::Other);
    }

    #[test]
    fn addresses_are_pages_without_their_counters() {
        assert!(!is_page(&at("/a.JPG")) && !is_page(&at("/tea?replytocom=3")) && is_page(&at("/tea.html")));
        assert_eq!(bare(&at("/tea?utm_source=x&p=3")).rest(), "/tea?p=3");
        assert_eq!(bare(&at("/tea?fbclid=x")).rest(), "/tea");
    }
}
