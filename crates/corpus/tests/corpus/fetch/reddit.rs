//! Reddit and its archives.

use std::sync::atomic::Ordering;

use super::server::{Reply, Request, Server};
use super::*;

fn post(id: &str, words: &str) -> Value {
    json!({"kind": "t3", "data": {"id": id, "name": format!("t3_{id}"), "subreddit": "x", "author": "Asker",
           "title": format!("About {id}"), "selftext": words, "score": 3, "created_utc": 1.6e9}})
}

fn comment(id: &str, parent: &str, words: &str, replies: Vec<Value>) -> Value {
    json!({"kind": "t1", "data": {"id": id, "name": format!("t1_{id}"), "subreddit": "x", "author": "Ann", "body": words,
           "parent_id": parent, "link_id": "t3_a", "score": 9, "created_utc": 1.6e9 + 60.0, "author_fullname": "t2_1",
           "permalink": "/r/x/comments/a/_/c", "replies": {"kind": "Listing", "data": {"children": replies}}}})
}

fn listing(children: Vec<Value>, after: Option<&str>) -> Reply {
    Reply::ok(json!({"kind": "Listing", "data": {"children": children, "after": after}}).to_string())
}

fn thread(post: Value, comments: Vec<Value>) -> Reply {
    let list = |children: Vec<Value>| json!({"kind": "Listing", "data": {"children": children}});
    Reply::ok(json!([list(vec![post]), list(comments)]).to_string())
}

fn more(count: u64, parent: &str, names: &[&str]) -> Value {
    json!({"kind": "more", "data": {"count": count, "name": "t1_m", "parent_id": parent, "children": names}})
}

/// A subreddit of three posts on two pages; the first thread has two stubs.
fn subreddit(request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap().trim_end_matches(".json");
    match (path, request.field("after")) {
        ("/api/v1/access_token", _) => Reply::ok(r#"{"access_token": "k", "expires_in": 3600}"#),
        ("/r/x/new", None) => listing(vec![post("c", "third"), post("b", "second")], Some("t3_b")),
        ("/r/x/new", Some("t3_b")) => listing(vec![post("b", "second"), post("a", "first")], Some("t3_a")),
        // A cursor that comes twice is no page more.
        ("/r/x/new", Some(_)) => listing(vec![post("a", "first")], Some("t3_a")),
        ("/comments/a", _) => thread(
            post("a", "first"),
            vec![
                comment("c1", "t3_a", "best", vec![more(0, "t1_c1", &["_"])]),
                more(2, "t3_a", &["c2", "c3"]),
            ],
        ),
        ("/comments/a/_/c1", _) => thread(
            post("a", "first"),
            vec![comment("c1", "t3_a", "best", vec![comment("c4", "t1_c1", "deep", vec![])])],
        ),
        ("/comments/b", _) => thread(post("b", "second"), vec![comment("d1", "t3_b", "to b", vec![])]),
        ("/comments/c", _) => thread(post("c", "third"), vec![]),
        ("/api/morechildren", _) => {
            let things = vec![comment("c2", "t3_a", "two", vec![]), comment("c3", "t1_c2", "three", vec![])];
            Reply::ok(json!({"json": {"errors": [], "data": {"things": things}}}).to_string())
        }
        _ => Reply::status(404),
    }
}

fn settings(server: &Server, kind: &str) -> Settings {
    source(
        json!({"kind": kind, "subreddit": "x", "address": server.address, "login": server.address})
            .as_object()
            .map(|fields| {
                let mut fields = fields.clone();
                if kind == "reddit-archive" {
                    fields.remove("login");
                }
                Value::Object(fields)
            })
            .unwrap(),
    )
}

#[test]
fn threads_are_taken_whole_with_a_key_and_without() {
    for kind in ["reddit", "reddit-public"] {
        let (server, place) = (Server::start(|request, _| subreddit(request)), Place::new());
        let settings = settings(&server, kind);
        assert_eq!(place.fetch(&settings), "3 taken", "{:?}", server.paths());
        assert_eq!(place.pages().keys().collect::<Vec<_>>(), ["t3_a.json", "t3_b.json", "t3_c.json"]);
        let whole = &place.pages()["t3_a.json"];
        for words in ["best", "two", "three", "deep"] {
            assert!(whole.contains(&format!("\"{words}\"")), "{words}");
        }
        assert!(!whole.contains("\"more\""), "every stub was resolved");
        let more: Vec<_> = server.paths().into_iter().filter(|path| path.contains("morechildren")).collect();
        assert_eq!(more.len(), 1);
        assert!(more[0].contains("children=c2%2Cc3") && more[0].contains("link_id=t3_a"), "{more:?}");
        assert_eq!(
            server.seen().iter().filter(|request| request.method == "POST").count(),
            usize::from(kind == "reddit")
        );
        // Documents say where they come from, and what may be done with them.
        let documents = place.documents(&settings);
        let document = documents.iter().find(|document| document.voice() == "best").unwrap();
        assert_eq!((document.source.as_str(), document.path.as_str()), ("a", "@a/t3_a.json"));
        assert_eq!(document.others(), "About a\n\nfirst");
        assert_eq!(document.rights, penname_corpus::rights::Rights::PLATFORM);
        let from = &document.provenance;
        assert_eq!((document.thread.as_deref(), from.parent.as_deref()), (Some("t3_a"), Some("t3_a")));
        let reception = document.reception.as_ref().unwrap();
        assert_eq!((reception.score, reception.delay_s), (Some(9), Some(60)));
        assert_eq!(from.author.as_ref().unwrap().id.as_deref(), Some("t2_1"));
        assert_eq!(from.url.as_deref(), Some("https://www.reddit.com/r/x/comments/a/_/c"));
    }
}

#[test]
fn a_new_pass_takes_only_what_is_new() {
    let is_later = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_later);
    let server = Server::start(move |request, _| match request.path.starts_with("/r/x/new") {
        true if seen.load(Ordering::Relaxed) && request.field("after").is_none() => {
            listing(vec![post("d", "fourth"), post("c", "third")], Some("t3_c"))
        }
        true if seen.load(Ordering::Relaxed) => listing(vec![post("b", "second"), post("a", "first")], None),
        _ if request.path.starts_with("/comments/d") => thread(post("d", "fourth"), vec![]),
        _ => subreddit(request),
    });
    let (place, settings) = (Place::new(), settings(&server, "reddit-public"));
    assert_eq!(place.fetch(&settings), "3 taken");
    is_later.store(true, Ordering::Relaxed);
    server.forget();
    assert_eq!(place.fetch(&settings), "nothing to do");
    assert_eq!(server.paths(), Vec::<String>::new());
    assert_eq!(place.again(&settings), "1 taken");
    let paths = server.paths();
    assert_eq!(paths.len(), 3, "a page with something new, one without, and the new thread: {paths:?}");
    assert_eq!(place.pages().len(), 4);
}

#[test]
fn whenever_it_is_stopped_nothing_is_asked_twice() {
    let undisturbed = Place::new();
    let server = Server::start(|request, _| subreddit(request));
    undisturbed.fetch(&settings(&server, "reddit-public"));
    let n_all = server.seen().len();
    assert!(n_all > 6);
    for n_before in 1..=n_all {
        let place = Place::new();
        let stop = Arc::clone(&place.stop);
        let server = Server::start(move |request, n| {
            stop.store(n == n_before, Ordering::Relaxed);
            subreddit(request)
        });
        let settings = settings(&server, "reddit-public");
        place.fetch(&settings);
        place.stop.store(false, Ordering::Relaxed);
        place.fetch(&settings);
        let mut paths = server.paths();
        paths.sort();
        paths.dedup();
        assert_eq!((paths.len(), server.seen().len()), (n_all, n_all), "stopped after {n_before}");
        assert_eq!(place.pages(), undisturbed.pages());
    }
}

#[test]
fn keys_are_renewed_once_and_wrong_ones_are_told() {
    let server = Server::start(|request, n| match request.path.as_str() {
        "/api/v1/access_token" => Reply::ok(format!(r#"{{"access_token": "k{n}", "expires_in": 3600}}"#)),
        _ if request.header("authorization") == Some("bearer k1") => Reply::status(401),
        _ => subreddit(request),
    });
    let place = Place::new();
    assert_eq!(place.fetch(&settings(&server, "reddit")), "3 taken");
    let logins = server.seen().into_iter().filter(|request| request.method == "POST").collect::<Vec<_>>();
    assert_eq!(logins.len(), 2);
    assert_eq!(logins[0].body, "grant_type=refresh_token&refresh_token=the%20REDDIT_REFRESH_TOKEN");
    assert!(logins[0].header("authorization").unwrap().starts_with("Basic "));

    let server = Server::start(|request, _| match request.path.as_str() {
        "/api/v1/access_token" => Reply::ok(r#"{"error": "invalid_grant"}"#),
        _ => subreddit(request),
    });
    let seen = Place::new().fetch(&settings(&server, "reddit"));
    assert!(seen.ends_with("does not accept the key: no key in its answer to the login"), "{seen}");
    let seen = Place::without_keys().fetch(&settings(&server, "reddit"));
    assert_eq!(seen, "0 taken, then there is no `REDDIT_CLIENT_ID` in the environment");
}

#[test]
fn a_key_is_renewed_before_its_end() {
    let server = Server::start(|request, _| match request.path.as_str() {
        // Two questions fit between two keys: 62 seconds less one minute, a question a second.
        "/api/v1/access_token" => Reply::ok(r#"{"access_token": "k", "expires_in": 62}"#),
        _ => subreddit(request),
    });
    assert_eq!(Place::new().fetch(&settings(&server, "reddit")), "3 taken");
    assert!(server.seen().iter().filter(|request| request.method == "POST").count() >= 3);
}

#[test]
fn an_account_is_read_with_what_it_answers() {
    let server = Server::start(|request, _| {
        let path = request.path.split('?').next().unwrap();
        match path {
            "/user/Ann/submitted.json" => listing(vec![], None),
            "/user/Ann/comments.json" => {
                let mut one = comment("c1", "t3_a", "best", vec![]);
                one["data"]["replies"] = json!("");
                listing(vec![one], None)
            }
            "/comments/a/_/c1.json" => {
                thread(post("a", "first"), vec![comment("c1", "t3_a", "best", vec![])])
            }
            _ => Reply::status(404),
        }
    });
    let place = Place::new();
    let mut settings = source(json!({"kind": "reddit-public", "user": "u/Ann", "address": server.address}));
    settings.voice = vec!["Ann".to_owned()];
    assert_eq!(place.fetch(&settings), "1 taken", "{:?}", server.paths());
    let documents = place.documents(&settings);
    assert_eq!(documents.len(), 1);
    assert_eq!((documents[0].others().as_str(), documents[0].voice().as_str()), ("About a\n\nfirst", "best"));
}

#[test]
fn archives_are_paged_with_overlap_and_stop_where_nothing_is_new() {
    let bare = |thing: Value| thing["data"].clone();
    let server = Server::start(move |request, _| {
        let path = request.path.split('?').next().unwrap();
        let rows = |rows: Vec<Value>| Reply::ok(json!({ "data": rows }).to_string());
        match (path, request.field("before")) {
            ("/api/posts/search", None) => rows(vec![bare(post("c", "third")), bare(post("b", "second"))]),
            // All of one second: the page comes again, and then ends.
            ("/api/posts/search", Some("1600000001")) => {
                rows(vec![bare(post("c", "third")), bare(post("b", "second")), bare(post("a", "first"))])
            }
            ("/api/comments/tree", _) if request.field("link_id") == Some("t3_a") => {
                rows(vec![comment("c1", "t3_a", "best", vec![comment("c4", "t1_c1", "deep", vec![])])])
            }
            ("/api/comments/tree", _) => rows(vec![]),
            _ => Reply::status(404),
        }
    });
    let (place, settings) = (Place::new(), settings(&server, "reddit-archive"));
    assert_eq!(place.fetch(&settings), "3 taken", "{:?}", server.paths());
    assert_eq!(place.documents(&settings).len(), 1);

    let refuses = Server::start(|_, _| Reply::ok(r#"{"data": null, "error": "timeout of the database"}"#));
    let seen = Place::new().fetch(&self::settings(&refuses, "reddit-archive"));
    assert!(
        seen.ends_with("answers with the error `timeout of the database`, expected a list of rows"),
        "{seen}"
    );
}

#[test]
fn pullpush_is_read_in_its_own_shape() {
    let server = Server::start(|request, _| {
        let rows = |rows: Vec<Value>| Reply::ok(json!({ "data": rows }).to_string());
        let path = request.path.split('?').next().unwrap();
        match (path, request.field("before"), request.field("after")) {
            ("/reddit/search/submission/", None, _) => rows(vec![post("a", "first")["data"].clone()]),
            ("/reddit/search/comment/", _, None) => {
                let (mut one, mut two) =
                    (comment("c1", "t3_a", "best", vec![]), comment("c2", "t1_c1", "next", vec![]));
                one["data"]["replies"] = Value::Null;
                two["data"]["replies"] = Value::Null;
                rows(vec![one["data"].clone(), two["data"].clone()])
            }
            _ => rows(vec![]),
        }
    });
    let place = Place::new();
    let settings = source(
        json!({"kind": "reddit-archive", "shape": "pullpush", "subreddit": "x", "address": server.address}),
    );
    assert_eq!(place.fetch(&settings), "1 taken", "{:?}", server.paths());
    let documents = place.documents(&settings);
    assert_eq!(documents.iter().map(Document::voice).collect::<Vec<_>>(), ["best"]);
}
