//! Web addresses: read, put together, compared.
//!
//! Only what collecting needs: http and https, links resolved as browsers resolve them (RFC 3986,
//! section 5), and no way from https to http.

use std::fmt;

/// An address without its fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    scheme: String,
    authority: String,
    /// Path and query; begins with `/`.
    rest: String,
}

impl Address {
    /// Reads an address with its scheme.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let is_host = !authority.is_empty()
            && authority.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
        if !matches!(scheme.as_str(), "http" | "https") || !is_host {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        Some(Self { authority: authority.to_ascii_lowercase(), scheme, rest: escaped(&without_dots(&rest)) })
    }

    /// Where a link on the page at this address leads; nowhere where it is no page.
    pub(super) fn join(&self, link: &str) -> Option<Self> {
        let link = link.trim();
        let scheme_end =
            link.find(':').filter(|at| link[..*at].chars().all(|c| c.is_ascii_alphanumeric() || c == '+'));
        match (link, scheme_end) {
            (link, _) if link.starts_with("//") => Self::parse(&format!("{}:{link}", self.scheme)),
            (link, Some(at)) if link[at..].starts_with("://") => Self::parse(link),
            (_, Some(at)) if at > 0 => None,
            (link, _) => Self::parse(&format!("{}://{}{}", self.scheme, self.authority, self.path_of(link))),
        }
    }

    fn path_of(&self, link: &str) -> String {
        let path = self.path();
        match link.chars().next() {
            None | Some('#') => self.rest.clone(),
            Some('/') => link.to_owned(),
            Some('?') => format!("{path}{link}"),
            Some(_) => format!("{}/{link}", &path[..path.rfind('/').unwrap_or(0)]),
        }
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.rest.split('?').next().unwrap_or_default()
    }

    /// Path and query.
    pub(super) fn rest(&self) -> &str {
        &self.rest
    }

    /// Scheme, host and port: what a key may be sent to.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Host and port, for messages and for keeping hosts apart.
    pub(crate) fn host(&self) -> &str {
        &self.authority
    }

    /// Whether both are of one site: `www.` makes no difference, and neither does https.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let bare = |address: &Self| address.authority.trim_start_matches("www.").to_owned();
        bare(self) == bare(other)
    }

    /// Whether following a redirect to it gives up encryption.
    pub(super) fn is_weaker_than(&self, before: &Self) -> bool {
        before.scheme == "https" && self.scheme == "http"
    }

    /// The address without its query, in which services keep keys.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.origin(), self.path())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.rest)
    }
}

/// A path with its `.` and `..` taken out; the query stays.
fn without_dots(rest: &str) -> String {
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let mut parts: Vec<&str> = Vec::new();
    let n_parts = path.split('/').count();
    for (idx, part) in path.split('/').enumerate() {
        let is_last = idx + 1 == n_parts;
        match part {
            "." | ".." => {
                if part == ".." && parts.len() > 1 {
                    parts.pop();
                }
                if is_last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/") + query
}

/// Whatever may not stand in an address as it is becomes `%XX`; what is escaped stays so.
fn escaped(rest: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let escape = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    rest.bytes().map(escape).collect()
}

/// Text as the value of a query: everything but letters, digits and `-_.~` becomes `%XX`.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(link: &str, expected: Option<&str>) {
        let page = Address::parse("https://Blog.test/2020/post.html?p=1").unwrap();
        assert_eq!(page.join(link).map(|a| a.to_string()).as_deref(), expected, "{link}");
    }

    #[test]
    fn links_are_resolved_as_browsers_do() {
        check("/a b/é#top", Some("https://blog.test/a%20b/%C3%A9"));
        check("next.html", Some("https://blog.test/2020/next.html"));
        check("../x/./y/..", Some("https://blog.test/x/"));
        check("../../../x", Some("https://blog.test/x"));
        check("?p=2", Some("https://blog.test/2020/post.html?p=2"));
        check("#note", Some("https://blog.test/2020/post.html?p=1"));
        check("//cdn.test/x", Some("https://cdn.test/x"));
        check("HTTP://other.test", Some("http://other.test/"));
        check("mailto:ann@blog.test", None);
        check("javascript:void(0)", None);
        check("2020:notes", None);
        check("https://user:pw@blog.test/", None);
    }

    #[test]
    fn sites_and_schemes_are_compared() {
        let at = |text| Address::parse(text).unwrap();
        assert!(at("https://www.blog.test/a").is_beside(&at("http://blog.test/")));
        assert!(!at("https://blog.test:8080").is_beside(&at("https://blog.test")));
        assert!(at("http://a.test").is_weaker_than(&at("https://a.test")));
        assert_eq!(at("https://a.test/x?token=s").shown(), "https://a.test/x");
        assert_eq!(encoded("a b&c=é"), "a%20b%26c%3D%C3%A9");
    }

    proptest! {
        #[test]
        fn nothing_stops_it(link in "\\PC{0,40}") {
            let page = Address::parse("http://a.test/b/").unwrap();
            if let Some(found) = page.join(&link) {
                prop_assert_eq!(Address::parse(&found.to_string()), Some(found));
            }
        }
    }
}
