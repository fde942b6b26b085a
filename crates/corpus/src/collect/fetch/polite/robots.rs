//! What the owner of a site asks of machines: robots.txt.
//!
//! # Source
//! M. Koster et al., *Robots Exclusion Protocol*, RFC 9309, 2022: the group of the longest name
//! that is ours, or that of `*`; of the rules that fit, the longest counts, and `Allow` where two
//! are equally long. `Crawl-delay` is no part of it and is obeyed all the same.

use std::time::Duration;

/// Our name in it.
const NAME: &str = "penname";
/// Most of a file that is read, in bytes; the rest is cut off, as the standard allows.
const MAX_BYTES: usize = 512 << 10;
/// The longest delay that is believed: an hour.
const MAX_DELAY: f64 = 3600.0;

/// The rules for us.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct Robots {
    /// Whether a path may be read, by the pattern it fits.
    rules: Vec<(bool, String)>,
    /// Time between two pages.
    pub(in super::super) delay: Option<Duration>,
    /// Lists of pages.
    pub(in super::super) sitemaps: Vec<String>,
}

/// Rules for some names.
#[derive(Default)]
struct Group {
    names: Vec<String>,
    rules: Vec<(bool, String)>,
    delay: Option<Duration>,
}

impl Robots {
    /// Reads a file. What is no rule is passed over.
    pub(in super::super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BYTES)]);
        let (mut groups, mut sitemaps) = (Vec::<Group>::new(), Vec::new());
        let mut is_naming = false;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else { continue };
            let (field, value) = (field.trim().to_ascii_lowercase(), value.trim());
            match (field.as_str(), groups.last_mut()) {
                ("sitemap", _) => sitemaps.push(value.to_owned()),
                ("user-agent", Some(group)) if is_naming => group.names.push(value.to_ascii_lowercase()),
                ("user-agent", _) => {
                    groups.push(Group { names: vec![value.to_ascii_lowercase()], ..Group::default() });
                }
                ("allow" | "disallow", Some(group)) if !value.is_empty() => {
                    group.rules.push((field == "allow", value.to_owned()));
                }
                ("crawl-delay", Some(group)) => {
                    let seconds = value.parse::<f64>().ok().filter(|s| (0.0..=MAX_DELAY).contains(s));
                    group.delay = seconds.map(Duration::from_secs_f64);
                }
                _ => {}
            }
            is_naming = field == "user-agent"
                || (is_naming && !matches!(field.as_str(), "allow" | "disallow" | "crawl-delay"));
        }
        Self::of(groups, sitemaps)
    }

    fn of(groups: Vec<Group>, sitemaps: Vec<String>) -> Self {
        let named = |name: &str| groups.iter().any(|group| group.names.iter().any(|n| n == name));
        let ours = if named(NAME) { NAME } else { "*" };
        let mut robots = Self { sitemaps, ..Self::default() };
        for group in groups.into_iter().filter(|group| group.names.iter().any(|name| name == ours)) {
            robots.rules.extend(group.rules);
            robots.delay = robots.delay.max(group.delay);
        }
        robots
    }

    /// Whether a path with its query may be read.
    pub(in super::super) fn allows(&self, path: &str) -> bool {
        let fitting = self.rules.iter().filter(|(_, pattern)| fits(pattern, path));
        fitting
            .max_by_key(|(is_allowed, pattern)| (pattern.len(), *is_allowed))
            .is_none_or(|(is_allowed, _)| *is_allowed)
    }

    /// The rules of a site that answers its robots.txt with an error of its own: nothing is allowed.
    pub(in super::super) fn closed() -> Self {
        Self { rules: vec![(false, "/".to_owned())], ..Self::default() }
    }
}

/// Whether a path begins as a pattern says: `*` is anything, `$` the end. Pieces are looked for from
/// left to right, each at its first place, so that no pattern costs more than its length times the
/// path's.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, is_whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return !is_whole || rest.is_empty() };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    if is_whole { rest.ends_with(last) } else { rest.contains(last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, path: &str, expected: bool) {
        assert_eq!(Robots::parse(text.as_bytes()).allows(path), expected, "{text:?} {path}");
    }

    #[test]
    fn the_longest_rule_of_our_group_counts() {
        let text = "User-agent: *\nDisallow: /\n\nuser-agent: other\nUser-Agent: PenName\nDisallow: /private # x\nAllow: /private/open\n\
                    Disallow: /*.pdf$\n";
        check(text, "/a", true);
        check(text, "/private/x", false);
        check(text, "/private/open/x", true);
        check(text, "/a/b.pdf", false);
        check(text, "/a/b.pdf?x", true);
        check("User-agent: *\nDisallow: /a\nAllow: /a", "/a", true);
        check("User-agent: *\nDisallow:", "/a", true);
        check("User-agent: other\nDisallow: /", "/a", true);
        check("nonsense\nDisallow: /", "/a", true);
        check("User-agent: *\nDisallow: /x*y*z", "/x1y2z3", false);
        check("User-agent: *\nDisallow: /x*y*z", "/x1z2", true);
        assert!(!Robots::closed().allows("/a"));
    }

    #[test]
    fn delays_and_sitemaps_are_read() {
        let robots = Robots::parse(
            b"\xef\xbb\xbfSitemap: https://a.test/map.xml\nUser-agent: *\nCrawl-delay: 2.5\nDisallow: /x",
        );
        assert_eq!(robots.delay, Some(Duration::from_millis(2500)));
        assert_eq!(robots.sitemaps, ["https://a.test/map.xml"]);
        assert_eq!(Robots::parse(b"User-agent: *\nCrawl-delay: 1e9").delay, None);
        assert_eq!(Robots::parse(b"\xff\xfe\0"), Robots::default());
    }
}
