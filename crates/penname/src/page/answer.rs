//! What is said to a browser: a status, a body, and headers that keep the page to itself.

use std::io::{self, Write};

use serde::Serialize;

/// Scripts, styles and requests of the page's own and nothing else; nobody may frame it, and no text can
/// become markup, even by a mistake of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A part of the page: HTML, a style sheet, a script.
    pub(crate) fn file(kind: &'static str, text: &'static str) -> Self {
        Self { status: 200, kind, body: text.as_bytes().to_vec() }
    }

    /// A value.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::json_as(200, value)
    }

    /// A value that says why something was not done.
    pub(crate) fn json_as(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status, kind: "application/json", body },
            Err(error) => Self::refused(500, &error.to_string()),
        }
    }

    /// A refusal, in words.
    pub(crate) fn refused(status: u16, why: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: why.as_bytes().to_vec() }
    }

    /// Nothing of this name.
    pub(crate) fn nowhere() -> Self {
        Self::refused(404, "there is nothing here")
    }

    /// Its status, for tests.
    #[cfg(test)]
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Its body, for tests.
    #[cfg(test)]
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Writes it; `is_last` says that the connection ends with it.
    pub(super) fn write(&self, mut to: impl Write, is_last: bool) -> io::Result<()> {
        let Self { status, kind, body } = self;
        let reason = reason(*status);
        let connection = if is_last { "close" } else { "keep-alive" };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: {connection}\r\nCache-Control: no-store\r\nContent-Security-Policy: {POLICY}\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\r\n",
            body.len()
        );
        // In one piece where it is short: a page waits for the last of its packets.
        let mut all = head.into_bytes();
        all.extend_from_slice(body);
        to.write_all(&all)?;
        to.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is_and_keeps_to_itself() {
        let mut written = Vec::new();
        Answer::json(&serde_json::json!({ "é": 1 })).write(&mut written, false).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n")
        );
        assert!(text.ends_with("\r\n\r\n{\"é\":1}"), "{text}");
        assert!(text.contains("Content-Security-Policy: default-src 'none';"));
        assert!(!text.to_lowercase().contains("access-control"));
    }
}
