//! The way to a host and back: one question, one answer, with limits on time and size.

use std::io;
use std::time::Duration;

use ureq::http::Request;
use ureq::{Agent, Body};

use super::super::Fault;
use super::super::address::Address;
use super::{Answer, Ask};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Most that an answer may hold once it is unpacked, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// For a name to be found and a connection made.
const CONNECT: Duration = Duration::from_secs(15);
/// For an answer to begin: some services hold one back for a minute on purpose.
const BEGIN: Duration = Duration::from_secs(90);
/// For the next bytes of it.
const READ: Duration = Duration::from_secs(30);
/// For all of it: a host that sends a byte now and then is no use.
const WHOLE: Duration = Duration::from_secs(300);

/// What came of a question.
pub(super) enum Met {
    /// An answer, whatever it says.
    Answer(Answer),
    /// Nothing, and it may be otherwise another time.
    Passing(String),
    /// Less than was announced.
    Cut,
    /// Nothing, and asking again would not help.
    Lasting(Fault),
}

impl Met {
    /// The fault that a missing answer is, and whether it may pass.
    pub(super) fn fault(self, host: &str, n_tries: u32) -> (Fault, bool) {
        let host = host.to_owned();
        match self {
            Self::Passing(why) => (Fault::Unreachable { host, why }, true),
            Self::Lasting(fault) => (fault, false),
            Self::Cut | Self::Answer(_) => (Fault::Cut { host, n_tries }, true),
        }
    }
}

/// The way.
pub(super) struct Way {
    agent: Agent,
}

impl Way {
    /// A way on which every question says who asks.
    pub(super) fn new(who: &str, proxy: Option<&str>) -> Result<Self, Fault> {
        let host = || "the proxy".to_owned();
        let bad = |_| Fault::Unreachable { host: host(), why: "it is no address".to_owned() };
        let proxy = proxy.map(ureq::Proxy::new).transpose().map_err(bad)?;
        let agent = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(who)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(BEGIN))
            .timeout_per_read(Some(READ))
            .timeout_per_call(Some(WHOLE))
            .build()
            .new_agent();
        Ok(Self { agent })
    }

    /// Asks, following redirects of questions without a body.
    pub(super) fn send(&self, ask: &Ask) -> Met {
        let mut address = ask.address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = match self.once(ask, &address) {
                Met::Answer(answer) => answer,
                other => return other,
            };
            let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            if !is_redirect {
                return Met::Answer(answer);
            }
            let to = answer.header("location").and_then(|link| address.join(link));
            address = match to {
                Some(to) if !to.is_weaker_than(&address) && ask.body.is_none() => to,
                _ => return lost(ask, "nowhere, to plain http, or elsewhere with what was sent"),
            };
        }
        lost(ask, "one redirect after another")
    }

    fn once(&self, ask: &Ask, address: &Address) -> Met {
        let mut request = Request::builder().uri(address.to_string());
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some((name, key)) = ask.key.as_ref().filter(|_| address.origin() == ask.address.origin()) {
            request = request.header(*name, key);
        }
        let sent = match &ask.body {
            Some(body) => request.method("POST").body(body.clone()).map(|request| self.agent.run(request)),
            None => request.method("GET").body(()).map(|request| self.agent.run(request)),
        };
        match sent {
            Ok(Ok(response)) => read(response, address),
            Ok(Err(error)) => failed(address, &error),
            Err(_) => Met::Lasting(Fault::Address { address: address.shown() }),
        }
    }
}

fn lost(ask: &Ask, found: &'static str) -> Met {
    Met::Lasting(Fault::Redirect { address: ask.address.shown(), found })
}

/// Takes in the whole of an answer.
fn read(response: ureq::http::Response<Body>, address: &Address) -> Met {
    let (parts, body) = response.into_parts();
    let named = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = parts.headers.iter().filter_map(named).collect();
    match body.into_with_config().limit(MAX_BYTES).read_to_vec() {
        Ok(body) => {
            Met::Answer(Answer { status: parts.status.as_u16(), headers, body, address: address.clone() })
        }
        Err(ureq::Error::BodyExceedsLimit(max)) => {
            Met::Lasting(Fault::TooLarge { address: address.shown(), max })
        }
        Err(_) => Met::Cut,
    }
}

/// A question that got no answer.
fn failed(address: &Address, error: &ureq::Error) -> Met {
    let (host, why) = (address.host().to_owned(), error.to_string());
    match error {
        ureq::Error::Io(error) if is_passing(error) => Met::Passing(why),
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Met::Passing(why),
        _ => Met::Lasting(Fault::Unreachable { host, why }),
    }
}

/// Whether a broken connection is worth another try; one that was refused is not.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    let kind = error.kind();
    matches!(kind, K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::TimedOut)
}
