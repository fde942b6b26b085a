//! Questions for passages: from a service on the loopback interface, by a program that may be killed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use penname_ledger::Stopwatch;
use serde_json::{Value, json};

use crate::bench::{Bench, result};
use crate::server::{Reply, Request, Server};
use crate::tiny;

const N_TEXTS: usize = 24;
/// Seconds to wait for a service to be asked before the test gives up.
const PATIENCE: f64 = 120.0;

/// A service that speaks as OpenAI's does, slow enough to be killed in the middle; `refuses` says about
/// which kettles it would rather not speak.
fn service(refuses: fn(usize) -> bool) -> Server {
    Server::start(move |request, _| {
        sleep(Duration::from_millis(10));
        kettle(request).map_or_else(|| Reply::status(400), |n| answer(n, refuses(n)))
    })
}

/// How often each kettle was asked about.
fn counts(service: &Server) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    let seen = service.seen();
    seen.iter().filter_map(kettle).for_each(|kettle| *counts.entry(kettle).or_default() += 1);
    counts
}

/// The kettle that is asked about; a question that was cut off is about none.
fn kettle(request: &Request) -> Option<usize> {
    let body: Value = serde_json::from_str(&request.body).ok()?;
    let text = body["messages"][1]["content"].as_str()?;
    text.split("Kettle ").nth(1)?.split(' ').next()?.parse().ok()
}

fn answer(n: usize, is_refused: bool) -> Reply {
    let questions =
        json!({"questions": [format!("What became of kettle {n}?"), format!("Who drank tea in house {n}?")]});
    let refusal = is_refused.then_some("no");
    let message = json!({"content": questions.to_string(), "refusal": refusal});
    let usage = json!({"prompt_tokens": 500, "completion_tokens": 40});
    Reply::ok(json!({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).to_string())
}

/// A voice with texts of one passage each, and a service to be asked.
fn bench(service: &Server, more: &str) -> Bench {
    let text = |n: usize| {
        format!(
            "Kettle {n} sang on hob {n} from noon to evening, and nobody in house {n} heard it before the {n} \
             visitors came in their {} coats. They wanted tea. They were given {n} cups of it and went home.\n",
            n * 7 + 3
        )
    };
    let texts: Vec<(String, String)> = (0..N_TEXTS).map(|n| (format!("t{n:02}.txt"), text(n))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let bench = Bench::with_writing(&texts);
    let ask = format!(
        "corpus:\n  dedupe: {{near: false}}\n  ask:\n    provider: openai\n    model: m\n    address: {}\n    concurrency: 2\n    prices: [{{model: m, input: 1.0, output: 5.0}}]\n{more}",
        service.address
    );
    bench.write("penname.yaml", &ask);
    bench
}

#[test]
fn killed_at_any_moment_nothing_paid_for_is_lost_or_asked_again() {
    let service = service(|_| false);
    let bench = bench(&service, "");
    for n_asked in [3, 9, 16] {
        let mut child = bench.command(&["ask", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        let watch = Stopwatch::start();
        while service.seen().len() < n_asked {
            assert!(watch.seconds() < PATIENCE, "the service was asked {} times", service.seen().len());
            sleep(Duration::from_millis(1));
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = bench.run(&["ask"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("24 of 24 passages have questions\n"), "{}", said.out);
    assert!(said.err.contains("they go to `127.0.0.1:"), "it is said where the words go: {}", said.err);
    let counts = counts(&service);
    let n_twice: usize = counts.values().map(|n| n - 1).sum();
    assert_eq!(counts.len(), N_TEXTS);
    // What was on its way, two at a time, and no more.
    assert!(n_twice <= 6, "{counts:?}");
    let n_before = service.seen().len();
    assert!(bench.run(&["ask"]).out.starts_with("24 of 24 passages have questions\n"));
    assert_eq!(service.seen().len(), n_before, "what was answered is not asked again");
    let (code, objects) = bench.json(&["prepare"]);
    assert_eq!((code, &result(&objects)["account"]["prompt"]), (0, &json!(0)));
    let shown = bench.run(&["show", "document", "1"]).out;
    assert!(shown.contains("Kettle"), "{shown}");
}

#[test]
fn what_it_costs_is_said_first_and_a_budget_ends_it_with_a_code_of_its_own() {
    let service = service(|_| false);
    let bench = bench(&service, "    max_tokens: 100\n");
    let said = bench.run(&["ask", "--estimate"]);
    assert_eq!((said.code, service.seen().len()), (0, 0), "{said:?}");
    assert!(said.out.starts_with("24 passages, 24 of them to be asked about: "), "{}", said.out);
    assert!(
        said.out.contains("likely to cost 0.0") && said.out.contains("5.00 USD may be spent"),
        "{}",
        said.out
    );
    let said = bench.run(&["ask", "--budget", "0.01"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("the same command with a larger `--budget` goes on from here"), "{}", said.err);
    let n_asked = service.seen().len();
    assert!(n_asked > 3 && n_asked < 15, "{n_asked}");
    assert!(said.out.contains("not asked yet") && said.out.contains("missing.jsonl"), "{}", said.out);
    let spent = n_asked as f64 * 0.0007;
    assert!(said.out.contains(&format!("{spent:.4} USD spent in all")), "{spent}: {}", said.out);
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains(&format!("{} of 24 passages have no questions", 24 - n_asked)), "{}", said.err);
    assert_eq!(bench.run(&["ask"]).code, 0);
    assert_eq!(service.seen().len(), N_TEXTS);
    assert!(!bench.path("asked/missing.jsonl").exists());
    assert_eq!(bench.run(&["prepare"]).code, 0);
}

#[test]
fn what_is_missing_is_listed_and_accepted_only_by_word() {
    let service = service(|kettle| kettle == 5);
    let bench = bench(&service, "");
    let said = bench.run(&["ask"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.out.contains("23 of 24 passages have questions\n       1  refused\n"), "{}", said.out);
    let list = std::fs::read_to_string(bench.path("asked/missing.jsonl")).unwrap();
    let row: Value = serde_json::from_str(list.trim_end()).unwrap();
    assert_eq!((&row["path"], &row["reason"]), (&json!("t05.txt"), &json!("refused")));
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("first: `t05.txt`, passage 1: refused"), "{}", said.err);
    assert_eq!(bench.run(&["prepare", "--accept-missing", "1%"]).code, 3);
    assert_eq!(bench.run(&["prepare", "--accept-missing", "ten"]).code, 2);
    let said = bench.run(&["prepare", "--accept-missing", "10%"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("passages without a question"), "{}", said.out);
    assert!(said.out.contains("generated questions: 23 of 24 passages"), "{}", said.out);
    assert_eq!(bench.run(&["ask", "--accept-missing", "0.1"]).code, 0);
    assert_eq!(service.seen().len(), N_TEXTS);
}

#[test]
fn nobody_is_asked_without_a_name_or_offline() {
    let service = service(|_| false);
    let bench = bench(&service, "");
    let said = bench.run(&["ask", "--offline"]);
    assert_eq!((said.code, service.seen().len()), (2, 0), "{said:?}");
    assert!(said.err.contains("cannot be asked, because the network may not be used"), "{}", said.err);
    assert_eq!(bench.run(&["ask", "--offline", "--estimate"]).code, 0);
    let said = bench.run(&["ask", "--set", "corpus.ask.provider=null"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("nobody is named who could write questions"), "{}", said.err);
    let said = bench.run(&["prepare", "--set", "corpus.ask.provider=null"]);
    assert_eq!((said.code, service.seen().len()), (0, 0), "{said:?}");
    // A trial is looked at before anything is asked.
    let said = bench.run(&["prepare", "--limit", "1"]);
    assert_eq!((said.code, service.seen().len()), (0, 0), "{said:?}");
    let said = bench.run(&["ask", "--set", "corpus.ask.model=null"]);
    assert!(said.code == 2 && said.err.contains("`corpus.ask.model` names no model"), "{}", said.err);
}

#[test]
fn the_base_itself_is_asked_and_nothing_leaves_the_machine() {
    let service = service(|_| false);
    let bench = bench(&service, "");
    tiny::write_base(&bench.path("base"));
    // A model that knows nothing writes no questions; each answer is kept and named for what it is.
    let args = [
        "ask",
        "--offline",
        "--base",
        "./base",
        "--set",
        "corpus.ask.provider=local",
        "--set",
        "corpus.ask.model=null",
        "--set",
        "corpus.ask.max_tokens=16",
    ];
    let said = bench.run(&args);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("./base reads them on this machine; nothing is sent"), "{}", said.err);
    assert!(said.out.starts_with("0 of 24 passages have questions\n"), "{}", said.out);
    assert!(said.out.contains("truncated") || said.out.contains("malformed"), "{}", said.out);
    assert_eq!(service.seen().len(), 0);
    let record = std::fs::read_to_string(bench.path("asked/answers.jsonl")).unwrap();
    let n_asked = record.lines().count();
    assert!((2 * N_TEXTS..=3 * N_TEXTS).contains(&n_asked), "each is asked twice or three times: {n_asked}");
    // Nothing is asked again.
    assert_eq!(bench.run(&args).code, 3);
    assert_eq!(std::fs::read_to_string(bench.path("asked/answers.jsonl")).unwrap(), record);
}
