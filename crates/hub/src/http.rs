//! Asking the hub: one request at a time, with a token only where it belongs.
//!
//! Redirects are followed by hand, because the library would carry the token to another port of the
//! same host. Addresses appear in messages without their query, where signed addresses keep their
//! secrets.

use std::fmt;
use std::io;
use std::time::Duration;

use ureq::http::{HeaderMap, Uri};
use ureq::{Agent, Body};

use crate::{Error, Options, Result};

/// A redirect leads to a redirect at most so often.
const MAX_REDIRECTS: usize = 10;

/// A secret that lets its bearer read private repositories; never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes the secret, without the blanks around it.
    pub fn new(secret: &str) -> Self {
        Self(secret.trim().to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a name to be found and a connection made.
    pub connect: Duration,
    /// For the next bytes of an answer.
    pub read: Duration,
    /// Before a second try; doubled each time.
    pub retry: Duration,
    /// How often something is tried in a row without getting any further.
    pub n_tries: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        let (connect, read) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { connect, read, retry: Duration::from_millis(500), n_tries: 5 }
    }
}

/// A connection to one hub.
pub(crate) struct Client<'a> {
    agent: Agent,
    endpoint: Uri,
    token: Option<&'a Token>,
    pub(crate) timeouts: Timeouts,
}

/// An answer whose body has not been read yet.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What became of one request, sorted by whether asking again may help.
pub(crate) enum Failure {
    /// It may.
    Passing(Error),
    /// It will not.
    Lasting(Error),
}

impl<'a> Client<'a> {
    /// A client for the endpoint in `options`.
    pub(crate) fn new(options: &'a Options<'_>) -> Result<Self> {
        let timeouts = options.timeouts;
        let bad = |reason| Error::BadEndpoint { reason };
        let endpoint: Uri = options.endpoint.parse().map_err(|_| bad("it is not an address"))?;
        if endpoint.host().is_none() || !matches!(endpoint.scheme_str(), Some("http" | "https")) {
            return Err(bad("it does not begin with https://"));
        }
        let proxy = match options.proxy.map(ureq::Proxy::new) {
            Some(proxy) => Some(proxy.map_err(|_| bad("its proxy is not an address"))?),
            None => None,
        };
        let agent = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("penname/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_recv_response(Some(timeouts.read))
            .timeout_per_read(Some(timeouts.read))
            .build()
            .new_agent();
        Ok(Self { agent, endpoint, token: options.token, timeouts })
    }

    /// The hub's host, for messages.
    pub(crate) fn host(&self) -> String {
        self.endpoint.host().unwrap_or("the hub").to_owned()
    }

    /// Whether a token goes along.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for `path` from byte `from` on, following redirects. Answers with a status of 5xx, 408
    /// or 429 are failures that may pass; all others are handed out.
    pub(crate) fn get(&self, path: &str, from: u64) -> std::result::Result<Answer, Failure> {
        let base = self.endpoint.to_string();
        let address = format!("{}{path}", base.trim_end_matches('/'));
        let mut uri: Uri = address.parse().map_err(|_| self.nonsense(path, "an address that is none"))?;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.get_once(&uri, from)?;
            match answer.status {
                301 | 302 | 303 | 307 | 308 => {
                    let location = answer.header("location").unwrap_or_default();
                    uri = redirected(&uri, location)
                        .ok_or_else(|| self.nonsense(path, "a redirect to nowhere or to plain http"))?;
                }
                408 | 429 | 500..=599 => {
                    let (host, status) = (host_of(&uri), answer.status);
                    return Err(Failure::Passing(Error::Server { host, status, n_tries: 1 }));
                }
                _ => return Ok(answer),
            }
        }
        Err(self.nonsense(path, "one redirect after another"))
    }

    fn get_once(&self, uri: &Uri, from: u64) -> std::result::Result<Answer, Failure> {
        let mut request = self.agent.get(uri.clone());
        if let Some(token) = self.token.filter(|_| same_origin(uri, &self.endpoint)) {
            request = request.header("authorization", format!("Bearer {}", token.0));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let response = request.call().map_err(|error| failed(uri, error))?;
        let (parts, body) = response.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// An answer that makes no sense.
    pub(crate) fn nonsense(&self, path: &str, found: &str) -> Failure {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Failure::Lasting(Error::BadAnswer { host: self.host(), path, found: found.to_owned() })
    }
}

/// A request that got no answer.
fn failed(uri: &Uri, error: ureq::Error) -> Failure {
    let passing = match &error {
        ureq::Error::Io(e) => is_passing(e),
        ureq::Error::Timeout(which) => !matches!(which, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Protocol(_) => true,
        _ => false,
    };
    let error = Error::Unreachable { host: host_of(uri), source: Box::new(error) };
    if passing { Failure::Passing(error) } else { Failure::Lasting(error) }
}

/// Whether a broken connection is worth another try; one that was refused is not.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    let kind = error.kind();
    matches!(kind, K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::TimedOut)
}

fn host_of(uri: &Uri) -> String {
    uri.host().unwrap_or("the hub").to_owned()
}

fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    a.scheme() == b.scheme() && a.host() == b.host() && port(a) == port(b)
}

/// Where a redirect leads; never from https to http.
fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    let scheme = from.scheme_str()?;
    let address = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{}{location}", from.authority()?)
    } else {
        location.to_owned()
    };
    let to: Uri = address.parse().ok()?;
    to.host()?;
    match (scheme, to.scheme_str()?) {
        (_, "https") | ("http", "http") => Some(to),
        _ => None,
    }
}

/// Text as part of a path: everything but letters, digits and `-_.~` becomes `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

/// A path of several parts, each encoded.
pub(crate) fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_and_never_leave_https() {
        let check = |location: &str, expected: Option<&str>| {
            let found = redirected(&"https://hub.test/a/b?c".parse().unwrap(), location);
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        };
        check("/x?y=1", Some("https://hub.test/x?y=1"));
        check("//cdn.test/x", Some("https://cdn.test/x"));
        check("https://cdn.test/x", Some("https://cdn.test/x"));
        check("http://cdn.test/x", None);
        check("file:///etc/passwd", None);
        check("", None);
        check("x", None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let check = |other: &str, expected: bool| {
            let hub: Uri = "https://hub.test".parse().unwrap();
            assert_eq!(same_origin(&hub, &other.parse().unwrap()), expected, "{other}");
        };
        check("https://hub.test/x", true);
        check("https://hub.test:443/x", true);
        check("https://hub.test:444/x", false);
        check("http://hub.test/x", false);
        check("https://cdn.hub.test/x", false);
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::new("hf_secret")), "Token(hidden)");
    }

    #[test]
    fn paths_are_encoded() {
        assert_eq!(encoded("refs/pr/1 é"), "refs%2Fpr%2F1%20%C3%A9");
        assert_eq!(encoded_path("a b/c?"), "a%20b/c%3F");
    }
}
