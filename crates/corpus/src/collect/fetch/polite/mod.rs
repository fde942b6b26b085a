//! One client for all sources, and its manners: who asks is said, a host is asked no faster than it
//! likes, what it asks to wait is waited, also by the next start of the program, and what will not
//! get better is not asked again.
//!
//! One request at a time, and each answer in memory whole: an answer that is cut off was not
//! received. Redirects are followed by hand, because a key belongs to one host.

mod pace;
mod retry;
pub(super) mod robots;
mod waits;
mod way;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use penname_ledger::{Event, Stream, Timestamp, Witness};

use self::pace::{Window, later, until};
use self::retry::{Verdict, backoff, verdict};
use self::waits::{Wait, Waits};
use self::way::{Met, Way};
use super::address::Address;
use super::clock::Clock;
use super::{Fault, Network};

/// Waits from which one is kept for the next start.
const KEPT_FROM: Duration = Duration::from_secs(5);
/// Waits from which one is told.
const TOLD_FROM: Duration = Duration::from_secs(3);
/// The stop sign is looked at so often.
const LOOK: Duration = Duration::from_millis(500);

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// Where.
    pub(super) address: Address,
    /// Names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The value of `authorization`, which goes to this host and to no other.
    pub(super) key: Option<String>,
    /// What is sent; nothing asks with GET.
    pub(super) body: Option<Vec<u8>>,
    /// Whether asking twice does something twice: then only a host that says it did nothing is asked
    /// again.
    pub(super) is_deed: bool,
}

impl Ask {
    /// A question without a body.
    ///
    /// # Errors
    /// When the text is no address.
    pub(super) fn get(address: &str) -> Result<Self, Fault> {
        let parsed = Address::parse(address).ok_or_else(|| Fault::Address { address: address.to_owned() })?;
        Ok(Self { address: parsed, headers: Vec::new(), key: None, body: None, is_deed: false })
    }

    /// A question with a body of this kind.
    ///
    /// # Errors
    /// When the text is no address.
    pub(super) fn post(address: &str, kind: &str, body: impl Into<Vec<u8>>) -> Result<Self, Fault> {
        let headers = vec![("content-type", kind.to_owned())];
        Ok(Self { headers, body: Some(body.into()), ..Self::get(address)? })
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a key.
    pub(super) fn opened_by(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The status: 2xx or 304.
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    /// All of it.
    pub(super) body: Vec<u8>,
    /// Where it came from in the end.
    pub(super) address: Address,
}

impl Answer {
    /// The first header of a name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The client.
pub(super) struct Polite<'a> {
    way: Way,
    network: &'a Network,
    clock: &'a dyn Clock,
    witness: &'a dyn Witness,
    stop: &'a AtomicBool,
    waits: Waits,
    /// When each host may be asked next.
    next: BTreeMap<String, Timestamp>,
    gap: Duration,
    jitter: Stream,
}

/// What the client is made of.
pub(super) struct Parts<'a> {
    pub(super) network: &'a Network,
    pub(super) proxy: Option<&'a str>,
    pub(super) clock: &'a dyn Clock,
    pub(super) witness: &'a dyn Witness,
    pub(super) stop: &'a AtomicBool,
    /// Where waits are kept.
    pub(super) waits: &'a Path,
    pub(super) jitter: Stream,
}

impl<'a> Polite<'a> {
    /// A client that has asked nobody yet.
    ///
    /// # Errors
    /// When the proxy is no address.
    pub(super) fn new(parts: Parts<'a>) -> Result<Self, Fault> {
        Ok(Self {
            way: Way::new(&parts.network.agent(), parts.proxy)?,
            network: parts.network,
            clock: parts.clock,
            witness: parts.witness,
            stop: parts.stop,
            waits: Waits::open(parts.waits),
            next: BTreeMap::new(),
            gap: Duration::ZERO,
            jitter: parts.jitter,
        })
    }

    /// Sets the shortest time between two questions to one host.
    pub(super) fn every(&mut self, gap: Duration) {
        self.gap = gap;
    }

    /// Makes it longer, where somebody asks for that.
    pub(super) fn at_least(&mut self, gap: Duration) {
        self.gap = self.gap.max(gap);
    }

    /// The time of day, as the client sees it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass before something is asked again.
    ///
    /// # Errors
    /// When somebody stops it.
    pub(super) fn rest(&self, time: Duration) -> Result<(), Fault> {
        self.pause(later(self.clock.now(), time))
    }

    /// Whether somebody wants it to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer of 2xx or 304, as often as that makes sense.
    ///
    /// # Errors
    /// When there will be none.
    pub(super) fn send(&mut self, ask: &Ask) -> Result<Answer, Fault> {
        let host = ask.address.host().to_owned();
        for n_tries in 1.. {
            self.turn(&host)?;
            let met = self.way.send(ask);
            let now = self.clock.now();
            self.next.insert(host.clone(), later(now, self.gap));
            let (asked, fault) = match met {
                Met::Answer(answer) => {
                    self.heed(&answer, &host, now)?;
                    match verdict(&answer, now) {
                        Verdict::Good => return Ok(answer),
                        Verdict::Never(fault) => return Err(fault),
                        Verdict::Again(_) if ask.is_deed && answer.status != 429 => {
                            return Err(self.failed(&answer, &host, n_tries, None));
                        }
                        Verdict::Again(asked) => (asked, self.failed(&answer, &host, n_tries, asked)),
                    }
                }
                met => match met.fault(&host, n_tries) {
                    (fault, true) if !ask.is_deed => (None, fault),
                    (fault, _) => return Err(fault),
                },
            };
            let wait = asked.unwrap_or_else(|| backoff(n_tries, &mut self.jitter));
            self.cool_down(&host, wait, &fault)?;
            if n_tries >= self.network.tries {
                return Err(fault);
            }
        }
        Err(Fault::Interrupted)
    }

    /// The fault that it is if it does not pass.
    fn failed(&self, answer: &Answer, host: &str, n_tries: u32, asked: Option<Duration>) -> Fault {
        let host = host.to_owned();
        match answer.status {
            429 => Fault::Limited { host, until: later(self.clock.now(), asked.unwrap_or_default()) },
            status => Fault::Server { host, status, n_tries },
        }
    }

    /// Slows down as the host's headers ask. A window that is used up is a wait like any other.
    fn heed(&mut self, answer: &Answer, host: &str, now: Timestamp) -> Result<(), Fault> {
        let Some(window) = Window::of(answer, now) else { return Ok(()) };
        let next = window.next(now);
        let due = self.next.entry(host.to_owned()).or_insert(next);
        *due = next.max(*due);
        if window.is_empty() && until(now, next) >= KEPT_FROM {
            let why = "no requests left in its window".to_owned();
            self.waits.note(host, Wait { until: next, why }, now)?;
        }
        Ok(())
    }

    /// Notes that a host is to be left alone for a while.
    fn cool_down(&mut self, host: &str, wait: Duration, fault: &Fault) -> Result<(), Fault> {
        let now = self.clock.now();
        let next = later(now, wait);
        let due = self.next.entry(host.to_owned()).or_insert(next);
        *due = next.max(*due);
        if wait >= KEPT_FROM {
            self.waits.note(host, Wait { until: next, why: fault.to_string() }, now)?;
        }
        Ok(())
    }

    /// Waits until a host may be asked.
    ///
    /// # Errors
    /// When that is further away than the settings allow, or somebody stops it.
    fn turn(&mut self, host: &str) -> Result<(), Fault> {
        let now = self.clock.now();
        let kept = self.waits.of(host, now);
        let due = self.next.get(host).copied().max(kept.map(|wait| wait.until)).unwrap_or(now);
        let left = until(now, due);
        if left > Duration::from_secs(self.network.max_wait_minutes.saturating_mul(60)) {
            return Err(Fault::Limited { host: host.to_owned(), until: due });
        }
        if left >= TOLD_FROM && left > self.gap {
            let why = kept.map_or_else(String::new, |wait| format!(" ({})", wait.why));
            let seconds = left.as_secs_f64().ceil();
            self.witness.see(&Event::note(format!("waiting {seconds} s for `{host}`, until {due}{why}")));
        }
        self.pause(due)
    }

    /// Lets time pass, and looks at the stop sign meanwhile.
    fn pause(&self, due: Timestamp) -> Result<(), Fault> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Fault::Interrupted);
            }
            match until(self.clock.now(), due) {
                Duration::ZERO => return Ok(()),
                left => self.clock.sleep(left.min(LOOK)),
            }
        }
    }
}
