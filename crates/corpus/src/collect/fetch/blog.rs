//! A blog, read as a polite visitor reads it: what its owner lists, then what its pages lead to.
//!
//! robots.txt is asked first and obeyed, its delay included. Feeds, lists of pages (sitemaps) and the
//! links of pages say where posts are; links on to older pages are followed first. Only pages of the
//! same site below the given address are read, at most as many as the settings allow. A page that
//! lists others is looked through and not kept. What was asked before is asked for again only if it
//! has changed.
//!
//! What is writing on a page is decided by the reader of HTML, not here.

mod link;
mod page;

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use self::page::Sort;
use super::address::Address;
use super::polite::robots::Robots;
use super::polite::{Answer, Ask};
use super::{Fault, Kind, Source, Visit};
use crate::rights::Rights;

pub(super) const KIND: Kind = Kind {
    name: "blog",
    about: "a blog or site of one writer, page by page",
    needs: "`address`: where it begins; pages below it are read",
    yields: "posts",
    politely: "robots.txt is obeyed; a page every 2 seconds, or as slowly as its owner asks, one at a time",
    otherwise: "pages that you save yourself can be put into `writing`",
    every_seconds: 2.0,
    rights: Rights { basis: crate::rights::Basis::Unknown, ..Rights::PLATFORM },
    check: checked,
    fetch,
};

/// What the settings say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    address: String,
    /// Pages asked for at most in one pass, those that only list others included.
    #[serde(default = "pages")]
    pages: usize,
    /// Whether the lists of pages that the owner keeps for machines are used.
    #[serde(default = "yes")]
    sitemap: bool,
}

fn pages() -> usize {
    1000
}

fn yes() -> bool {
    true
}

fn checked(source: &Source) -> Result<(), String> {
    let options: Options = source.options()?;
    match Address::parse(&options.address) {
        Some(_) => Ok(()),
        None => Err(format!("its address `{}` does not begin with https://", options.address)),
    }
}

/// What is kept of an answer beyond a pass.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    etag: Option<String>,
    modified: Option<String>,
    body: String,
}

/// A visit under way.
struct Crawl {
    home: Address,
    robots: Robots,
    /// Places to go, lists before posts.
    lists: VecDeque<Address>,
    posts: VecDeque<Address>,
    seen: BTreeSet<String>,
    left: usize,
}

fn fetch(visit: &mut Visit<'_, '_>) -> Result<(), Fault> {
    let Ok(options) = visit.source.options::<Options>() else { return Ok(()) };
    let Some(home) = Address::parse(&options.address) else {
        return Err(Fault::Address { address: options.address });
    };
    let robots = robots(visit, &home)?;
    if !robots.allows(home.rest()) {
        return Err(Fault::Robots { host: home.host().to_owned(), path: home.path().to_owned() });
    }
    if let Some(delay) = robots.delay {
        visit.polite.at_least(delay);
    }
    let (lists, posts) = (VecDeque::new(), VecDeque::new());
    let mut crawl =
        Crawl { home: home.clone(), robots, lists, posts, seen: BTreeSet::new(), left: options.pages };
    crawl.add(home.clone(), true);
    if options.sitemap {
        crawl.maps();
    }
    while visit.left() > 0
        && crawl.left > 0
        && let Some(address) = crawl.lists.pop_front().or_else(|| crawl.posts.pop_front())
    {
        crawl.left -= 1;
        crawl.look(visit, &address)?;
    }
    Ok(())
}

/// What the owner asks of machines. Without a file everything may be read; a file that cannot be had
/// because the site fails closes it, as RFC 9309 says.
fn robots(visit: &mut Visit<'_, '_>, home: &Address) -> Result<Robots, Fault> {
    let address = format!("{}/robots.txt", home.origin());
    let Visit { polite, shelf, .. } = visit;
    let asked = shelf.once(&address, || Ok(polite.send(&Ask::get(&address)?)?.body));
    match asked {
        Ok(body) => Ok(Robots::parse(&body)),
        Err(Fault::Missing { .. } | Fault::Refused { .. } | Fault::Unauthorized { .. }) => {
            Ok(Robots::default())
        }
        Err(Fault::Server { .. }) => Ok(Robots::closed()),
        Err(fault) => Err(fault),
    }
}

impl Crawl {
    /// Remembers a place, once, where it may be read and is of this site.
    fn add(&mut self, address: Address, is_list: bool) {
        let is_ours = address.is_beside(&self.home) && address.path().starts_with(self.folder());
        // A list of pages may lie outside the folder whose pages it names.
        let is_map = is_list && address.path().ends_with(".xml") && address.is_beside(&self.home);
        if (is_ours || is_map) && self.robots.allows(address.rest()) && self.seen.insert(address.to_string())
        {
            if is_list { self.lists.push_back(address) } else { self.posts.push_back(address) }
        }
    }

    /// The folder below which pages are read.
    fn folder(&self) -> &str {
        let path = self.home.path();
        let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
        if is_file { &path[..path.rfind('/').map_or(0, |at| at + 1)] } else { path.trim_end_matches('/') }
    }

    /// Adds the lists of pages that robots.txt names, or else the usual one.
    fn maps(&mut self) {
        let named = std::mem::take(&mut self.robots.sitemaps);
        let usual = if named.is_empty() { vec!["/sitemap.xml".to_owned()] } else { named };
        let found: Vec<Address> = usual.iter().filter_map(|link| self.home.join(link)).collect();
        found.into_iter().for_each(|address| self.add(address, true));
    }

    /// Remembers where a page leads, and says what sort of page it is.
    fn follow(&mut self, address: &Address, body: &str) -> Sort {
        let sort = page::sort(address, body);
        for (link, is_list) in link::find(body, &sort) {
            if let Some(to) = address.join(&link).filter(page::is_page) {
                self.add(page::bare(&to), is_list || page::is_list(&to));
            }
        }
        sort
    }

    /// Asks for a place, keeps it if it is a post, and goes on to where it leads.
    fn look(&mut self, visit: &mut Visit<'_, '_>, address: &Address) -> Result<(), Fault> {
        let id = address.to_string();
        if visit.shelf.has(&id) {
            // Taken before: not asked for again, but where it leads may not have been seen yet.
            let page = visit.shelf.page(&id).unwrap_or_default();
            self.follow(address, &String::from_utf8_lossy(&page));
            return Ok(());
        }
        let body = match ask(visit, address) {
            Ok(body) => body,
            // One page that is not there is no reason to go.
            Err(Fault::Missing { .. } | Fault::TooLarge { .. } | Fault::Redirect { .. })
                if id != self.home.to_string() =>
            {
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let sort = self.follow(address, &body);
        if sort == Sort::Post && address.path() != "/" {
            let now = visit.polite.now();
            let name = format!("{}.html", address.rest().trim_matches('/').trim_end_matches(".html"));
            visit.shelf.take(&[&id], &name, body.as_bytes(), now)?;
            visit.told("pages");
        }
        Ok(())
    }
}

/// A page as text, asked for once a pass, and then only if it has changed.
fn ask(visit: &mut Visit<'_, '_>, address: &Address) -> Result<String, Fault> {
    let question = address.to_string();
    let kept: Option<Kept> = visit.shelf.kept(&question);
    let Visit { polite, shelf, .. } = visit;
    let mut fresh = None;
    let bytes = shelf.once(&question, || {
        let mut ask = Ask::get(&question)?.with("accept", "text/html, application/xml;q=0.9, */*;q=0.1");
        if let Some(kept) = &kept {
            ask = kept.etag.iter().fold(ask, |ask, etag| ask.with("if-none-match", etag));
            ask = kept.modified.iter().fold(ask, |ask, modified| ask.with("if-modified-since", modified));
        }
        let answer = polite.send(&ask)?;
        match (answer.status, &kept) {
            (304, Some(kept)) => Ok(kept.body.clone().into_bytes()),
            _ => {
                let body = page::text(&answer);
                fresh = validators(&answer, &body);
                Ok(body.into_bytes())
            }
        }
    })?;
    if let Some(fresh) = fresh {
        visit.shelf.keep(&question, &fresh)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What to keep of an answer that can be asked for again.
fn validators(answer: &Answer, body: &str) -> Option<Kept> {
    let etag = answer.header("etag").map(str::to_owned);
    let modified = answer.header("last-modified").map(str::to_owned);
    (etag.is_some() || modified.is_some()).then(|| Kept { etag, modified, body: body.to_owned() })
}
