//! Who may come in: a browser of this machine that was given the address.
//!
//! Any page of the web may make a browser send requests to this machine. So a request has to name the
//! word in the address, which is compared in constant time; it has to be addressed to this machine by a
//! name of its own (a name of the web that was made to lead here is another); and where the browser says
//! on whose behalf it asks, it has to be this page's. There is no permission for other origins.

use std::hint::black_box;

use penname_ledger::Hash;

use super::answer::Answer;
use super::request::{Method, Request};
use crate::failure::{Failure, Kind};

/// Bytes of chance in the word.
const N_BYTES: usize = 24;

/// The word and the names by which this machine is addressed.
#[derive(Debug)]
pub(super) struct Door {
    word: String,
    hosts: [String; 2],
}

impl Door {
    /// A door with a new word, at a port.
    ///
    /// # Errors
    /// When the system has no chance to give.
    pub(super) fn new(port: u16) -> Result<Self, Failure> {
        let mut bytes = [0; N_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::new(Kind::Device, error.to_string()).while_doing("the system gives no random bytes")
        })?;
        let mut word = Hash::of(&bytes).to_string();
        word.truncate(2 * N_BYTES);
        Ok(Self::with(word, port))
    }

    fn with(word: String, port: u16) -> Self {
        Self { word, hosts: ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}")) }
    }

    /// The address to be opened.
    pub(super) fn address(&self) -> String {
        format!("http://{}/{}/", self.hosts[0], self.word)
    }

    /// What lies behind the door that is asked for.
    ///
    /// # Errors
    /// The answer for whoever may not come in.
    pub(super) fn enter<'r>(&self, request: &'r Request) -> Result<&'r str, Answer> {
        let is_ours = |host: &str| self.hosts.iter().any(|ours| host.eq_ignore_ascii_case(ours));
        if !request.header("host").is_some_and(is_ours) {
            return Err(Answer::refused(403, "this page answers to 127.0.0.1 only"));
        }
        let origin = request.header("origin").map(|origin| origin.strip_prefix("http://").unwrap_or(""));
        if origin.is_some_and(|origin| !is_ours(origin)) || is_foreign(request) {
            return Err(Answer::refused(403, "another page asks"));
        }
        let rest = request.path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let (word, rest) = rest.unwrap_or(("", ""));
        if !is_equal(word.as_bytes(), self.word.as_bytes()) {
            return Err(Answer::refused(
                403,
                "the address lacks its word; open the one that penname printed",
            ));
        }
        let is_json =
            |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
        if request.method == Method::Post && !request.header("content-type").is_some_and(is_json) {
            return Err(Answer::refused(415, "what changes something is JSON"));
        }
        Ok(rest)
    }
}

/// Whether the browser says that another page asks. Somebody who follows a link to this one is welcome.
fn is_foreign(request: &Request) -> bool {
    let is_navigation = request.method == Method::Get && request.header("sec-fetch-mode") == Some("navigate");
    let site = request.header("sec-fetch-site");
    !is_navigation && site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// Compares in a time that depends on the lengths only.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    one.iter().zip(other).fold(0, |all, (a, b)| black_box(all | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_page_comes_in() {
        let door = Door::with("w0rd".to_owned(), 4321);
        let enter = |target: &str, headers: &[(&str, &str)]| {
            let request = Request::get(target, headers);
            door.enter(&request).map(str::to_owned).map_err(|answer| answer.status)
        };
        let host = ("host", "127.0.0.1:4321");
        let check = |target: &str, headers: &[(&str, &str)], expected: Result<&str, u16>| {
            assert_eq!(enter(target, headers), expected.map(str::to_owned), "{target} {headers:?}");
        };
        check("/w0rd/", &[host], Ok(""));
        check("/w0rd/item?n=1", &[host], Ok("item"));
        check("/w0rd/item", &[("host", "LOCALHOST:4321"), ("origin", "http://localhost:4321")], Ok("item"));
        check("/w0rd/item", &[host, ("sec-fetch-site", "same-origin")], Ok("item"));
        for target in ["/", "/w0rd", "/w0re/", "/w0rd2/", "//", "/item", "w0rd/"] {
            check(target, &[host], Err(403));
        }
        for name in ["evil.example:4321", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:4321.evil.example", ""] {
            check("/w0rd/", &[("host", name)], Err(403));
        }
        check("/w0rd/", &[], Err(403));
        for origin in ["null", "https://evil.example", "https://127.0.0.1:4321", "http://127.0.0.1:99"] {
            check("/w0rd/", &[host, ("origin", origin)], Err(403));
        }
        for site in ["cross-site", "same-site"] {
            check("/w0rd/item", &[host, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")], Err(403));
            check("/w0rd/", &[host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")], Ok(""));
        }
    }

    #[test]
    fn what_changes_something_is_json() {
        let door = Door::with("w0rd".to_owned(), 1);
        let post = |kind: &str| {
            let headers = [("host", "127.0.0.1:1"), ("content-type", kind)];
            let mut request = Request::get("/w0rd/decide", &headers);
            request.method = Method::Post;
            door.enter(&request).is_ok()
        };
        assert!(post("application/json") && post("application/json; charset=utf-8"));
        assert!(!post("text/plain") && !post("application/x-www-form-urlencoded") && !post(""));
    }

    #[test]
    fn words_are_long_and_never_the_same() {
        let (one, other) = (Door::new(1).unwrap(), Door::new(1).unwrap());
        assert_eq!(one.word.len(), 48);
        assert_ne!(one.word, other.word);
        assert!(one.address().starts_with("http://127.0.0.1:1/") && one.address().ends_with('/'));
    }
}
