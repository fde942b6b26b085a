//! What is there already.

use std::fs;
use std::path::{Path, PathBuf};

use penname_hub::pull::Network;
use penname_hub::{Error, Kind, Options};
use penname_ledger::manifest::Depth;
use penname_ledger::{Lock, write};

use crate::server::{Reply, Server};
use crate::setup::{COMMIT, Place, plain, sha256, weights};

fn silent() -> Server {
    Server::start(|_| Reply::status(500))
}

#[test]
fn offline_asks_nobody() {
    let (server, place) = (silent(), Place::new());
    let options = Options { network: Network::Forbidden, ..place.options(&server) };
    let error = place.pull_as("o/n", &options).unwrap_err();
    assert!(matches!(&error, Error::Offline { base, .. } if base == "o/n"), "{error}");
    assert!(error.hint().unwrap().contains("once with the network allowed"));
    assert!(!place.path().join("bases").exists(), "a question that fails leaves nothing");

    let hub = Server::start(plain);
    let fetched = place.pull(&hub).unwrap();
    assert_eq!(place.pull_as("o/n", &options).unwrap(), fetched);
    assert!(server.seen().is_empty());
}

#[test]
fn a_damaged_model_is_told_and_only_what_is_damaged_is_fetched_again() {
    let check = |content: &[u8], depth: Depth| {
        let (server, place) = (Server::start(plain), Place::new());
        place.pull(&server).unwrap();
        write::bytes(&place.revision().join("model.safetensors"), content).unwrap();
        let options = Options { check: depth, ..place.options(&server) };
        place.pull_as("o/n", &options).unwrap();
        assert_eq!(fs::read(place.revision().join("model.safetensors")).unwrap(), weights());
        let told = format!("{:?}", place.recorder.events());
        assert!(told.contains("is damaged: output `model.safetensors` has "), "{told}");
        assert_eq!(server.seen_for("/model.safetensors").len(), 2);
    };
    check(b"short", Depth::Size);
    let mut flipped = weights();
    flipped[77] ^= 1;
    check(&flipped, Depth::Content);
}

#[test]
fn files_that_arrived_before_a_kill_are_not_fetched_again() {
    let (server, place) = (Server::start(plain), Place::new());
    write::folder(&place.revision()).unwrap();
    write::bytes(&place.revision().join("model.safetensors"), &weights()).unwrap();
    place.pull(&server).unwrap();
    assert_eq!(server.seen_for("/model.safetensors").len(), 0);
}

#[test]
fn two_processes_do_not_fetch_into_one_folder() {
    let (server, place) = (Server::start(plain), Place::new());
    let base_dir = place.path().join("bases/o--n");
    write::folder(&base_dir).unwrap();
    let _other = Lock::acquire(&base_dir).unwrap();
    let error = place.pull(&server).unwrap_err();
    assert!(error.to_string().contains("is in use by process"), "{error}");
    assert!(server.seen().is_empty());
}

#[test]
fn what_the_user_brought_along_is_taken_as_it_is() {
    let (server, place) = (silent(), Place::new());
    let dir = place.path().join("mine");
    write::folder(&dir).unwrap();
    let check = |file: &str, expected: std::result::Result<Kind, &str>| {
        write::bytes(&dir.join(file), b"x").unwrap();
        match (place.pull_as(dir.to_str().unwrap(), &place.options(&server)), expected) {
            (Ok(base), Ok(kind)) => assert_eq!(base.kind, kind),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    };
    check("notes.txt", Err("has no weights in safetensors or GGUF"));
    check("model.bin", Err("is a pickle"));
    check("q4.gguf", Ok(Kind::Gguf));
    check("q8.gguf", Err("several models"));
    check("model.safetensors", Err("has no `config.json`"));
    check("config.json", Err("has no `tokenizer.json`"));
    check("tokenizer.json", Ok(Kind::Folder));
    assert!(server.seen().is_empty());
}

/// A cache as other tools of the hub leave it.
#[cfg(unix)]
fn hub_cache(root: &Path, sha256: &str) -> PathBuf {
    let home = root.join("models--o--n");
    let snapshot = home.join("snapshots").join(COMMIT);
    for dir in [home.join("refs"), home.join("blobs"), snapshot.clone()] {
        write::folder(&dir).unwrap();
    }
    write::bytes(&home.join("refs/main"), COMMIT.as_bytes()).unwrap();
    let files: [(&str, &str, &[u8]); 3] = [
        ("config.json", "aa", b"{}"),
        ("tokenizer.json", "bb", b"[{}]"),
        ("model.safetensors", sha256, &weights()),
    ];
    for (name, blob, content) in files {
        write::bytes(&home.join("blobs").join(blob), content).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{blob}"), snapshot.join(name)).unwrap();
    }
    snapshot
}

#[cfg(unix)]
#[test]
fn a_model_of_another_tool_is_used_where_it_lies() {
    let (server, place) = (silent(), Place::new());
    let root = place.path().join("other");
    let snapshot = hub_cache(&root, &sha256(&weights()));
    let options =
        Options { hub_cache_dir: Some(&root), network: Network::Forbidden, ..place.options(&server) };
    for typed in ["o/n", &format!("o/n@{COMMIT}"), "o/n"] {
        let base = place.pull_as(typed, &options).unwrap();
        assert_eq!((&base.path, base.kind, base.revision.as_str()), (&snapshot, Kind::Folder, COMMIT));
        assert_eq!(base.sha256s["model.safetensors"], sha256(&weights()));
    }
    assert!(place.pull_as("o/n@other", &options).is_err());
    assert!(server.seen().is_empty());
}

#[cfg(unix)]
#[test]
fn a_spoilt_or_partial_model_of_another_tool_is_not_used() {
    let (server, place) = (Server::start(plain), Place::new());
    let spoilt = place.path().join("spoilt");
    hub_cache(&spoilt, &sha256(b"what it should be"));
    let options = Options { hub_cache_dir: Some(&spoilt), ..place.options(&server) };
    assert_eq!(place.pull_as("o/n", &options).unwrap().path, place.revision());
    assert!(format!("{:?}", place.recorder.events()).contains("remove it from there"));

    let place = Place::new();
    let partial = place.path().join("partial");
    write::remove_file(&hub_cache(&partial, "x").join("tokenizer.json")).unwrap();
    let options = Options { hub_cache_dir: Some(&partial), ..place.options(&server) };
    assert_eq!(place.pull_as("o/n", &options).unwrap().path, place.revision());
}
