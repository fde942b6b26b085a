//! What a browser asks, read with limits: no more than is allowed, no longer than is decent.

use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use penname_ledger::Stopwatch;

/// Bytes of the first line and the headers.
const MAX_HEAD: usize = 16 << 10;
/// Headers.
const MAX_HEADERS: usize = 64;
/// Bytes of a body: a long example that was changed, with room for escapes.
const MAX_BODY: usize = 32 << 20;
/// Seconds in which a request that was begun is to end.
const WITHIN_S: f64 = 20.0;
/// Seconds after which a connection without requests is closed.
const IDLE_S: f64 = 90.0;
/// Bytes read at a time.
const PIECE: usize = 16 << 10;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// To look.
    Get,
    /// To change.
    Post,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// To look or to change.
    pub(crate) method: Method,
    /// What was asked for, as it was written, without what follows `?`.
    pub(crate) path: String,
    /// What follows `?`, decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// Header names in small letters, with their values.
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends with it.
    pub(super) is_last: bool,
}

impl Request {
    /// The value of a header; of several, the first.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field of the query.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A request that asks to look, for tests.
    #[cfg(test)]
    pub(crate) fn get(target: &str, headers: &[(&str, &str)]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (method, path, query) = (Method::Get, path.to_owned(), fields(query));
        Self { method, path, query, headers, body: Vec::new(), is_last: false }
    }

    /// A request that asks to change, for tests.
    #[cfg(test)]
    pub(crate) fn post(target: &str, body: &serde_json::Value) -> Self {
        Self { method: Method::Post, body: body.to_string().into_bytes(), ..Self::get(target, &[]) }
    }
}

/// A request that is not answered: the status, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str);

/// Requests of one connection, one after the other.
pub(super) struct Requests<R> {
    from: R,
    /// What was read and not yet used.
    rest: Vec<u8>,
}

/// What is known of a request before its body.
struct Head {
    request: Request,
    n_head: usize,
    n_body: usize,
}

impl<R: Read> Requests<R> {
    /// Reads from a stream whose reads give up after a moment, so that `stop` is looked at.
    pub(super) fn new(from: R) -> Self {
        Self { from, rest: Vec::new() }
    }

    /// The next request; nothing when there will be none.
    ///
    /// # Errors
    /// When what was read is no request, or too much of one; nothing more can be read then.
    pub(super) fn next(&mut self, stop: &AtomicBool) -> Result<Option<Request>, Refusal> {
        let watch = Stopwatch::start();
        let head = loop {
            if let Some(head) = head(&self.rest)? {
                break head;
            }
            if self.rest.len() > MAX_HEAD {
                return Err(Refusal(431, "the head of the request is too long"));
            }
            if !self.more(&watch, stop)? {
                return Ok(None);
            }
        };
        while self.rest.len() < head.n_head + head.n_body {
            if !self.more(&watch, stop)? {
                return Ok(None);
            }
        }
        let mut request = head.request;
        request.body = self.rest[head.n_head..head.n_head + head.n_body].to_vec();
        self.rest.drain(..head.n_head + head.n_body);
        Ok(Some(request))
    }

    /// Reads another piece; no when the connection is at its end.
    fn more(&mut self, watch: &Stopwatch, stop: &AtomicBool) -> Result<bool, Refusal> {
        let mut piece = [0; PIECE];
        loop {
            match self.from.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.rest.extend_from_slice(&piece[..n]);
                    return Ok(true);
                }
                Err(error) if is_pause(&error) => {
                    let is_idle = self.rest.is_empty();
                    if stop.load(Ordering::SeqCst) || (is_idle && watch.seconds() > IDLE_S) {
                        return Ok(false);
                    }
                    if !is_idle && watch.seconds() > WITHIN_S {
                        return Err(Refusal(408, "the request did not end in time"));
                    }
                }
                Err(_) => return Ok(false),
            }
        }
    }
}

/// A read that gave up because nothing came.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Reads the head, if all of it is there.
fn head(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let n_head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(n)) => n,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal(431, "there are too many headers")),
        Err(_) => return Err(Refusal(400, "this is no request")),
    };
    let method = match parsed.method {
        Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        _ => return Err(Refusal(405, "only GET and POST are understood")),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let headers: Vec<(String, String)> =
        parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
    let (path, query) =
        parsed.path.unwrap_or("/").split_once('?').unwrap_or((parsed.path.unwrap_or("/"), ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: fields(query),
        headers,
        body: Vec::new(),
        is_last: parsed.version == Some(0),
    };
    request.is_last |= request.header("connection").is_some_and(|said| said.eq_ignore_ascii_case("close"));
    let n_body = n_body(&request)?;
    Ok(Some(Head { request, n_head, n_body }))
}

fn n_body(request: &Request) -> Result<usize, Refusal> {
    if request.header("transfer-encoding").is_some() {
        return Err(Refusal(501, "a body says how long it is"));
    }
    let mut said = request.headers.iter().filter(|(name, _)| name == "content-length");
    let Some((_, length)) = said.next() else { return Ok(0) };
    if said.next().is_some() {
        return Err(Refusal(400, "the body has two lengths"));
    }
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse::<usize>() {
        Ok(n) if is_number && n <= MAX_BODY => Ok(n),
        _ if is_number => Err(Refusal(413, "the body is too long")),
        _ => Err(Refusal(400, "the length of the body is no number")),
    }
}

/// `a=b&c=d%20e`, as forms write it.
fn fields(query: &str) -> Vec<(String, String)> {
    let field = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(field).collect()
}

/// Text with `%20` and `+` made what they stand for; what stands for nothing stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are a byte.
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests as they are read of bytes that come in pieces of `n`.
    fn read(bytes: &[u8], n: usize) -> Vec<Result<Request, Refusal>> {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len()).min(to.len());
                to[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let mut requests = Requests::new(Slow(bytes, n));
        let mut found = Vec::new();
        loop {
            match requests.next(&AtomicBool::new(false)) {
                Ok(Some(request)) => found.push(Ok(request)),
                Ok(None) => return found,
                Err(refusal) => {
                    found.push(Err(refusal));
                    return found;
                }
            }
        }
    }

    #[test]
    fn requests_are_read_however_they_come() {
        let bytes =
            b"GET /a/b?x=1&y=%C3%A9+%zz HTTP/1.1\r\nHost: h\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 4\r\n\
                      Connection: close\r\n\r\n{\"\"}";
        for n in [1, 7, 4096] {
            let found: Vec<Request> = read(bytes, n).into_iter().map(Result::unwrap).collect();
            assert_eq!((found.len(), found[0].method, found[0].path.as_str()), (2, Method::Get, "/a/b"));
            assert_eq!((found[0].field("x"), found[0].field("y")), (Some("1"), Some("é %zz")));
            assert_eq!((found[0].header("host"), found[0].is_last), (Some("h"), false));
            assert_eq!(
                (found[1].method, found[1].body.as_slice(), found[1].is_last),
                (Method::Post, &b"{\"\"}"[..], true)
            );
        }
    }

    #[test]
    fn what_is_too_much_or_no_request_is_refused() {
        let check = |bytes: &[u8], status: u16| {
            let found = read(bytes, 4096).pop().unwrap();
            assert_eq!(
                found.unwrap_err().0,
                status,
                "{}",
                String::from_utf8_lossy(&bytes[..40.min(bytes.len())])
            );
        };
        check(b"\x16\x03\x01\x02\x00", 400);
        check(b"PUT / HTTP/1.1\r\n\r\n", 405);
        check(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'x'; 20 << 10]].concat(), 431);
        check(&[b"GET / HTTP/1.1\r\n".to_vec(), b"A: b\r\n".repeat(65), b"\r\n".to_vec()].concat(), 431);
        check(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501);
        check(b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413);
        check(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400);
        check(b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400);
        // A body that never comes earns nothing.
        assert_eq!(read(b"POST / HTTP/1.1\r\nContent-Length: 33000000\r\n\r\nab", 4096), []);
    }
}
