//! Apify, with its runs, its pages and its bills.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::server::{Reply, Request, Server};
use super::*;

fn tweet(n: u64) -> String {
    json!({"id": n.to_string(), "text": format!("claim {n}"), "conversationId": n.to_string(), "likeCount": 300,
           "retweetCount": 20, "createdAt": "2024-01-01T12:00:00Z", "author": {"userName": "ann", "name": "Ann", "id": "7"}})
    .to_string()
}

/// A run that is seen to be going on so often before it ends.
#[derive(Default)]
struct Service {
    n_watched: usize,
    n_looks: usize,
    n_items: u64,
    ends: &'static str,
    usd: f64,
    /// What is sent instead of the answer to a start.
    lost: bool,
    n_starts: usize,
    /// Items after which a list has nothing more, whatever it says.
    stalls: Option<u64>,
}

impl Service {
    fn answer(&mut self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let is_ended = self.n_watched >= self.n_looks;
        let run = |status: &str, usd: f64| {
            json!({"data": {"id": "r1", "defaultDatasetId": "d1", "status": status, "usageTotalUsd": usd,
                            "startedAt": "2023-11-14T22:13:30.000Z"}})
        };
        match (request.method.as_str(), path) {
            _ if request.header("authorization") != Some("Bearer the APIFY_API_TOKEN") => Reply::status(401),
            ("POST", "/acts/user~actor/runs") => {
                self.n_starts += 1;
                let reply = Reply { status: 201, ..Reply::ok(run("READY", 0.0).to_string()) };
                if self.lost { reply.cut_after(5) } else { reply }
            }
            ("GET", "/acts/user~actor/runs") => {
                let list = json!([run("RUNNING", 0.1)["data"]]);
                Reply::ok(json!({"data": {"items": list}}).to_string())
            }
            ("POST", "/actor-runs/r1/abort") => {
                self.n_looks = 0;
                self.ends = "ABORTED";
                Reply::ok(run("ABORTING", self.usd).to_string())
            }
            ("GET", "/actor-runs/r1") => {
                self.n_watched += 1;
                Reply::ok(run(if is_ended { self.ends } else { "RUNNING" }, self.usd).to_string())
            }
            ("GET", "/datasets/d1/items") => self.items(request, is_ended),
            _ => Reply::status(404),
        }
    }

    fn items(&self, request: &Request, is_ended: bool) -> Reply {
        let offset: u64 = request.field("offset").unwrap().parse().unwrap();
        // Half of it is there before the end.
        let there = if is_ended { self.n_items } else { self.n_items / 2 };
        let end = there.min(self.stalls.unwrap_or(u64::MAX)).min(offset + 1000);
        // Every tenth item is empty, and left out of the text all the same.
        let lines: Vec<String> = (offset..end).filter(|n| n % 10 != 9).map(|n| tweet(n + 1)).collect();
        Reply::ok(lines.join("\n"))
            .with("x-apify-pagination-total", there)
            .with("x-apify-pagination-count", end.saturating_sub(offset))
    }
}

fn start(service: Service) -> (Server, Arc<Mutex<Service>>) {
    let service = Arc::new(Mutex::new(service));
    let own = Arc::clone(&service);
    (Server::start(move |request, _| own.lock().unwrap().answer(request)), service)
}

fn usual() -> Service {
    Service { n_looks: 2, n_items: 2500, ends: "SUCCEEDED", usd: 0.9, ..Service::default() }
}

fn settings(server: &Server) -> Settings {
    source(
        json!({"kind": "apify", "actor": "user/actor", "input": {"searchTerms": ["tea"]}, "budget_usd": 1.5,
                  "max_items": 5000, "address": server.address}),
    )
}

fn n_lines(place: &Place) -> usize {
    place.pages().values().map(|page| page.lines().count()).sum()
}

#[test]
fn a_run_is_read_while_it_goes_on_and_capped() {
    let ((server, _), place) = (start(usual()), Place::new());
    assert_eq!(place.fetch(&settings(&server)), "4 taken", "{:?}", server.paths());
    assert_eq!(n_lines(&place), 2250);
    let asked = &server.seen()[0];
    assert_eq!(asked.path, "/acts/user~actor/runs?maxItems=5000&maxTotalChargeUsd=1.5000&waitForFinish=0");
    assert_eq!(asked.body, r#"{"searchTerms":["tea"]}"#);
    let offsets: Vec<_> =
        server.seen().iter().filter_map(|request| request.field("offset").map(str::to_owned)).collect();
    let mut once = offsets.clone();
    once.sort();
    once.dedup();
    assert!(offsets.len() - once.len() <= 3, "only the end of what is there is asked again: {offsets:?}");
    assert!(
        place.notes().iter().any(|note| note == "a: 2500 items, 0.90 of 1.50 USD charged so far"),
        "{:?}",
        place.notes()
    );
    assert_eq!(place.fetch(&settings(&server)), "nothing to do");
}

#[test]
fn whenever_it_is_stopped_one_run_is_paid_and_no_page_bought_twice() {
    let undisturbed = Place::new();
    let (server, _) = start(usual());
    undisturbed.fetch(&settings(&server));
    let n_all = server.seen().len();
    for n_before in 1..=n_all {
        let place = Place::new();
        let (stop, service) = (Arc::clone(&place.stop), Mutex::new(usual()));
        let server = Server::start(move |request, n| {
            stop.store(n == n_before, Ordering::Relaxed);
            service.lock().unwrap().answer(request)
        });
        place.fetch(&settings(&server));
        place.stop.store(false, Ordering::Relaxed);
        assert!(!place.fetch(&settings(&server)).contains("then"), "stopped after {n_before}");
        let starts = server.seen().iter().filter(|request| request.method == "POST").count();
        assert_eq!(starts, 1, "stopped after {n_before}");
        let mut whole = server.paths().into_iter().filter(|path| path.contains("offset=0&")).count();
        whole = whole.min(2);
        assert_eq!(whole, 1, "stopped after {n_before}");
        assert_eq!(n_lines(&place), 2250, "stopped after {n_before}");
    }
}

#[test]
fn a_start_whose_answer_is_lost_is_looked_for_and_not_paid_twice() {
    let ((server, service), place) = (start(Service { lost: true, ..usual() }), Place::new());
    let seen = place.fetch(&settings(&server));
    assert!(seen.contains("breaks off in the middle of its answer, 1 times in a row"), "{seen}");
    assert_eq!(place.fetch(&settings(&server)), "4 taken");
    assert_eq!(service.lock().unwrap().n_starts, 1);
    assert_eq!(n_lines(&place), 2250);
}

#[test]
fn a_budget_that_runs_out_ends_the_run_and_keeps_what_was_bought() {
    let ((server, _), place) = (start(Service { usd: 1.6, n_looks: 9, ..usual() }), Place::new());
    let seen = place.fetch(&settings(&server));
    assert_eq!(seen, "2 taken, then the budget of 1.50 USD is used up: 1.60 USD were charged");
    assert!(server.paths().iter().any(|path| path.ends_with("/abort")));
    assert_eq!(n_lines(&place), 1125);
    // The same command buys nothing more.
    let n_posts = server.seen().iter().filter(|request| request.method == "POST").count();
    let again = place.fetch(&settings(&server));
    assert!(again.contains("the budget of 1.50 USD is used up"), "{again}");
    assert_eq!(server.seen().iter().filter(|request| request.method == "POST").count(), n_posts);
}

#[test]
fn runs_that_fail_are_told_and_not_repeated_unasked() {
    let ((server, service), place) =
        (start(Service { ends: "FAILED", n_items: 10, ..usual() }), Place::new());
    assert_eq!(place.fetch(&settings(&server)), "2 taken, then the run `r1` ended as FAILED");
    assert_eq!(place.fetch(&settings(&server)), "0 taken, then the run `r1` ended as FAILED");
    assert_eq!(service.lock().unwrap().n_starts, 1);
    assert_eq!(n_lines(&place), 9);
    place.again(&settings(&server));
    assert_eq!(service.lock().unwrap().n_starts, 2);
}

#[test]
fn lists_that_stall_keys_that_expire_and_credit_that_ends_are_told() {
    let ((server, _), place) = (start(Service { stalls: Some(1200), ..usual() }), Place::new());
    let seen = place.fetch(&settings(&server)).replace(&server.address, "HOST");
    assert_eq!(seen, "2 taken, then `HOST` answers with nothing after item 1200 of 2500, expected the rest");
    for (status, expected) in
        [(401, "does not accept the key: token expired"), (402, "asks to be paid first: token expired")]
    {
        let said = r#"{"error": {"type": "x", "message": "token expired"}}"#;
        let server = Server::start(move |_, _| Reply::status(status).saying(said));
        let seen = Place::new().fetch(&settings(&server));
        assert!(seen.ends_with(expected), "{seen}");
        assert_eq!(server.seen().len(), 1);
    }
    let seen = Place::without_keys().fetch(&settings(&server));
    assert_eq!(seen, "0 taken, then there is no `APIFY_API_TOKEN` in the environment");
}

#[test]
fn replies_are_asked_for_the_tweets_that_were_found() {
    let server = Server::start(|request, _| {
        let path = request.path.split('?').next().unwrap();
        let is_second =
            path.contains("r2") || path.contains("d2") || request.body.contains("conversationIds");
        let n = if is_second { 2 } else { 1 };
        let run = json!({"data": {"id": format!("r{n}"), "defaultDatasetId": format!("d{n}"), "status": "SUCCEEDED",
                                  "usageTotalUsd": 0.4}});
        match path {
            "/datasets/d1/items" => match request.field("offset") {
                Some("0") => Reply::ok(tweet(10) + "\n" + &tweet(20)),
                _ => Reply::ok(""),
            },
            "/datasets/d2/items" => match request.field("offset") {
                Some("0") => Reply::ok(tweet(31).replace("\"text\"", "\"inReplyToId\":\"20\",\"text\"")),
                _ => Reply::ok(""),
            },
            _ => Reply::ok(run.to_string()),
        }
    });
    let place = Place::new();
    let settings = source(json!({
        "kind": "apify", "actor": "user~actor", "input": {"searchTerms": ["tea"]}, "budget_usd": 1.5, "address": server.address,
        "replies": {"field": "conversationIds", "input": {"sort": "Latest"}, "max_items": 50},
    }));
    assert_eq!(place.fetch(&settings), "2 taken", "{:?}", server.paths());
    let second = server.seen().into_iter().filter(|request| request.method == "POST").nth(1).unwrap();
    assert_eq!(second.body, r#"{"sort":"Latest","conversationIds":["10","20"]}"#);
    assert!(second.path.contains("maxItems=50&maxTotalChargeUsd=1.1000"), "{}", second.path);
    let documents = place.documents(&settings);
    assert_eq!(documents.len(), 1);
    assert_eq!((documents[0].others().as_str(), documents[0].voice().as_str()), ("claim 20", "claim 31"));
}
