//! The user's twscrape, played by a script.

use penname_ledger::write;

use super::*;

/// A program that notes its arguments and then does as `body` says.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "a program has to be one that may be run")]
fn program(place: &Place, body: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = place.dir.path().join("twscrape");
    let log = place.dir.path().join("asked");
    let text = format!("#!/bin/sh\necho \"$*\" >> '{}'\n{body}\n", log.display());
    write::bytes(&path, text.as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn asked(place: &Place) -> Vec<String> {
    let log = fs::read_to_string(place.dir.path().join("asked")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

fn tweet(id: &str, parent: Option<&str>, words: &str) -> String {
    json!({"id": 1, "id_str": id, "conversationId": 10, "conversationIdStr": "10", "rawContent": words,
           "inReplyToTweetIdStr": parent, "user": {"username": "ann", "displayname": "Ann", "id_str": "7", "followersCount": 900},
           "date": "2024-01-01 12:00:00+00:00", "likeCount": 300, "retweetCount": 20, "replyCount": 1})
    .to_string()
}

fn settings(program: &str) -> Settings {
    source(
        json!({"kind": "twscrape", "queries": ["startups lang:en"], "program": program, "database": "my.db"}),
    )
}

#[cfg(unix)]
#[test]
fn tweets_are_paired_with_replies_of_another_search() {
    let place = Place::new();
    let body = format!(
        "case \"$*\" in *conversation_id:10*) echo '{}';; *) echo '{}';; esac",
        tweet("11", Some("10"), "@ann quite so"),
        tweet("10", None, "a claim")
    );
    let settings = settings(&program(&place, &body));
    assert_eq!(place.fetch(&settings), "2 taken");
    assert_eq!(
        asked(&place),
        ["--db my.db search startups lang:en --limit 100", "--db my.db search conversation_id:10 --limit 50"]
    );
    let documents = place.documents(&settings);
    assert_eq!(documents.len(), 1, "{documents:?}");
    assert_eq!((documents[0].others().as_str(), documents[0].voice().as_str()), ("a claim", "quite so"));
    assert_eq!(documents[0].thread.as_deref(), Some("10"));
    assert_eq!(place.fetch(&settings), "nothing to do");
    // A new pass searches again and does not ask for replies it has.
    assert_eq!(place.again(&settings), "0 taken");
    assert_eq!(asked(&place).len(), 3);
}

#[cfg(unix)]
#[test]
fn what_goes_wrong_is_told_and_what_came_is_kept() {
    let check = |body: &str, expected: &str| {
        let place = Place::new();
        let program = program(&place, body);
        let seen = place.fetch(&settings(&program)).replace(&program, "twscrape");
        assert_eq!(seen, expected);
        place
    };
    check(
        "echo 'No account available for queue \"SearchTimeline\". Next available at 12:31' >&2; exit 1",
        "0 taken, then `twscrape` has no account that may ask now: No account available for queue \"SearchTimeline\". \
         Next available at 12:31",
    );
    let torn = format!("echo '{}'; echo 'KeyError: x' >&2; exit 3", tweet("10", None, "a claim"));
    let place = check(&torn, "1 taken, then `twscrape` fails (exit status: 3): KeyError: x");
    assert_eq!(place.pages().len(), 1);
    let place = Place::new();
    let seen = place.fetch(&settings("/no/such/twscrape"));
    assert_eq!(seen, "0 taken, then `/no/such/twscrape` is not installed");
}
