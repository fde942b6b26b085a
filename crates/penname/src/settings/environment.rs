//! What the environment says: secrets and paths, never settings.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use penname_corpus::collect::fetch::Secrets;
use penname_hub::{Options, Token};

use super::origin::Origin;

/// The only place that reads the environment. An empty variable counts as none.
fn read(name: &'static str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
    env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &'static str) -> Option<String> {
    read(name).map(|value| value.to_string_lossy().into_owned())
}

fn path(name: &'static str) -> Option<PathBuf> {
    read(name).map(PathBuf::from)
}

/// A value and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct From<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

impl<T> From<T> {
    fn environment(value: T, name: &'static str) -> Self {
        Self { value, origin: Origin::Environment(name) }
    }

    fn built_in(value: T) -> Self {
        Self { value, origin: Origin::BuiltIn }
    }
}

/// Secrets and paths.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Where fetched models are kept.
    pub(crate) cache_dir: From<PathBuf>,
    /// A cache of other tools, which is read and never written.
    pub(crate) hub_cache_dir: From<Option<PathBuf>>,
    /// Address of the hub.
    pub(crate) endpoint: From<String>,
    /// Opens private repositories. Never shown.
    pub(crate) token: From<Option<Token>>,
    /// Keys of services that writing is fetched from. Never shown.
    pub(crate) secrets: Secrets,
    /// Proxy between here and the hub. Never shown: it may hold a password.
    pub(crate) proxy: From<Option<String>>,
    /// What opens PDF files that are locked, tried one after the other.
    pub(crate) pdf_passwords: Vec<String>,
    /// The program that people change texts with.
    pub(crate) editor: Option<OsString>,
    /// Whether colour is unwanted.
    pub(crate) no_color: bool,
}

impl Environment {
    /// Reads it once.
    pub(crate) fn read() -> Self {
        let home = path("HOME").or_else(|| path("USERPROFILE"));
        Self {
            cache_dir: cache_dir(home.clone()),
            hub_cache_dir: hub_cache_dir(home),
            endpoint: text("HF_ENDPOINT").map_or_else(
                || From::built_in(Options::ENDPOINT.to_owned()),
                |address| From::environment(address, "HF_ENDPOINT"),
            ),
            token: text("HF_TOKEN").map_or(From::built_in(None), |secret| {
                From::environment(Some(Token::new(&secret)), "HF_TOKEN")
            }),
            secrets: Secrets::find(text),
            pdf_passwords: text("PENNAME_PDF_PASSWORDS")
                .map(|lines| lines.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
                .unwrap_or_default(),
            proxy: proxy(),
            editor: read("VISUAL").or_else(|| read("EDITOR")),
            no_color: read("NO_COLOR").is_some(),
        }
    }

    /// What there is, shown without secrets: name, value, origin, what it is.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String, &Origin, &'static str)> {
        let set = |is: bool| if is { "set" } else { "not set" }.to_owned();
        let hub_cache = self.hub_cache_dir.value.as_ref();
        let hub_cache = hub_cache.map_or_else(|| set(false), |dir| dir.display().to_string());
        // An address may hold a password.
        let endpoint = self.endpoint.value.rsplit('@').next().unwrap_or_default().to_owned();
        vec![
            (
                "cache",
                self.cache_dir.value.display().to_string(),
                &self.cache_dir.origin,
                "fetched base models, and those packed to lie on disk; PENNAME_HOME moves it",
            ),
            (
                "hub.cache",
                hub_cache,
                &self.hub_cache_dir.origin,
                "models of other tools, only read; HF_HOME moves it",
            ),
            ("hub.endpoint", endpoint, &self.endpoint.origin, "address of the hub; HF_ENDPOINT changes it"),
            (
                "hub.token",
                set(self.token.value.is_some()),
                &self.token.origin,
                "opens private models; HF_TOKEN",
            ),
            ("hub.proxy", set(self.proxy.value.is_some()), &self.proxy.origin, "way to the hub; HTTPS_PROXY"),
        ]
    }
}

fn cache_dir(home: Option<PathBuf>) -> From<PathBuf> {
    if let Some(dir) = path("PENNAME_HOME") {
        return From::environment(dir, "PENNAME_HOME");
    }
    if let Some(dir) = path("XDG_CACHE_HOME") {
        return From::environment(dir.join("penname"), "XDG_CACHE_HOME");
    }
    // Without a home there is still the folder one stands in.
    From::built_in(home.map_or_else(|| PathBuf::from(".penname-cache"), |home| home.join(".cache/penname")))
}

fn hub_cache_dir(home: Option<PathBuf>) -> From<Option<PathBuf>> {
    match path("HF_HOME") {
        Some(dir) => From::environment(Some(dir.join("hub")), "HF_HOME"),
        None => From::built_in(home.map(|home| home.join(".cache/huggingface/hub"))),
    }
}

fn proxy() -> From<Option<String>> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let found = names.into_iter().find_map(|name| Some((text(name)?, name)));
    found.map_or(From::built_in(None), |(address, name)| From::environment(Some(address), name))
}
