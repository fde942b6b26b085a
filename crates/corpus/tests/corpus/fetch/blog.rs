//! A blog, its owner's wishes, and its odd corners.

use std::sync::atomic::Ordering;

use super::server::{Reply, Request, Server};
use super::*;

fn post(title: &str, links: &str) -> String {
    format!(
        "<!doctype html><html><head><meta property=\"og:type\" content=\"article\"></head><body><nav>{links}</nav>\
         <article><h1>{title}</h1><p>All there is to say of {title}, and then some words more.</p></article></body></html>"
    )
}

fn page(links: &[&str]) -> Reply {
    let links: String = links.iter().map(|link| format!("<a href=\"{link}\">x</a>")).collect();
    Reply::ok(format!(
        "<!doctype html><html><body><article>a</article><article>b</article>{links}</body></html>"
    ))
}

/// Two pages of a list, a sitemap, a feed, four posts, and what must be left alone.
fn blog(request: &Request) -> Reply {
    match request.path.as_str() {
        "/robots.txt" => Reply::ok("User-agent: *\nDisallow: /private\nCrawl-delay: 5\nSitemap: /map.xml\n"),
        "/map.xml" => {
            Reply::ok("<urlset><url><loc>/posts/one</loc></url><url><loc>/private/x</loc></url></urlset>")
        }
        "/" => {
            let list = [
                "/posts/two?utm_source=home",
                "/photo.jpg",
                "https://elsewhere.test/x",
                "/private/y",
                "/page/2",
                "/gone",
            ];
            page(&list)
        }
        "/page/2" => page(&["/posts/three", "/"]),
        "/posts/one" => {
            Reply::ok(post("One", "<a href=\"/posts/four#comments\">4</a>")).with("etag", "\"v1\"")
        }
        "/posts/two" => Reply::ok(post("Two", "<a href='/posts/one'>1</a>")),
        "/posts/three" => Reply::ok(post("Three", "")),
        "/posts/four" => Reply::ok(post("Four", "<a rel=\"nofollow\" href=\"/posts/five\">5</a>")),
        _ => Reply::status(404),
    }
}

fn settings(server: &Server) -> Settings {
    source(json!({"kind": "blog", "address": server.address}))
}

#[test]
fn posts_are_found_by_lists_and_links_and_nothing_else_is_touched() {
    let (server, place) = (Server::start(|request, _| blog(request)), Place::new());
    let settings = settings(&server);
    assert_eq!(place.fetch(&settings), "4 taken", "{:?}", server.paths());
    let paths = server.paths();
    assert_eq!(paths[0], "/robots.txt");
    assert!(
        paths
            .iter()
            .all(|path| !path.contains("private") && !path.contains("photo") && path != "/posts/five"),
        "{paths:?}"
    );
    assert_eq!(
        place.seconds(),
        2.0 + 5.0 * (paths.len() - 2) as f64,
        "as slowly as the owner asks, once that is known"
    );
    let mut titles: Vec<String> = place
        .documents(&settings)
        .iter()
        .filter_map(|document| Some(document.title.as_ref()?.text.clone()))
        .collect();
    titles.sort();
    assert_eq!(titles, ["Four", "One", "Three", "Two"]);
}

#[test]
fn whenever_it_is_stopped_nothing_is_asked_twice() {
    let undisturbed = Place::new();
    let server = Server::start(|request, _| blog(request));
    undisturbed.fetch(&settings(&server));
    let n_all = server.seen().len();
    for n_before in 1..=n_all {
        let place = Place::new();
        let stop = Arc::clone(&place.stop);
        let server = Server::start(move |request, n| {
            stop.store(n == n_before, Ordering::Relaxed);
            blog(request)
        });
        let settings = settings(&server);
        place.fetch(&settings);
        place.stop.store(false, Ordering::Relaxed);
        place.fetch(&settings);
        let mut paths = server.paths();
        paths.retain(|path| path != "/gone");
        let n = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(n, paths.len(), "stopped after {n_before}");
        assert_eq!(place.pages().len(), undisturbed.pages().len());
    }
}

#[test]
fn it_stops_at_a_number_of_pages_and_goes_on_where_it_stood() {
    let (server, place) = (Server::start(|request, _| blog(request)), Place::new());
    let mut few = settings(&server);
    few.sources[0].limit = Some(2);
    assert_eq!(place.fetch(&few), "2 taken");
    assert_eq!(place.fetch(&few), "nothing to do");
    // More is another order: a new pass, which takes what is missing.
    assert_eq!(place.fetch(&settings(&server)), "2 taken");
    assert_eq!(place.pages().len(), 4);
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/" if request.header("if-none-match") == Some("\"home\"") => Reply::status(304),
        "/" => page(&["/posts/two"])
            .with("etag", "\"home\"")
            .with("last-modified", "Tue, 14 Nov 2023 22:14:20 GMT"),
        _ => blog(request),
    });
    let (place, settings) = (Place::new(), settings(&server));
    assert_eq!(place.fetch(&settings), "3 taken");
    server.forget();
    assert_eq!(place.again(&settings), "0 taken");
    let home = server.seen().into_iter().find(|request| request.path == "/").unwrap();
    assert_eq!(home.header("if-modified-since"), Some("Tue, 14 Nov 2023 22:14:20 GMT"));
    assert!(server.paths().iter().all(|path| !path.starts_with("/posts")), "{:?}", server.paths());
}

#[test]
fn an_owner_who_says_no_is_heard() {
    let check = |robots: Reply, expected: &str| {
        let server = Server::start(move |request, _| match request.path.as_str() {
            "/robots.txt" => robots.clone(),
            _ => blog(request),
        });
        let seen = Place::new()
            .fetch(&settings(&server))
            .replace(server.address.trim_start_matches("http://"), "HOST");
        assert_eq!(seen, expected);
        server.seen().len()
    };
    let no = "0 taken, then the robots.txt of `HOST` asks to leave `/` alone";
    assert_eq!(check(Reply::ok("User-agent: penname\nDisallow: /"), no), 1);
    // A site that cannot say what it wants is left alone; one without a file is read.
    assert_eq!(check(Reply::status(500), no), 6);
    check(Reply::status(404), "4 taken");
}
