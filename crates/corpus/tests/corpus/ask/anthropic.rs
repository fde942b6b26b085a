//! Anthropic's messages, on good days and bad ones.

use std::time::Duration;

use penname_corpus::collect::fetch::Clock;

use super::*;
use crate::fetch::server::{Reply, Request, Server};

fn number(request: &Request) -> usize {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    kettle(body["messages"][0]["content"].as_str().unwrap())
}

/// A message of Anthropic's.
pub(super) fn message(text: &str, why: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": text}], "stop_reason": why,
        "usage": {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 0},
    })
}

fn well(request: &Request) -> Reply {
    Reply::ok(message(&questions(number(request)), "end_turn").to_string()).with("request-id", "req_7")
}

/// Answers the first questions otherwise.
fn first(replies: Vec<Reply>) -> Server {
    Server::start(move |request, n| replies.get(n - 1).cloned().unwrap_or_else(|| well(request)))
}

pub(super) fn named(server: &Server) -> Value {
    json!({
        "provider": "anthropic", "model": "claude-haiku-4-5-20251001", "address": server.address, "concurrency": 1,
    })
}

#[test]
fn a_message_goes_with_its_key_and_comes_back_with_its_cost() {
    let (server, place, two) = (first(vec![]), Place::new(), documents(2));
    let settings = settings(named(&server));
    assert_eq!(told(&place.ask(&settings, &two)), "done");
    let asked = &server.seen()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!(asked.header("x-api-key"), Some("the ANTHROPIC_API_KEY"));
    assert_eq!(
        (asked.header("anthropic-version"), asked.header("authorization")),
        (Some("2023-06-01"), None)
    );
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["output_config"]["format"]["type"], "json_schema");
    let row = &place.rows("answer")[0];
    for name in
        ["at", "task", "provider", "model", "mode", "reserved_usd", "cache_read", "cache_write", "request_id"]
    {
        assert!(!row[name].is_null(), "{name}: {row}");
    }
    assert_eq!(row["usd"], json!(0.0015));
    assert!((place.questions().spent_usd().0 - 0.003).abs() < 1e-9);
    let kept: String = fs::read_dir(place.folder())
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .collect();
    assert!(!kept.contains("the ANTHROPIC"), "keys are not written down");
}

/// What becomes of three passages when the first answers are these: what stopped it, how many questions
/// were asked, the seconds that passed, and what may have been charged without an answer.
fn check(
    replies: Vec<Reply>,
    expected: &str,
    n_questions: usize,
    seconds: std::ops::RangeInclusive<f64>,
) -> f64 {
    let (server, place, three) = (first(replies), Place::new(), documents(3));
    let settings = settings(named(&server));
    let seen = told(&place.ask(&settings, &three));
    let host = server.address.trim_start_matches("http://");
    assert_eq!(seen.replace(host, "HOST"), expected);
    assert_eq!(server.seen().len(), n_questions, "{expected}");
    assert!(seconds.contains(&place.clock.seconds()), "{} s: {expected}", place.clock.seconds());
    let n_answers = place.rows("answer").len();
    assert_eq!(n_answers, n_questions, "a line for every request");
    place.questions().spent_usd().1
}

#[test]
fn bad_days_are_waited_out_and_written_down() {
    let overloaded = r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#;
    let busy = Reply::status(529).saying(overloaded);
    assert_eq!(check(vec![busy.clone(); 2], "done", 5, 0.0..=4.0), 0.0);
    let limited = Reply::status(429).with("retry-after", "40");
    assert_eq!(check(vec![limited], "done", 4, 40.0..=40.0), 0.0);
    assert_eq!(check(vec![Reply::status(429)], "done", 4, 0.0..=1.1), 0.0);
    let used_up = Reply::status(429)
        .with("anthropic-ratelimit-requests-remaining", 0)
        .with("anthropic-ratelimit-requests-reset", "2023-11-14T22:14:20Z");
    assert_eq!(check(vec![used_up], "done", 4, 60.0..=60.0), 0.0);
    // Cut off in the middle: it may have been charged, and is asked again.
    let cut = Reply::ok(message("{}", "end_turn").to_string()).cut_after(30);
    let unsure = check(vec![cut], "done", 4, 0.0..=1.1);
    assert!(unsure > 0.003 && unsure < 0.02, "{unsure}");
    let strange = check(vec![Reply::ok("<html>")], "done", 4, 0.0..=1.1);
    assert!(strange > 0.003, "{strange}");
}

#[test]
fn what_will_not_get_better_stops_it_at_once() {
    let body = r#"{"error": {"type": "authentication_error", "message": "invalid x-api-key"}}"#;
    let refused = "`HOST` does not accept the key: invalid x-api-key";
    check(vec![Reply::status(401).saying(body)], refused, 1, 0.0..=0.0);
    check(vec![Reply::status(402)], "`HOST` asks to be paid first", 1, 0.0..=0.0);
    check(
        vec![Reply::status(404)],
        "there is nothing at `http://HOST/v1/messages`: status 404",
        1,
        0.0..=0.0,
    );
    let never = Reply::status(500).with("x-should-retry", "false");
    check(vec![never], "`HOST` refuses with status 500", 1, 0.0..=0.0);
    let place = Place { secrets: Secrets::default(), ..Place::new() };
    let server = first(vec![]);
    let seen = told(&place.ask(&settings(named(&server)), &documents(1)));
    assert_eq!(seen, "there is no `ANTHROPIC_API_KEY` in the environment");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_wait_survives_the_program() {
    let (server, place, two) =
        (first(vec![Reply::status(429).with("retry-after", "3600")]), Place::new(), documents(2));
    let settings = settings(named(&server));
    let seen = told(&place.ask(&settings, &two));
    assert!(seen.ends_with("asks to be left alone until 2023-11-14T23:13:20.000Z"), "{seen}");
    // Started again after ten minutes: nothing is asked.
    place.clock.sleep(Duration::from_secs(600));
    assert_eq!(told(&place.ask(&settings, &two)), seen);
    assert_eq!(server.seen().len(), 1);
    // Ten minutes before the end: the rest is waited, and told once.
    place.clock.sleep(Duration::from_secs(2400));
    assert_eq!(told(&place.ask(&settings, &two)), "done");
    assert_eq!((place.clock.seconds(), server.seen().len()), (3600.0, 3));
    let waits = place.notes().iter().filter(|note| note.starts_with("waiting 600 s for")).count();
    assert_eq!(waits, 1, "{:?}", place.notes());
}

#[test]
fn stop_reasons_mean_what_they_say() {
    let server = Server::start(|request, _| match number(request) {
        0 => Reply::ok(message("I can't help with that.", "refusal").to_string()),
        1 => Reply::ok(message("{\"questions\": [\"W", "max_tokens").to_string()),
        _ => well(request),
    });
    let (place, three) = (Place::new(), documents(3));
    let settings = settings(named(&server));
    assert_eq!(told(&place.ask(&settings, &three)), "done");
    let reasons: Vec<String> = place.missing(&settings, &three).into_iter().map(|one| one.reason).collect();
    assert_eq!((reasons, server.seen().len()), (vec!["refused".to_owned(), "truncated".to_owned()], 4));
}
