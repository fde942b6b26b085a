//! Where a page leads.

use super::page::Sort;
use crate::collect::files::html::region::attribute;
use crate::collect::files::html::tag::tag;
use crate::collect::files::html::words_of;

/// Links of one page beyond which nobody follows.
const MAX_LINKS: usize = 20_000;
/// What a link on to older pages is called.
const ON: &[&str] =
    &["next", "older", "older posts", "older entries", "previous posts", "next page", "more posts"];

/// The links of a page, in order, and whether each leads to a page that lists others.
pub(super) fn find(body: &str, sort: &Sort) -> Vec<(String, bool)> {
    match sort {
        Sort::Map => of_map(body),
        Sort::Post | Sort::List => of_page(body),
        Sort::Other => Vec::new(),
    }
}

/// The addresses in a list for machines, of either form.
fn of_map(body: &str) -> Vec<(String, bool)> {
    let is_index = body.contains("<sitemapindex");
    let mut found = Vec::new();
    for name in ["<loc>", "<link>"] {
        let end = name.replace('<', "</");
        let inner = body.split(name).skip(1).filter_map(|rest| rest.split(&end).next());
        let plain =
            |text: &str| words_of(text.trim().trim_start_matches("<![CDATA[").trim_end_matches("]]>"));
        found.extend(inner.map(|text| (plain(text), is_index)));
    }
    // Atom has its links in attributes.
    let atom = body.match_indices("<link ").filter_map(|(at, _)| {
        let length = tag(&body[at..])?.length;
        let whole = &body[at..at + length];
        let is_post = attribute(whole, "rel").is_none_or(|rel| rel == "alternate");
        is_post.then(|| attribute(whole, "href").map(|href| (words_of(href), false))).flatten()
    });
    found.extend(atom);
    found.truncate(MAX_LINKS);
    found
}

/// The links in the tags of a page. A page that asks not to be followed leads nowhere.
fn of_page(body: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = body[at..].find('<')
        && found.len() < MAX_LINKS
    {
        let start = at + next;
        let Some(tag) = tag(&body[start..]) else {
            at = start + 1;
            continue;
        };
        at = start + tag.length;
        let whole = &body[start..at];
        match tag.name().as_str() {
            "meta" if asks_to_stay(whole) => return Vec::new(),
            "a" | "link" if !tag.is_end() => found.extend(of_tag(whole, &body[at..], &tag.name())),
            _ => {}
        }
    }
    found
}

/// `<meta name="robots" content="nofollow">`.
fn asks_to_stay(whole: &str) -> bool {
    attribute(whole, "name").is_some_and(|name| name.eq_ignore_ascii_case("robots"))
        && attribute(whole, "content").is_some_and(|content| {
            content
                .split(',')
                .any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "nofollow" | "none"))
        })
}

fn of_tag(whole: &str, after: &str, name: &str) -> Option<(String, bool)> {
    let href = words_of(attribute(whole, "href")?);
    let rel = attribute(whole, "rel").unwrap_or_default().to_ascii_lowercase();
    let has = |word: &str| rel.split_whitespace().any(|found| found == word);
    let kind = attribute(whole, "type").unwrap_or_default();
    match name {
        "link" if has("next") => Some((href, true)),
        "link" if has("alternate") && (kind.contains("rss") || kind.contains("atom")) => Some((href, true)),
        "link" => None,
        _ if has("nofollow") => None,
        _ => {
            let words = after[..after.floor_char_boundary(200)].split("</").next().unwrap_or_default();
            let words = words_of(words).trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            Some((href, has("next") || ON.contains(&words.as_str())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, sort: Sort, expected: &[(&str, bool)]) {
        let found = find(body, &sort);
        let found: Vec<(&str, bool)> =
            found.iter().map(|(link, is_list)| (link.as_str(), *is_list)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn links_of_pages_are_found() {
        check(
            "<head><link rel=stylesheet href=x.css><link rel='alternate' type='application/rss+xml' href='/feed.xml'></head>\
             <a href=\"/tea?a=1&amp;b=2\">Tea</a><a rel=nofollow href=/ad>Ad</a><a href='/old'>&laquo; Older posts</a><a name=x>y</a>",
            Sort::List,
            &[("/feed.xml", true), ("/tea?a=1&b=2", false), ("/old", true)],
        );
        check("<meta name=robots content='noindex, nofollow'><a href=/x>x</a>", Sort::Post, &[]);
        check("<a href=/x>x", Sort::Other, &[]);
    }

    #[test]
    fn lists_for_machines_are_read() {
        check(
            "<urlset><url><loc> https://a.test/x </loc></url><url><loc>https://a.test/y&amp;z</loc></url></urlset>",
            Sort::Map,
            &[("https://a.test/x", false), ("https://a.test/y&z", false)],
        );
        check(
            "<sitemapindex><sitemap><loc>https://a.test/m.xml</loc>",
            Sort::Map,
            &[("https://a.test/m.xml", true)],
        );
        check(
            "<rss><channel><link>https://a.test</link><item><link><![CDATA[https://a.test/p]]></link></item>",
            Sort::Map,
            &[("https://a.test", false), ("https://a.test/p", false)],
        );
        check(
            "<feed><link rel=\"self\" href=\"/atom.xml\"/><entry><link href=\"/p\"/></entry></feed>",
            Sort::Map,
            &[("/p", false)],
        );
    }
}
