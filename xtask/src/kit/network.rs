//! Recorded answers of services, played back on the loopback interface to the client that collects.
//!
//! Nothing leaves the machine: redirects in recordings lead back to the player.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use penname_corpus::Settings;
use penname_corpus::collect::fetch::{self, Clock, Order, Secrets};
use penname_ledger::event::Silent;
use penname_ledger::{Seed, Timestamp, write};
use serde_json::{Value, json};

use super::{Inputs, Verdict};
use crate::{Result, root};

/// What each recording of a refusal must come to.
const REFUSALS: &[(&str, &str)] = &[
    ("bad_gateway", "fails with status 502, 6 times in a row"),
    ("forbidden", "refuses with status 403"),
    ("gateway_timeout", "fails with status 504, 6 times in a row"),
    ("not_found", "status 404"),
    ("redirect", "leads to one redirect after another"),
    ("redirect_301", "leads to one redirect after another"),
    ("service_unavailable", "fails with status 503, 6 times in a row"),
    ("too__many_requests__with_retry_headers", "asks to be left alone until"),
    ("too__many_requests__without_retry_headers", "asks to be left alone until"),
    ("unavailable_for_legal_reasons", "refuses with status 451"),
];

/// A clock that moves when somebody sleeps.
#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_000 + self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// Plays answers on the loopback interface; the address, until the process ends.
#[expect(clippy::disallowed_methods, reason = "a recording needs somebody to play it")]
fn play(answer: impl Fn(&str, &str) -> Value + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Some((method, path)) = asked(&stream) {
                // Who hangs up early has heard enough.
                let _gone = told(stream, &answer(&method, &path), &own);
            }
        }
    });
    Ok(address)
}

fn asked(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut n_bytes = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            n_bytes = value.trim().parse().ok()?;
        }
    }
    reader.take(n_bytes).read_to_end(&mut Vec::new()).ok()?;
    Some((method, path))
}

/// Sends a recorded answer: its status, the headers that mean something to a client, its body.
fn told(mut stream: TcpStream, response: &Value, own: &str) -> std::io::Result<()> {
    let body = response["body"]["string"].as_str().unwrap_or_default();
    let status = response["status"]["code"].as_u64().unwrap_or(500);
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())?;
    for (name, values) in response["headers"].as_object().into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        let value = values[0].as_str().unwrap_or_default();
        match name.as_str() {
            "location" => write!(stream, "location: {}\r\n", value.replace("https://oauth.reddit.com", own))?,
            "content-type" | "retry-after" => write!(stream, "{name}: {value}\r\n")?,
            _ if name.starts_with("x-ratelimit") => write!(stream, "{name}: {value}\r\n")?,
            _ => {}
        }
    }
    write!(stream, "\r\n{body}")
}

/// Collects from a player into a folder; what stopped it, in words, or how much it took.
fn collected(address: &str, folder: &Path) -> Result<String> {
    let settings: Settings = serde_json::from_value(json!({"sources": [
        {"id": "kit", "kind": "reddit", "subreddit": "x", "address": address, "login": address},
    ]}))?;
    if folder.exists() {
        write::remove_folder(folder)?;
    }
    let outcomes = fetch::fetch(&Order {
        settings: &settings,
        folder,
        waits: &folder.join("waits.json"),
        secrets: &Secrets::find(|_| Some("x".to_owned())),
        proxy: None,
        clock: &Hand::default(),
        witness: &Silent,
        stop: &AtomicBool::new(false),
        seed: Seed(7),
        again: false,
    })?;
    let outcome = outcomes.first().ok_or("no source was asked")?;
    Ok(outcome.fault.as_ref().map_or_else(|| format!("{} taken", outcome.n_taken), ToString::to_string))
}

fn recording(inputs: &Inputs, path: &str) -> std::result::Result<Vec<Value>, super::Stop> {
    let recording: Value = serde_json::from_str(&fs::read_to_string(inputs.kit(path)?)?)?;
    Ok(recording["interactions"].as_array().cloned().unwrap_or_default())
}

/// Every recorded refusal comes to what it should, the last answer repeated for ever.
pub(super) fn refusals(inputs: &Inputs) -> Verdict {
    for (name, expected) in REFUSALS {
        let list = recording(inputs, &format!("reddit/errors/TestSession.test_request__{name}.json"))?;
        let of = |method: &str| {
            let found = list.iter().filter(|one| one["request"]["method"] == method);
            found.map(|one| one["response"].clone()).next_back()
        };
        let (login, answer) = (of("POST").unwrap_or_default(), of("GET").unwrap_or_default());
        let address = play(move |method, _| if method == "POST" { login.clone() } else { answer.clone() })?;
        let seen = collected(&address, &root().join("target/kit/network").join(name))?;
        if !seen.contains(expected) {
            return Err(format!("`{name}` comes to `{seen}`, expected `{expected}`").into());
        }
    }
    Ok(format!("{} recorded answers, each with its verdict", REFUSALS.len()))
}

/// A recorded thread of hundreds of comments, a part of them only named, is taken whole.
pub(super) fn thread(inputs: &Inputs) -> Verdict {
    let list = recording(inputs, "reddit/listings/TestCommentForest.test_replace__all.json")?;
    let (mut answers, mut comments) = (BTreeMap::new(), BTreeSet::new());
    for one in &list {
        let uri = one["request"]["uri"].as_str().unwrap_or_default();
        let path = uri.trim_start_matches("https://oauth.reddit.com").split('?').next().unwrap_or_default();
        let names =
            one["request"]["body"].as_str().and_then(|body| field(body, "children")).unwrap_or_default();
        answers.insert(format!("{} {names}", path.trim_end_matches('/')), one["response"].clone());
        comments.extend(named(one["response"]["body"]["string"].as_str().unwrap_or_default()));
    }
    let listing = json!({"data": {"children": [{"kind": "t3", "data": {"id": "3hahrw", "name": "t3_3hahrw"}}], "after": null}});
    let listing = json!({"status": {"code": 200}, "body": {"string": listing.to_string()}});
    let login =
        json!({"status": {"code": 200}, "body": {"string": r#"{"access_token": "k", "expires_in": 3600}"#}});
    let address = play(move |method, path| {
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let key = format!("{place} {}", field(query, "children").unwrap_or_default());
        match (method, place) {
            ("POST", _) => login.clone(),
            (_, "/r/x/new") => listing.clone(),
            _ => answers.get(&key).cloned().unwrap_or_default(),
        }
    })?;
    let folder = root().join("target/kit/network/thread");
    let seen = collected(&address, &folder)?;
    let page = fs::read_to_string(folder.join("kit/pages/t3_3hahrw.json"))
        .map_err(|_| format!("nothing was taken: {seen}"))?;
    let taken: BTreeSet<String> = named(&page).collect();
    if taken != comments || page.contains("\"more\"") {
        return Err(format!("{} of {} comments were taken: {seen}", taken.len(), comments.len()).into());
    }
    Ok(format!("{} comments of one thread, all that its 18 stubs name among them", taken.len()))
}

/// A field of a query, as it stands there.
fn field<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The comments in an answer, by their names.
fn named(answer: &str) -> impl Iterator<Item = String> {
    let value: Value = serde_json::from_str(answer).unwrap_or_default();
    let (mut found, mut open) = (Vec::new(), vec![&value]);
    while let Some(value) = open.pop() {
        if value["kind"] == "t1" {
            found.extend(value["data"]["id"].as_str().map(str::to_owned));
        }
        match value {
            Value::Array(list) => open.extend(list),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    found.into_iter()
}
