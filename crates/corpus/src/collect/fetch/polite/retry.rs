//! What an answer means for the next question: whether to ask again, and when.

use std::time::Duration;

use penname_ledger::{Stream, Timestamp};

use super::super::Fault;
use super::Answer;
use crate::when;

/// Longest wait that is believed, in milliseconds: 30 days.
const MAX_WAIT_MS: f64 = 30.0 * 86_400_000.0;
/// The first wait where the host does not say how long, doubled each time.
const BASE_MS: u64 = 1000;
/// The longest of those waits.
const CAP_MS: u64 = 60_000;
/// Characters of what a host says that are repeated.
const MAX_SAID: usize = 160;

/// What to make of an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is what was asked for.
    Good,
    /// It may be better later: after this long, where the host says.
    Again(Option<Duration>),
    /// It will not get better.
    Never(Fault),
}

/// Judges an answer by its status.
pub(super) fn verdict(answer: &Answer, now: Timestamp) -> Verdict {
    let host = answer.address.host().to_owned();
    let is_final = answer.header("x-should-retry").is_some_and(|text| text.trim() == "false");
    match answer.status {
        200..=299 | 304 => Verdict::Good,
        status @ (408 | 425 | 429 | 500..=599) if is_final => {
            Verdict::Never(Fault::Refused { host, status, said: said(answer) })
        }
        408 | 425 | 429 | 500..=599 => Verdict::Again(after(answer, now)),
        401 => Verdict::Never(Fault::Unauthorized { host, said: said(answer) }),
        402 => Verdict::Never(Fault::Payment { host, said: said(answer) }),
        status @ (404 | 410) => Verdict::Never(Fault::Missing { address: answer.address.shown(), status }),
        status => Verdict::Never(Fault::Refused { host, status, said: said(answer) }),
    }
}

/// How long the host asks to wait.
pub(super) fn after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    if let Some(ms) = answer.header("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok()) {
        return duration(ms);
    }
    let text = answer.header("retry-after").map(str::trim).filter(|text| !text.is_empty());
    match text.map(|text| (text.parse::<f64>().ok(), text)) {
        Some((Some(seconds), _)) => duration(seconds * 1000.0),
        Some((None, text)) => duration((when::parse(text)? * 1000 - now.ms()) as f64),
        None => None,
    }
}

/// Milliseconds as a wait; nonsense is none.
pub(super) fn duration(ms: f64) -> Option<Duration> {
    ms.is_finite().then(|| Duration::from_millis(ms.clamp(0.0, MAX_WAIT_MS) as u64))
}

/// A wait before try number `n_tries`, between nothing and the most it may be: many that wait the
/// same would come back together.
///
/// # Source
/// M. Brooker, *Exponential Backoff and Jitter*, 2015, "full jitter".
pub(super) fn backoff(n_tries: u32, jitter: &mut Stream) -> Duration {
    let most = BASE_MS.saturating_mul(1 << n_tries.saturating_sub(1).min(10)).min(CAP_MS);
    Duration::from_millis(1 + jitter.below(most))
}

/// What a host says about its refusal, shortened.
fn said(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let start = text.trim_start().get(..1).unwrap_or_default();
    let words = match start {
        "{" => from_json(&text).unwrap_or_default(),
        "<" => "a page for people, which is how services turn away programs".to_owned(),
        _ => text.trim().to_owned(),
    };
    let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

/// The words in `{"message": …}`, `{"reason": …}`, `{"error": {"message": …}}`.
fn from_json(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let places = ["/error/message", "/message", "/reason", "/error_description", "/error"];
    let found = places.iter().find_map(|place| value.pointer(place)?.as_str());
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use penname_ledger::Seed;

    use super::super::super::address::Address;
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            address: Address::parse("https://a.test/x?key=1").unwrap(),
        }
    }

    #[test]
    fn waits_are_read_in_every_form() {
        let check = |name, value, seconds: Option<f64>| {
            let now = Timestamp::from_ms(1_445_412_440_000);
            let found = after(&answer(429, &[(name, value)], ""), now);
            assert_eq!(found.map(|wait| wait.as_secs_f64()), seconds, "{name}: {value}");
        };
        check("retry-after", "7", Some(7.0));
        check("retry-after", "0.25", Some(0.25));
        check("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", Some(40.0));
        check("retry-after", "Wed, 21 Oct 2005 07:28:00 GMT", Some(0.0));
        check("retry-after-ms", "1500", Some(1.5));
        check("retry-after", "1e300", Some(30.0 * 86_400.0));
        check("retry-after", "-5", Some(0.0));
        check("retry-after", "NaN", None);
        check("retry-after", "soon", None);
        check("other", "1", None);
    }

    #[test]
    fn each_status_has_its_verdict() {
        let check = |status, body, expected: &str| {
            let seen = match verdict(&answer(status, &[], body), Timestamp::from_ms(0)) {
                Verdict::Good => "good".to_owned(),
                Verdict::Again(_) => "again".to_owned(),
                Verdict::Never(fault) => fault.to_string(),
            };
            assert_eq!(seen, expected);
        };
        check(200, "", "good");
        check(304, "", "good");
        check(429, "", "again");
        check(520, "", "again");
        check(529, "", "again");
        check(401, r#"{"message": "Unauthorized"}"#, "`a.test` does not accept the key: Unauthorized");
        check(402, r#"{"error": {"message": "no credit"}}"#, "`a.test` asks to be paid first: no credit");
        check(
            403,
            "<html>",
            "`a.test` refuses with status 403: a page for people, which is how services turn away programs",
        );
        check(404, "x", "there is nothing at `https://a.test/x`: status 404");
        check(451, r#"{"reason": "court"}"#, "`a.test` refuses with status 451: court");
    }

    #[test]
    fn a_host_may_say_that_it_will_not_pass() {
        let answer = answer(500, &[("x-should-retry", "false")], r#"{"error": {"message": "no"}}"#);
        let Verdict::Never(fault) = verdict(&answer, Timestamp::from_ms(0)) else { panic!("asked again") };
        assert_eq!(fault.to_string(), "`a.test` refuses with status 500: no");
    }

    #[test]
    fn waits_grow_and_are_never_the_same() {
        let mut jitter = Seed(1).stream("x");
        let most = |n, jitter: &mut Stream| (0..200).map(|_| backoff(n, jitter)).max().unwrap().as_millis();
        assert!(most(1, &mut jitter) <= 1000);
        assert!((2000..=4000).contains(&most(3, &mut jitter)));
        assert!((30_000..=60_000).contains(&most(40, &mut jitter)));
    }
}
