//! One client for all sources, and its manners: who asks is said, a host is asked no faster than it
//! likes, what it asks to wait is waited, also by the next start of the program, and what will not
//! get better is not asked again.
//!
//! Sources ask one thing at a time; who asks several shares one client among the threads. Each answer
//! is in memory whole: an answer that is cut off was not received. Redirects are followed by hand, because a key belongs to one host.

mod pace;
mod retry;
pub(super) mod robots;
mod waits;
mod way;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
pub(crate) struct Ask {
    /// Where.
    pub(crate) address: Address,
    /// Names in lower case.
    pub(super) headers: Vec<(&'static str, String)>,
    /// A header that opens something, which goes to this host and to no other.
    pub(super) key: Option<(&'static str, String)>,
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
    pub(crate) fn get(address: &str) -> Result<Self, Fault> {
        let parsed = Address::parse(address).ok_or_else(|| Fault::Address { address: address.to_owned() })?;
        Ok(Self { address: parsed, headers: Vec::new(), key: None, body: None, is_deed: false })
    }

    /// A question with a body of this kind.
    ///
    /// # Errors
    /// When the text is no address.
    pub(crate) fn post(address: &str, kind: &str, body: impl Into<Vec<u8>>) -> Result<Self, Fault> {
        let headers = vec![("content-type", kind.to_owned())];
        Ok(Self { headers, body: Some(body.into()), ..Self::get(address)? })
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a key.
    pub(super) fn opened_by(self, key: String) -> Self {
        self.opened_with("authorization", key)
    }

    /// The same with a key under a name of the host's own.
    pub(crate) fn opened_with(mut self, name: &'static str, key: String) -> Self {
        self.key = Some((name, key));
        self
    }

    /// The same, where asking twice does something twice.
    pub(crate) fn deed(mut self) -> Self {
        self.is_deed = true;
        self
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status: 2xx or 304.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// All of it.
    pub(crate) body: Vec<u8>,
    /// Where it came from in the end.
    pub(crate) address: Address,
}

impl Answer {
    /// The first header of a name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What came of asking once.
pub(crate) enum Tried {
    /// An answer of 2xx or 304.
    Good(Answer),
    /// None, and it may be otherwise another time. The host is left alone until then. What it said is
    /// there, if it said anything.
    Again(Fault, Option<Answer>),
    /// None, and there will be none.
    Never(Fault, Option<Answer>),
}

/// The client. Several threads may ask at a time; what hosts want is heeded by all of them.
pub(crate) struct Polite<'a> {
    way: Way,
    network: &'a Network,
    clock: &'a dyn Clock,
    witness: &'a dyn Witness,
    stop: &'a AtomicBool,
    gap: Duration,
    hosts: Mutex<Hosts>,
}

/// What is known of hosts.
struct Hosts {
    waits: Waits,
    /// When each may be asked next.
    next: BTreeMap<String, Timestamp>,
    /// The wait for each that was told last.
    told: BTreeMap<String, Timestamp>,
    jitter: Stream,
}

/// What the client is made of.
pub(crate) struct Parts<'a> {
    pub(crate) network: &'a Network,
    pub(crate) proxy: Option<&'a str>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) witness: &'a dyn Witness,
    pub(crate) stop: &'a AtomicBool,
    /// Where waits are kept.
    pub(crate) waits: &'a Path,
    pub(crate) jitter: Stream,
}

impl<'a> Polite<'a> {
    /// A client that has asked nobody yet.
    ///
    /// # Errors
    /// When the proxy is no address.
    pub(crate) fn new(parts: Parts<'a>) -> Result<Self, Fault> {
        Ok(Self {
            way: Way::new(&parts.network.agent(), parts.proxy)?,
            network: parts.network,
            clock: parts.clock,
            witness: parts.witness,
            stop: parts.stop,
            gap: Duration::ZERO,
            hosts: Mutex::new(Hosts {
                waits: Waits::open(parts.waits),
                next: BTreeMap::new(),
                told: BTreeMap::new(),
                jitter: parts.jitter,
            }),
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
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass before something is asked again.
    ///
    /// # Errors
    /// When somebody stops it.
    pub(crate) fn rest(&self, time: Duration) -> Result<(), Fault> {
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
    pub(crate) fn send(&self, ask: &Ask) -> Result<Answer, Fault> {
        for n_tries in 1.. {
            let fault = match self.attempt(ask, n_tries)? {
                Tried::Good(answer) => return Ok(answer),
                Tried::Never(fault, _) => return Err(fault),
                Tried::Again(fault, answer) => {
                    let did_nothing = answer.is_some_and(|answer| answer.status == 429);
                    if ask.is_deed && !did_nothing {
                        return Err(fault);
                    }
                    fault
                }
            };
            if n_tries >= self.network.tries {
                return Err(fault);
            }
        }
        Err(Fault::Interrupted)
    }

    /// Asks once, when it is the host's turn, and leaves it alone afterwards as long as it must be.
    /// `n_tries` says how often this was asked now.
    ///
    /// # Errors
    /// When the wait is longer than the settings allow, or somebody stops it.
    pub(crate) fn attempt(&self, ask: &Ask, n_tries: u32) -> Result<Tried, Fault> {
        let host = ask.address.host();
        self.turn(host)?;
        let met = self.way.send(ask);
        let now = self.clock.now();
        self.not_before(host, later(now, self.gap));
        let (wait, fault, answer) = match met {
            Met::Answer(answer) => {
                self.heed(&answer, host, now)?;
                match verdict(&answer, now) {
                    Verdict::Good => return Ok(Tried::Good(answer)),
                    Verdict::Never(fault) => return Ok(Tried::Never(fault, Some(answer))),
                    Verdict::Again(wait) => (wait, self.failed(&answer, host, n_tries, wait), Some(answer)),
                }
            }
            met => match met.fault(host, n_tries) {
                (fault, true) => (None, fault, None),
                (fault, false) => return Ok(Tried::Never(fault, None)),
            },
        };
        let wait = wait.unwrap_or_else(|| backoff(n_tries, &mut self.hosts().jitter));
        self.cool_down(host, wait, &fault)?;
        Ok(Tried::Again(fault, answer))
    }

    /// The fault that it is if it does not pass.
    fn failed(&self, answer: &Answer, host: &str, n_tries: u32, asked: Option<Duration>) -> Fault {
        let host = host.to_owned();
        match answer.status {
            429 => Fault::Limited { host, until: later(self.clock.now(), asked.unwrap_or_default()) },
            status => Fault::Server { host, status, n_tries },
        }
    }

    /// What is known of hosts. What is in it is whole between two statements, also if a thread died.
    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host is not asked before a moment.
    fn not_before(&self, host: &str, moment: Timestamp) {
        let mut hosts = self.hosts();
        let due = hosts.next.entry(host.to_owned()).or_insert(moment);
        *due = moment.max(*due);
    }

    /// Slows down as the host's headers ask. A window that is used up is a wait like any other.
    fn heed(&self, answer: &Answer, host: &str, now: Timestamp) -> Result<(), Fault> {
        let Some(window) = Window::of(answer, now) else { return Ok(()) };
        let next = window.next(now);
        self.not_before(host, next);
        if window.is_empty() && until(now, next) >= KEPT_FROM {
            let why = "no requests left in its window".to_owned();
            self.hosts().waits.note(host, Wait { until: next, why }, now)?;
        }
        Ok(())
    }

    /// Notes that a host is to be left alone for a while.
    fn cool_down(&self, host: &str, wait: Duration, fault: &Fault) -> Result<(), Fault> {
        let now = self.clock.now();
        let next = later(now, wait);
        self.not_before(host, next);
        if wait >= KEPT_FROM {
            self.hosts().waits.note(host, Wait { until: next, why: fault.to_string() }, now)?;
        }
        Ok(())
    }

    /// Waits until a host may be asked. Others may have made that later while one waited.
    ///
    /// # Errors
    /// When that is further away than the settings allow, or somebody stops it.
    pub(crate) fn turn(&self, host: &str) -> Result<(), Fault> {
        loop {
            let due = self.due(host)?;
            self.pause(due)?;
            let mut hosts = self.hosts();
            let next = hosts.next.get(host).copied().unwrap_or(due);
            if next <= due.max(self.clock.now()) {
                hosts.next.insert(host.to_owned(), later(self.clock.now(), self.gap));
                return Ok(());
            }
        }
    }

    /// When a host may be asked; where that is worth telling, it is told.
    fn due(&self, host: &str) -> Result<Timestamp, Fault> {
        let now = self.clock.now();
        let mut hosts = self.hosts();
        let kept = hosts.waits.of(host, now).cloned();
        let due = hosts.next.get(host).copied().max(kept.as_ref().map(|wait| wait.until)).unwrap_or(now);
        let left = until(now, due);
        if left > Duration::from_secs(self.network.max_wait_minutes.saturating_mul(60)) {
            return Err(Fault::Limited { host: host.to_owned(), until: due });
        }
        if left >= TOLD_FROM && left > self.gap && hosts.told.insert(host.to_owned(), due) != Some(due) {
            let why = kept.map_or_else(String::new, |wait| format!(" ({})", wait.why));
            let seconds = left.as_secs_f64().ceil();
            self.witness.see(&Event::note(format!("waiting {seconds} s for `{host}`, until {due}{why}")));
        }
        Ok(due)
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
