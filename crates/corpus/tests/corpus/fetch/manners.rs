//! How hosts are met: waits, refusals, and what must not be asked twice.

use std::sync::atomic::Ordering;

use super::server::{Reply, Request, Server};
use super::*;

const SECOND: u64 = 1;

/// A subreddit without posts, which takes one question.
fn one_question(server: &Server) -> Settings {
    source(json!({"kind": "reddit-public", "subreddit": "x", "address": server.address}))
}

fn empty() -> Reply {
    Reply::ok(r#"{"kind": "Listing", "data": {"children": [], "after": null}}"#)
}

/// A service that answers the first questions otherwise.
fn first(replies: Vec<Reply>) -> Server {
    Server::start(move |_, n| replies.get(n - 1).cloned().unwrap_or_else(empty))
}

fn check(replies: Vec<Reply>, expected: &str, n_questions: usize, seconds: std::ops::RangeInclusive<f64>) {
    let (server, place) = (first(replies), Place::new());
    let seen = place.fetch(&one_question(&server)).replace(&server.address, "HOST");
    assert_eq!(seen.replace(server.address.trim_start_matches("http://"), "HOST"), expected);
    assert_eq!(server.seen().len(), n_questions, "{expected}");
    assert!(seconds.contains(&place.seconds()), "{} s: {expected}", place.seconds());
}

#[test]
fn a_wait_that_is_asked_for_is_waited() {
    check(vec![Reply::status(429).with("retry-after", "40")], "0 taken", 2, 40.0..=40.0);
    check(vec![Reply::status(503).with("retry-after", "0.5")], "0 taken", 2, 6.0..=6.0);
    let date = "Tue, 14 Nov 2023 22:14:20 GMT";
    check(vec![Reply::status(429).with("retry-after", date)], "0 taken", 2, 60.0..=60.0);
    check(vec![Reply::status(429)], "0 taken", 2, 6.0..=7.0);
    let spent = Reply::status(429).with("x-ratelimit-remaining", "0.0").with("x-ratelimit-reset", "300");
    check(vec![spent], "0 taken", 2, 300.0..=300.0);
}

#[test]
fn failures_that_may_pass_are_asked_again_and_then_given_up() {
    check(vec![Reply::status(502); 3], "0 taken", 4, 18.0..=40.0);
    let cut = Reply::ok(r#"{"kind": "Listing", "data""#.to_owned() + &" ".repeat(500)).cut_after(20);
    check(vec![cut.clone(), cut.clone()], "0 taken", 3, 12.0..=30.0);
    check(
        vec![cut; 9],
        "0 taken, then `HOST` breaks off in the middle of its answer, 6 times in a row",
        6,
        30.0..=300.0,
    );
    check(
        vec![Reply::status(500); 9],
        "0 taken, then `HOST` fails with status 500, 6 times in a row",
        6,
        30.0..=300.0,
    );
    let storm = vec![Reply::status(429).with("retry-after", "60"); 9];
    check(
        storm,
        "0 taken, then `HOST` asks to be left alone until 2023-11-14T22:19:20.000Z",
        6,
        300.0..=300.0,
    );
}

#[test]
fn what_will_not_get_better_is_not_asked_again() {
    let page = "<html>blocked</html>";
    let turned_away = "0 taken, then `HOST` refuses with status 403: a page for people, which is how services turn away programs";
    check(vec![Reply::status(403).saying(page)], turned_away, 1, 0.0..=0.0);
    check(
        vec![Reply::status(404)],
        "0 taken, then there is nothing at `HOST/r/x/new.json`: status 404",
        1,
        0.0..=0.0,
    );
    check(vec![Reply::status(451)], "0 taken, then `HOST` refuses with status 451", 1, 0.0..=0.0);
    check(
        vec![Reply::ok(page)],
        "0 taken, then `HOST` answers with a page for people, expected JSON",
        1,
        0.0..=0.0,
    );
    let circle = Reply::status(302).with("location", "/again");
    check(
        vec![circle; 9],
        "0 taken, then `HOST/r/x/new.json` leads to one redirect after another",
        6,
        0.0..=0.0,
    );
}

#[test]
fn a_refusal_says_what_else_there_is() {
    let (server, place) = (first(vec![Reply::status(403)]), Place::new());
    place.fetch(&one_question(&server));
    let notes = place.notes();
    assert!(
        notes.iter().any(|note| note.contains("status 403") && note.contains("your own data export")),
        "{notes:?}"
    );
}

#[test]
fn a_wait_survives_the_program() {
    let (server, place) = (first(vec![Reply::status(429).with("retry-after", "3600")]), Place::new());
    let settings = one_question(&server);
    let seen = place.fetch(&settings);
    assert!(seen.ends_with("asks to be left alone until 2023-11-14T23:13:20.000Z"), "{seen}");
    // Started again after ten minutes: nothing is asked.
    place.clock.sleep(Duration::from_secs(600 * SECOND));
    assert_eq!(place.fetch(&settings), seen);
    assert_eq!(server.seen().len(), 1);
    // Ten minutes before the end: the rest is waited.
    place.clock.sleep(Duration::from_secs(2400));
    assert_eq!(place.fetch(&settings), "0 taken");
    assert_eq!(place.seconds(), 3600.0);
    assert!(place.notes().iter().any(|note| note.starts_with("waiting 600 s for")), "{:?}", place.notes());
    assert_eq!(place.fetch(&settings), "nothing to do");
}

#[test]
fn a_wait_can_be_ended() {
    let server = Server::start(|_, _| Reply::status(429).with("retry-after", "600"));
    let place = Place::new();
    place.stop.store(true, Ordering::Relaxed);
    assert_eq!(place.fetch(&one_question(&server)), "stopped; the same command goes on from here");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn who_asks_is_said_and_keys_go_to_their_own_host_only() {
    let thief = Server::start(|_, _| empty());
    let to = format!("{}/elsewhere", thief.address);
    let server = Server::start(move |request: &Request, _| match request.path.as_str() {
        "/api/v1/access_token" => Reply::ok(r#"{"access_token": "k", "expires_in": 3600}"#),
        _ => Reply::status(302).with("location", &to),
    });
    let place = Place::new();
    let mut settings = source(json!({
        "kind": "reddit", "subreddit": "x", "address": server.address, "login": server.address,
    }));
    settings.network.contact = Some("ann@a.test".to_owned());
    assert_eq!(place.fetch(&settings), "0 taken");
    let asked = &server.seen()[1];
    assert_eq!(asked.header("authorization"), Some("bearer k"));
    assert!(asked.header("user-agent").unwrap().ends_with("(+ann@a.test)"));
    assert_eq!(thief.seen()[0].header("authorization"), None);
    let kept = walk(&place.folder());
    assert!(!kept.contains("the REDDIT") && !kept.contains("bearer"), "{kept}");
}

/// Everything that is kept, as one text.
fn walk(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() { walk(&path) } else { fs::read_to_string(&path).unwrap_or_default() };
    }
    text
}

#[test]
fn nobody_listens_where_nothing_is_named() {
    let place = Place::new();
    assert_eq!(place.fetch(&Settings::default()), "nothing to do");
    assert!(!place.folder().exists());
    let gone = source(json!({"kind": "reddit-public", "subreddit": "x", "address": "http://127.0.0.1:1"}));
    let seen = place.fetch(&gone);
    assert!(seen.starts_with("0 taken, then `127.0.0.1:1` cannot be reached"), "{seen}");
    assert!(place.seconds() < 1.0);
}
