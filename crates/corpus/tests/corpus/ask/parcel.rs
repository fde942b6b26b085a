//! Anthropic's batches: answered late, in any order, and not all of them well.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::anthropic::{message, named};
use super::*;
use crate::fetch::server::{Reply, Request, Server};

/// The service, with the parcels it was sent.
struct Service {
    /// What each asked for: its name there, and the kettle.
    parcels: Vec<Vec<(String, usize)>>,
    n_looks: usize,
    /// Answers to a parcel that are not heard.
    is_lost: bool,
    /// What becomes of a kettle, by the parcel it is in.
    fate: fn(usize, usize) -> Value,
    /// Bytes after which the first list of answers breaks off.
    cut: Option<usize>,
}

fn succeeded(kettle: usize) -> Value {
    json!({"type": "succeeded", "message": message(&questions(kettle), "end_turn")})
}

impl Service {
    fn answer(&mut self, request: &Request) -> Reply {
        assert_eq!(request.header("x-api-key"), Some("the ANTHROPIC_API_KEY"));
        let path = request.path.strip_prefix("/v1/messages/batches").unwrap();
        match (request.method.as_str(), path.split(['/', '?']).collect::<Vec<_>>()[..].as_ref()) {
            ("POST", _) => {
                let body: Value = serde_json::from_str(&request.body).unwrap();
                let requests = body["requests"].as_array().unwrap();
                let one = |one: &Value| {
                    let text = one["params"]["messages"][0]["content"].as_str().unwrap();
                    (one["custom_id"].as_str().unwrap().to_owned(), kettle(text))
                };
                self.parcels.push(requests.iter().map(one).collect());
                let reply = Reply::ok(self.parcel(self.parcels.len() - 1).to_string());
                if self.is_lost { reply.cut_after(9) } else { reply }
            }
            ("GET", ["", "limit=100"]) => {
                let data: Vec<Value> = (0..self.parcels.len()).rev().map(|at| self.parcel(at)).collect();
                Reply::ok(json!({ "data": data }).to_string())
            }
            ("GET", ["", id]) => {
                self.n_looks += 1;
                Reply::ok(self.parcel(index(id)).to_string())
            }
            ("GET", ["", id, "results"]) => {
                let reply = Reply::ok(self.results(index(id)));
                match self.cut.take() {
                    Some(n_bytes) => reply.cut_after(n_bytes),
                    None => reply,
                }
            }
            _ => Reply::status(404),
        }
    }

    fn parcel(&self, at: usize) -> Value {
        let n = self.parcels[at].len();
        let is_ended = self.n_looks.is_multiple_of(3) && self.n_looks > 0;
        json!({
            "id": format!("msgbatch_{at}"), "created_at": "2023-11-14T22:13:21Z",
            "processing_status": if is_ended { "ended" } else { "in_progress" },
            "request_counts": {"processing": n, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        })
    }

    /// The answers to a parcel, last one first.
    fn results(&self, at: usize) -> String {
        let line = |(name, kettle): &(String, usize)| {
            json!({"custom_id": name, "result": (self.fate)(at, *kettle)}).to_string() + "\n"
        };
        self.parcels[at].iter().rev().map(line).collect()
    }
}

fn index(id: &str) -> usize {
    id.strip_prefix("msgbatch_").unwrap().parse().unwrap()
}

fn start(service: Service) -> (Server, Arc<Mutex<Service>>) {
    let service = Arc::new(Mutex::new(service));
    let own = Arc::clone(&service);
    (Server::start(move |request, _| own.lock().unwrap().answer(request)), service)
}

fn well() -> Service {
    Service {
        parcels: Vec::new(),
        n_looks: 0,
        is_lost: false,
        fate: |_, kettle| succeeded(kettle),
        cut: None,
    }
}

fn batch(server: &Server) -> Settings {
    let mut ask = named(server);
    ask["mode"] = json!("batch");
    settings(ask)
}

fn n_sent(server: &Server) -> usize {
    server.seen().iter().filter(|request| request.method == "POST").count()
}

#[test]
fn answers_are_matched_by_name_and_cost_half() {
    let ((server, service), place, many) = (start(well()), Place::new(), documents(40));
    assert_eq!(told(&place.ask(&batch(&server), &many)), "done");
    assert_eq!((place.missing(&batch(&server), &many).len(), n_sent(&server)), (0, 1));
    assert!(service.lock().unwrap().n_looks >= 3);
    let row = &place.rows("answer")[0];
    assert_eq!(
        (&row["usd"], &row["mode"], &row["batch"]),
        (&json!(0.00075), &json!("batch"), &json!("msgbatch_0"))
    );
    assert!((place.questions().spent_usd().0 - 40.0 * 0.00075).abs() < 1e-9);
    // Each question is about the kettle of its own passage.
    let questions = place.questions();
    for (n, document) in many.iter().enumerate() {
        let made = penname_corpus::compose::compose(document, &batch(&server), &questions);
        assert_eq!(made.examples[0].messages[0].content, format!("What became of kettle {n}?"));
    }
    // What was asked in a parcel is not asked again one by one.
    server.forget();
    assert_eq!(told(&place.ask(&settings(named(&server)), &many)), "done");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn what_a_parcel_brings_back_unanswered_goes_with_the_next() {
    let fate = |parcel: usize, kettle: usize| {
        let error = |kind: &str| json!({"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": "so"}}});
        match (kettle, parcel) {
            (0, 0) => json!({"type": "expired"}),
            (1, 0) => json!({"type": "canceled"}),
            (2, 0) => error("api_error"),
            (3, _) => error("invalid_request_error"),
            (4, 0) => json!({"type": "succeeded", "message": message("Sorry.", "end_turn")}),
            (5, 0) => json!({"type": "succeeded", "message": message("{", "max_tokens")}),
            (6, _) => json!({"type": "succeeded", "message": message("No.", "refusal")}),
            (7, _) => json!({"type": "expired"}),
            _ => succeeded(kettle),
        }
    };
    let ((server, service), place, nine) = (start(Service { fate, ..well() }), Place::new(), documents(9));
    assert_eq!(told(&place.ask(&batch(&server), &nine)), "done");
    let missing = place.missing(&batch(&server), &nine);
    let seen: Vec<(&str, &str)> =
        missing.iter().map(|one| (one.path.as_str(), one.reason.as_str())).collect();
    assert_eq!(seen, [("t3.txt", "rejected"), ("t6.txt", "refused"), ("t7.txt", "no answer yet")]);
    assert_eq!(missing[2].said, "its parcel was not done within a day");
    let service = service.lock().unwrap();
    let sizes: Vec<usize> = service.parcels.iter().map(Vec::len).collect();
    // The one that is never answered has as many tries as one that fails, and some for corrections.
    assert_eq!(sizes, [9, 6, 1, 1, 1]);
    let spent = place.questions().spent_usd();
    assert!((spent.0 - 9.0 * 0.00075).abs() < 1e-9 && spent.1 == 0.0, "{spent:?}");
}

#[test]
fn whenever_it_is_stopped_nothing_is_sent_twice() {
    let ((server, _), place) = (start(well()), Place::new());
    assert_eq!(told(&place.ask(&batch(&server), &documents(5))), "done");
    let n_questions = server.seen().len();
    for n_stop in 1..n_questions {
        let place = Place::new();
        let service = Mutex::new(well());
        let stop = Arc::clone(&place.stop);
        let server = Server::start(move |request, n| {
            stop.store(n == n_stop, Ordering::Relaxed);
            service.lock().unwrap().answer(request)
        });
        let stopped = told(&place.ask(&batch(&server), &documents(5)));
        assert_eq!(stopped, "stopped; the same command goes on from here", "after {n_stop}");
        place.stop.store(false, Ordering::Relaxed);
        assert_eq!(told(&place.ask(&batch(&server), &documents(5))), "done", "after {n_stop}");
        assert_eq!(n_sent(&server), 1, "after {n_stop}");
        assert_eq!(place.rows("answer").len(), 5, "after {n_stop}");
    }
}

#[test]
fn wherever_the_record_ends_a_parcel_is_found_again() {
    let ((server, service), whole, five) = (start(well()), Place::new(), documents(5));
    assert_eq!(told(&whole.ask(&batch(&server), &five)), "done");
    let record = fs::read(whole.folder().join(FILE)).unwrap();
    let ends: Vec<usize> = (0..record.len()).filter(|&at| record[at] == b'\n').map(|at| at + 1).collect();
    for cut in ends.iter().flat_map(|&end| [end, end - 9]).skip(1) {
        let place = Place::new();
        penname_ledger::write::folder(&place.folder()).unwrap();
        penname_ledger::write::bytes(&place.folder().join(FILE), &record[..cut]).unwrap();
        server.forget();
        service.lock().unwrap().n_looks = 0;
        let was_sent = cut >= ends[0];
        assert_eq!(told(&place.ask(&batch(&server), &five)), "done", "cut at {cut}");
        assert_eq!(n_sent(&server), usize::from(!was_sent), "cut at {cut}");
        assert_eq!(place.rows("answer").len(), 5, "cut at {cut}: each answer is entered once");
        assert_eq!(place.missing(&batch(&server), &five).len(), 0);
        let (spent, unsure) = place.questions().spent_usd();
        assert!((spent - 5.0 * 0.00075).abs() < 1e-9 && unsure == 0.0, "cut at {cut}: {spent} {unsure}");
    }
}

#[test]
fn a_parcel_whose_receipt_was_lost_is_looked_for() {
    let ((server, service), place, five) =
        (start(Service { is_lost: true, ..well() }), Place::new(), documents(5));
    let seen = told(&place.ask(&batch(&server), &five));
    assert!(seen.contains("breaks off in the middle of its answer"), "{seen}");
    assert_eq!(told(&place.ask(&batch(&server), &five)), "done");
    assert_eq!((n_sent(&server), place.missing(&batch(&server), &five).len()), (1, 0));
    // One that never arrived is not found, and sent again.
    let place = Place::new();
    let seen = told(&place.ask(&batch(&server), &documents(3)));
    assert!(seen.contains("breaks off"), "{seen}");
    service.lock().unwrap().parcels.clear();
    service.lock().unwrap().is_lost = false;
    assert_eq!(told(&place.ask(&batch(&server), &documents(3))), "done");
    assert_eq!(place.missing(&batch(&server), &documents(3)).len(), 0);
}

#[test]
fn answers_that_break_off_are_fetched_again_and_charged_once() {
    let ((server, _), place, five) =
        (start(Service { cut: Some(700), ..well() }), Place::new(), documents(5));
    assert_eq!(told(&place.ask(&batch(&server), &five)), "done");
    assert_eq!(place.rows("answer").len(), 5);
    let lists = server.paths().iter().filter(|path| path.ends_with("/results")).count();
    assert_eq!((lists, n_sent(&server)), (2, 1));
}

#[test]
fn a_parcel_is_no_larger_than_the_money_for_it() {
    let ((server, service), place, many) = (start(well()), Place::new(), documents(40));
    let with = |budget: f64| {
        let mut ask = named(&server);
        (ask["mode"], ask["budget_usd"]) = (json!("batch"), json!(budget));
        super::settings(ask)
    };
    assert_eq!(told(&place.ask(&with(0.02), &many)), "capped");
    let n_asked: usize = service.lock().unwrap().parcels.iter().map(Vec::len).sum();
    let spent = place.questions().spent_usd().0;
    assert!(spent <= 0.02 && (spent - n_asked as f64 * 0.00075).abs() < 1e-9, "{spent} for {n_asked}");
    assert!(service.lock().unwrap().parcels.len() > 1, "what is given back is spent on the next one");
    assert_eq!(told(&place.ask(&with(1.0), &many)), "done");
    assert_eq!(place.missing(&with(1.0), &many).len(), 0);
    let n_asked: usize = service.lock().unwrap().parcels.iter().map(Vec::len).sum();
    assert_eq!(n_asked, 40, "nothing is asked twice");
}
