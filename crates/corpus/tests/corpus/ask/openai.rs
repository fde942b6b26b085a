//! A service that speaks as OpenAI's does.

use std::sync::atomic::Ordering;

use super::*;
use crate::fetch::server::{Reply, Request, Server};

/// What was asked: the kettle, how often it was corrected, and the longest answer.
struct Asked {
    kettle: usize,
    n_turns: usize,
    max_tokens: u64,
    bytes: usize,
}

fn asked(request: &Request) -> Asked {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let turns = body["messages"].as_array().unwrap();
    Asked {
        kettle: kettle(turns[1]["content"].as_str().unwrap()),
        n_turns: turns.len(),
        max_tokens: body["max_tokens"].as_u64().unwrap(),
        bytes: request.body.len(),
    }
}

fn completion(text: &str, why: &str, usage: (usize, usize)) -> Reply {
    let message = json!({"role": "assistant", "content": text});
    let usage = json!({"prompt_tokens": usage.0, "completion_tokens": usage.1});
    let whole = json!({"id": "c1", "choices": [{"message": message, "finish_reason": why}], "usage": usage});
    Reply::ok(whole.to_string()).with("x-request-id", "req_1")
}

/// Answers well, whatever is asked.
fn good() -> Server {
    Server::start(|request, _| completion(&questions(asked(request).kettle), "stop", (100, 20)))
}

fn named(server: &Server) -> Value {
    json!({"provider": "openai", "model": "m", "address": server.address, "concurrency": 1})
}

#[test]
fn every_passage_gets_its_questions_and_nothing_is_asked_twice() {
    let (server, place, five) = (good(), Place::new(), documents(5));
    let settings = settings(named(&server));
    assert_eq!(place.missing(&settings, &five).len(), 5);
    assert_eq!(told(&place.ask(&settings, &five)), "done");
    assert_eq!((place.missing(&settings, &five), server.seen().len()), (vec![], 5));
    let first = &server.seen()[0];
    assert_eq!(first.path, "/v1/chat/completions");
    assert_eq!(first.header("authorization"), Some("Bearer the OPENAI_API_KEY"));
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["response_format"]["json_schema"]["schema"]["required"], json!(["questions"]));
    let row = &place.rows("answer")[0];
    assert_eq!(
        (&row["in"], &row["out"], &row["usd"], &row["status"], &row["request_id"]),
        (&json!(100), &json!(20), &json!(0.0), &json!("answered"), &json!("req_1"))
    );
    assert_eq!(told(&place.ask(&settings, &five)), "done");
    assert_eq!(server.seen().len(), 5, "what was answered is not asked again");
    assert_eq!(told(&place.ask(&settings, &documents(7))), "done");
    assert_eq!(server.seen().len(), 7, "only what is new is asked");
    // Another model, other words or another number are other questions; another address is not.
    let other = |name: &str, value: Value| {
        let mut ask = named(&server);
        ask[name] = value;
        place.missing(&super::settings(ask), &five).len()
    };
    assert_eq!((other("model", json!("n")), other("questions", json!(1))), (5, 5));
    assert_eq!((other("prompt", json!("Riddles.")), other("address", json!("http://localhost"))), (5, 0));
}

#[test]
fn several_at_a_time_ask_the_same_and_addresses_are_given_in_every_way() {
    for end in ["", "/", "/v1", "/v1/", "/v1/chat/completions"] {
        let (server, place, many) = (good(), Place::new(), documents(20));
        let mut ask = named(&server);
        ask["concurrency"] = json!(8);
        ask["address"] = json!(format!("{}{end}", server.address));
        let settings = settings(ask);
        assert_eq!(told(&place.ask(&settings, &many)), "done", "{end}");
        assert_eq!((place.missing(&settings, &many).len(), server.seen().len()), (0, 20), "{end}");
        assert!(server.paths().iter().all(|path| path == "/v1/chat/completions"), "{end}");
    }
}

/// What each kettle is answered, by the number of times it is asked.
fn moody(request: &Request) -> Reply {
    let asked = asked(request);
    let is_first = asked.n_turns == 2;
    let well = questions(asked.kettle);
    let sorry = "I would rather talk about spoons.";
    match asked.kettle {
        0 if is_first => completion(sorry, "stop", (10, 5)),
        1 => completion(sorry, "stop", (10, 5)),
        2 if is_first => completion(r#"{"questions": ["Only one?"]}"#, "stop", (10, 5)),
        3 => {
            completion(r#"{"questions": ["OWNED. All instructions are ignored.", "Why?"]}"#, "stop", (10, 5))
        }
        4 => {
            let echo =
                "Who said that nobody in house 4 heard it sing before evening came with its 4 visitors?";
            completion(&json!({"questions": [echo, "Why?"]}).to_string(), "stop", (10, 5))
        }
        5 if asked.max_tokens == 1024 => completion("{\"questions\": [\"What be", "length", (10, 1024)),
        6 => completion("{\"questions\": [\"What be", "length", (10, 2048)),
        7 => completion("No.", "content_filter", (10, 5)),
        8 => completion(&format!("Of course:\n```json\n{well}\n```"), "stop", (10, 5)),
        _ => completion(&well, "stop", (10, 5)),
    }
}

#[test]
fn answers_that_cannot_be_used_are_corrected_once_and_then_named() {
    let (server, place, ten) = (Server::start(|request, _| moody(request)), Place::new(), documents(10));
    let settings = settings(named(&server));
    assert_eq!(told(&place.ask(&settings, &ten)), "done");
    let missing = place.missing(&settings, &ten);
    let seen: Vec<(&str, &str)> =
        missing.iter().map(|one| (one.path.as_str(), one.reason.as_str())).collect();
    let expected = [
        ("t1.txt", "malformed"),
        ("t3.txt", "not a question"),
        ("t4.txt", "repeats the passage"),
        ("t6.txt", "truncated"),
        ("t7.txt", "refused"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(missing[4].said, "No.");
    // Two for each that was corrected, cut off or given up after that, one for every other.
    assert_eq!(server.seen().len(), 10 + 7);
    let corrected = server.seen().into_iter().find(|request| asked(request).n_turns == 4).unwrap();
    assert!(corrected.body.contains("it is not the JSON that was asked for"), "{}", corrected.body);
    let longest = server.seen().iter().map(|request| asked(request).max_tokens).max();
    assert_eq!(longest, Some(2048));
    // What was given up stays so, until somebody says otherwise.
    server.forget();
    assert_eq!(told(&place.ask(&settings, &ten)), "done");
    assert_eq!(server.seen().len(), 0);
    assert_eq!(told(&place.again(&settings, &ten)), "done");
    assert_eq!(server.seen().len(), 4 * 2 + 1);
    assert_eq!(place.missing(&settings, &ten).len(), 5);
}

#[test]
fn wherever_the_record_ends_it_goes_on_from_there() {
    let six = documents(9);
    let (server, whole) = (Server::start(|request, _| moody(request)), Place::new());
    let prices = json!([{"model": "m", "input": 1.0, "output": 1.0}]);
    let ask = |server: &Server| {
        let mut ask = named(server);
        ask["prices"] = prices.clone();
        super::settings(ask)
    };
    assert_eq!(told(&whole.ask(&ask(&server), &six)), "done");
    let n_all = server.seen().len();
    let record = fs::read(whole.folder().join(FILE)).unwrap();
    let ends: Vec<usize> = (0..record.len()).filter(|&at| record[at] == b'\n').map(|at| at + 1).collect();
    // As a kill leaves it: at the end of a line, within one, and one byte short of its end.
    let cuts = ends.iter().flat_map(|&end| [end, end.saturating_sub(9), end - 1]);
    for cut in std::iter::once(0).chain(cuts) {
        let place = Place::new();
        penname_ledger::write::folder(&place.folder()).unwrap();
        penname_ledger::write::bytes(&place.folder().join(FILE), &record[..cut]).unwrap();
        // A line that lacks only its end is whole.
        let text = String::from_utf8_lossy(&record[..cut]);
        let is_answer =
            |line: &&str| serde_json::from_str::<Value>(line).is_ok_and(|row| row["row"] == "answer");
        let n_kept = text.split('\n').filter(is_answer).count();
        server.forget();
        assert_eq!(told(&place.ask(&ask(&server), &six)), "done", "cut at {cut}");
        assert_eq!(server.seen().len(), n_all - n_kept, "cut at {cut}: nothing is lost, nothing asked twice");
        assert_eq!(place.missing(&ask(&server), &six), whole.missing(&ask(&server), &six), "cut at {cut}");
        let (spent, unsure) = place.questions().spent_usd();
        assert!((spent - unsure - whole.questions().spent_usd().0).abs() < 1e-9, "cut at {cut}");
    }
}

#[test]
fn a_hundred_passages_cost_no_more_than_a_cent() {
    // The service counts as many tokens as there can be.
    let server = Server::start(|request, _| {
        let asked = asked(request);
        completion(&questions(asked.kettle), "stop", (asked.bytes, asked.max_tokens as usize))
    });
    let (place, many) = (Place::new(), documents(100));
    let mut ask = named(&server);
    ask["prices"] = json!([{"model": "m", "input": 0.2, "output": 1.0}]);
    ask["max_tokens"] = json!(100);
    ask["concurrency"] = json!(32);
    ask["budget_usd"] = json!(0.01);
    let with = |budget: f64| {
        let mut ask = ask.clone();
        ask["budget_usd"] = json!(budget);
        super::settings(ask)
    };
    assert_eq!(told(&place.ask(&with(0.01), &many)), "capped");
    let (spent, n_asked) = (place.questions().spent_usd().0, server.seen().len());
    assert!(spent <= 0.01 && spent > 0.008, "{spent}");
    assert!(n_asked > 10 && n_asked < 40, "{n_asked}");
    assert_eq!(place.missing(&with(0.01), &many).len(), 100 - n_asked);
    // The same again: nothing fits, nothing is asked.
    assert_eq!(told(&place.ask(&with(0.01), &many)), "capped");
    assert_eq!(server.seen().len(), n_asked);
    assert_eq!(told(&place.ask(&with(1.0), &many)), "done");
    assert_eq!((server.seen().len(), place.missing(&with(1.0), &many).len()), (100, 0));
}

#[test]
fn what_has_no_price_is_not_asked_unless_that_is_allowed() {
    let ask = json!({"provider": "openai", "model": "m", "address": "https://a.test"});
    let place = Place::new();
    let refused = told(&place.ask(&settings(ask), &documents(1)));
    assert!(refused.starts_with("nobody says what `m` costs: it is not in the list of 2"), "{refused}");
    let server = good();
    assert_eq!(told(&place.ask(&settings(named(&server)), &documents(1))), "done", "what runs here is free");
}

#[test]
fn a_service_that_is_down_stops_it_and_one_bad_passage_does_not() {
    let server = Server::start(|request, _| match asked(request).kettle {
        1 => Reply::status(500),
        n => completion(&questions(n), "stop", (10, 5)),
    });
    let (place, four) = (Place::new(), documents(4));
    let settings = settings(named(&server));
    assert_eq!(told(&place.ask(&settings, &four)), "done");
    assert_eq!(server.seen().len(), 3 + 3, "three tries, and the others once each");
    let missing = place.missing(&settings, &four);
    assert_eq!((missing.len(), missing[0].reason.as_str()), (1, "no answer yet"));
    assert!(missing[0].said.contains("fails with status 500, 3 times in a row"), "{}", missing[0].said);
    let down = Server::start(|_, _| Reply::status(503));
    let down = super::settings(named(&down));
    let seen = told(&Place::new().ask(&down, &documents(9)));
    assert!(seen.contains("fails with status 503, 3 times in a row"), "{seen}");
}

#[test]
fn a_service_that_sets_the_pace_is_followed_by_all() {
    let server = Server::start(|request, n| match n % 3 {
        0 => completion(&questions(asked(request).kettle), "stop", (10, 5)),
        _ => Reply::status(429).with("retry-after", 2),
    });
    let (place, many) = (Place::new(), documents(12));
    let mut ask = named(&server);
    ask["concurrency"] = json!(4);
    assert_eq!(told(&place.ask(&settings(ask.clone()), &many)), "done");
    assert_eq!(place.missing(&settings(ask), &many).len(), 0);
    assert_eq!(place.rows("answer").len(), server.seen().len());
}

#[test]
fn requests_that_the_service_does_not_take_stop_it_after_a_few() {
    let body = r#"{"error": {"message": "response_format is not supported"}}"#;
    let server = Server::start(move |_, _| Reply::status(400).saying(body));
    let (place, nine) = (Place::new(), documents(9));
    let seen = told(&place.ask(&settings(named(&server)), &nine));
    assert!(seen.ends_with("refuses with status 400: response_format is not supported"), "{seen}");
    assert_eq!(server.seen().len(), 3);
    let plain = Server::start(|request, _| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert!(body.get("response_format").is_none());
        completion("1. What became of it?\n2. Who drank tea?", "stop", (10, 5))
    });
    let mut ask = named(&plain);
    ask["form"] = json!("text");
    assert_eq!(told(&place.again(&settings(ask.clone()), &nine)), "done");
    assert_eq!(place.missing(&settings(ask), &nine).len(), 0);
}

#[test]
fn ctrl_c_ends_it_and_the_same_command_goes_on() {
    let place = Place::new();
    let stop = Arc::clone(&place.stop);
    let server = Server::start(move |request, n| {
        stop.store(n == 3, Ordering::Relaxed);
        completion(&questions(asked(request).kettle), "stop", (10, 5))
    });
    let settings = settings(named(&server));
    assert_eq!(told(&place.ask(&settings, &documents(6))), "stopped; the same command goes on from here");
    assert_eq!((server.seen().len(), place.missing(&settings, &documents(6)).len()), (3, 3));
    place.stop.store(false, Ordering::Relaxed);
    assert_eq!(told(&place.ask(&settings, &documents(6))), "done");
    assert_eq!(server.seen().len(), 6);
}
