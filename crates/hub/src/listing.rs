//! What the hub says is in a repository.

use serde::Deserialize;

use crate::digest::is_sha256;
use crate::http::{Client, Failure, encoded, encoded_path};
use crate::reference::Repo;
use crate::{Error, Result};

/// A listing is at most so large: the largest repositories have some ten thousand files.
const MAX_BYTES: u64 = 16 << 20;

/// The files of a repository at one commit.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    /// The commit, whatever branch was asked for.
    #[serde(rename = "sha")]
    pub(crate) commit: String,
    #[serde(rename = "siblings")]
    pub(crate) files: Vec<Remote>,
}

/// One file as the hub describes it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Remote {
    #[serde(rename = "rfilename")]
    pub(crate) name: String,
    /// Told by every hub, but not by every mirror.
    pub(crate) size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Debug, Clone, Deserialize)]
struct Lfs {
    #[serde(alias = "oid")]
    sha256: String,
    size: Option<u64>,
}

impl Remote {
    /// The published digest; small files have none.
    pub(crate) fn sha256(&self) -> Option<&str> {
        self.lfs.as_ref().map(|lfs| lfs.sha256.as_str()).filter(|text| is_sha256(text))
    }

    /// The published size.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size.or_else(|| self.lfs.as_ref()?.size)
    }
}

/// Asks what is in a repository, once.
pub(crate) fn list(client: &Client<'_>, repo: &Repo) -> std::result::Result<Listing, Failure> {
    let revision = encoded(repo.revision_or_main());
    let path = format!("/api/models/{}/revision/{revision}?blobs=true", encoded_path(&repo.id));
    let mut answer = client.get(&path, 0)?;
    check_status(client, repo, &answer, None).map_err(Failure::Lasting)?;
    let text = answer.body.with_config().limit(MAX_BYTES).read_to_vec();
    let text = text.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => client.nonsense(&path, "more than a listing can hold"),
        other => Failure::Passing(Error::Unreachable { host: client.host(), source: Box::new(other) }),
    })?;
    let listing: Listing = serde_json::from_slice(&text)
        .map_err(|error| client.nonsense(&path, &format!("something that is no listing: {error}")))?;
    if listing.commit.is_empty() || !listing.commit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(client.nonsense(&path, "a commit that is none"));
    }
    Ok(listing)
}

/// Turns refusals into errors that say what to do. The hub names its own refusals in a header; a
/// refusal without it comes from something in between.
pub(crate) fn check_status(
    client: &Client<'_>,
    repo: &Repo,
    answer: &crate::http::Answer,
    file: Option<&str>,
) -> Result<()> {
    let is_hub = answer.header("x-error-code").is_some() || answer.header("x-error-message").is_some();
    let status = answer.status;
    match status {
        200 | 206 | 416 => Ok(()),
        401 | 403 if is_hub || status == 401 => {
            let reason = match client.has_token() {
                true => "it is private, gated or missing, and the token does not open it",
                false => "it is private, gated or missing, and no token was given",
            };
            Err(Error::Refused { repo: repo.id.clone(), status, reason })
        }
        403 | 407 | 451 => Err(Error::Blocked { host: client.host(), status }),
        404 => Err(Error::NotFound { what: missing(repo, answer.header("x-error-code"), file) }),
        _ => {
            let found = format!("status {status}");
            Err(Error::BadAnswer { host: client.host(), path: format!("/{}", repo.id), found })
        }
    }
}

fn missing(repo: &Repo, code: Option<&str>, file: Option<&str>) -> String {
    match (code, file, &repo.revision) {
        (_, Some(file), _) => format!("file `{file}` in `{}`", repo.id),
        (Some("RevisionNotFound"), _, _) | (None, _, Some(_)) => {
            format!("revision `{}` of `{}`", repo.revision_or_main(), repo.id)
        }
        _ => format!("repository `{}`", repo.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read_whatever_else_they_hold() {
        let sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
        let text = format!(
            r#"{{"id":"o/n","sha":"abc","tags":[],"siblings":[
                {{"rfilename":"config.json","size":12,"blobId":"x"}},
                {{"rfilename":"m.gguf","size":7,"lfs":{{"sha256":"{sha256}","size":7,"pointerSize":1}}}},
                {{"rfilename":"bad","lfs":{{"sha256":"../../x","size":3}}}},
                {{"rfilename":"plain"}}]}}"#
        );
        let listing: Listing = serde_json::from_str(&text).unwrap();
        let seen: Vec<_> = listing.files.iter().map(|f| (f.name.as_str(), f.size(), f.sha256())).collect();
        let expected = [
            ("config.json", Some(12), None),
            ("m.gguf", Some(7), Some(sha256)),
            ("bad", Some(3), None),
            ("plain", None, None),
        ];
        assert_eq!(seen, expected);
    }
}
