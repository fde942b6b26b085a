//! Bytes over a bad line.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use penname_hub::{Error, Kind, Options};
use penname_ledger::{Event, Manifest, write};

use crate::server::{Reply, Request, Server};
use crate::setup::{COMMIT, Place, listing, listing_with, plain, sha256, weights};

/// A hub that answers requests for the weights by `weights_reply`, which is told how often it was
/// asked before.
fn with_weights(weights_reply: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request| match request.path.ends_with("/model.safetensors") {
        true => weights_reply(request, asked.fetch_add(1, Ordering::Relaxed)),
        false => plain(request),
    })
}

fn ranges(server: &Server) -> Vec<usize> {
    server.seen_for("/model.safetensors").iter().map(Request::from).collect()
}

fn arrived(place: &Place) {
    assert_eq!(fs::read(place.revision().join("model.safetensors")).unwrap(), weights());
    assert!(!place.revision().join("model.safetensors.part").exists());
}

#[test]
fn a_model_arrives_whole_with_its_digests_and_nothing_else() {
    let (server, place) = (Server::start(plain), Place::new());
    let base = place.pull(&server).unwrap();
    assert_eq!((base.kind, base.revision.as_str()), (Kind::Folder, COMMIT));
    assert_eq!(base.path, place.revision());
    assert_eq!(base.sha256s["model.safetensors"], sha256(&weights()));
    assert_eq!(base.sha256s["config.json"], sha256(b"{}"));
    let mut names: Vec<_> =
        fs::read_dir(&base.path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(Manifest::read(&base.path).unwrap().order.stage, "base");
    arrived(&place);

    let n_seen = server.seen().len();
    assert_eq!(place.pull(&server).unwrap(), base);
    assert_eq!(server.seen().len(), n_seen, "a model that is there needs no network");
}

#[test]
fn progress_is_told_up_to_the_end() {
    let (server, place) = (Server::start(plain), Place::new());
    place.pull(&server).unwrap();
    let n = weights().len() as u64;
    let told: Vec<_> = place
        .recorder
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Progress { what, done, total, .. } if what.ends_with("model.safetensors") => {
                Some((done, total))
            }
            _ => None,
        })
        .collect();
    assert!(told.len() >= 2 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(n, Some(n))));
}

#[test]
fn a_cut_line_is_gone_on_with_where_it_was_cut() {
    let server = with_weights(|request, n| match n {
        0 => Reply::ranged(request, &weights()).cut_after(500_000),
        1 => Reply::ranged(request, &weights()).cut_after(300_000),
        _ => Reply::ranged(request, &weights()),
    });
    let place = Place::new();
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server), [0, 500_000, 800_000]);
    arrived(&place);
}

#[test]
fn a_line_that_gets_a_little_further_each_time_is_not_given_up() {
    let server = with_weights(|request, _| Reply::ranged(request, &weights()).cut_after(200_000));
    let place = Place::new();
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server), [0, 200_000, 400_000, 600_000, 800_000, 1_000_000, 1_200_000]);
    arrived(&place);
}

#[test]
fn a_line_that_never_gets_further_is_given_up_and_its_part_kept() {
    let server = with_weights(|request, n| match n {
        0 => Reply::ranged(request, &weights()).cut_after(400_000),
        1..=3 => Reply::ranged(request, &weights()).cut_after(0),
        _ => Reply::ranged(request, &weights()),
    });
    let place = Place::new();
    let error = place.pull(&server).unwrap_err();
    assert!(matches!(error, Error::Broke { n_bytes: 400_000, .. }), "{error}");
    assert!(error.hint().unwrap().contains("is kept"));
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server).last(), Some(&400_000));
    arrived(&place);
}

#[test]
fn a_server_without_ranges_is_asked_for_everything_again() {
    let server = with_weights(|_, n| match n {
        0 => Reply::ok(weights()).cut_after(500_000),
        _ => Reply::ok(weights()),
    });
    let place = Place::new();
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server), [0, 500_000]);
    arrived(&place);
}

#[test]
fn a_server_that_answers_another_range_is_not_believed() {
    let server = with_weights(|request, n| match n {
        0 => Reply::ok(weights()).cut_after(500_000),
        1 => Reply { body: weights()[7..].to_vec(), ..Reply::status(206) }
            .with("content-range", format!("bytes 7-{}/{}", weights().len() - 1, weights().len())),
        _ => Reply::ranged(request, &weights()),
    });
    let place = Place::new();
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server), [0, 500_000, 0]);
    arrived(&place);
}

#[test]
fn a_spoilt_part_is_found_by_its_end_and_fetched_anew() {
    for n in [1000, weights().len(), weights().len() + 5] {
        let (server, place) = (Server::start(plain), Place::new());
        write::folder(&place.revision()).unwrap();
        write::bytes(&place.revision().join("model.safetensors.part"), &vec![0; n]).unwrap();
        place.pull(&server).unwrap();
        arrived(&place);
    }
}

#[test]
fn wrong_bytes_are_refused_and_not_kept() {
    let wrong = sha256(b"something else");
    let listed = listing_with(&wrong);
    let server = Server::start(move |request| match request.path.starts_with("/api/") {
        true => Reply::ok(listed.clone()),
        false => plain(request),
    });
    let place = Place::new();
    let error = place.pull(&server).unwrap_err();
    assert!(matches!(&error, Error::WrongHash { expected, .. } if *expected == wrong), "{error}");
    assert!(!place.revision().join("model.safetensors").exists());
    assert!(!place.revision().join("model.safetensors.part").exists());
    assert!(!place.revision().join("manifest.json").exists());
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let server = Server::start(|request| match request.path.ends_with("config.json") {
        true => Reply::ok(vec![b' '; 100_000]),
        false => plain(request),
    });
    let error = Place::new().pull(&server).unwrap_err();
    assert!(matches!(error, Error::WrongSize { expected: 2, .. }), "{error}");
}

#[test]
fn a_server_in_trouble_is_asked_again_a_few_times() {
    let server = with_weights(|request, n| match n {
        0 => Reply::status(503),
        1 => Reply::status(429),
        _ => Reply::ranged(request, &weights()),
    });
    let place = Place::new();
    place.pull(&server).unwrap();
    assert_eq!(ranges(&server).len(), 3);

    let broken = Server::start(|_| Reply::status(500));
    let error = Place::new().pull(&broken).unwrap_err();
    assert!(matches!(error, Error::Server { status: 500, n_tries: 3, .. }), "{error}");
    assert_eq!(broken.seen().len(), 3);
}

#[test]
fn a_stopped_download_keeps_its_part() {
    let stop = AtomicBool::new(true);
    let (server, place) = (Server::start(plain), Place::new());
    let options = Options { stop: Some(&stop), ..place.options(&server) };
    let error = place.pull_as("o/n", &options).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    assert!(!place.revision().join("manifest.json").exists());
    stop.store(false, Ordering::Relaxed);
    place.pull_as("o/n", &options).unwrap();
    arrived(&place);
}

#[test]
fn a_mirror_that_tells_no_sizes_will_do() {
    let bare = format!(
        r#"{{"sha": "{COMMIT}", "siblings": [{{"rfilename": "config.json"}},
            {{"rfilename": "tokenizer.json"}}, {{"rfilename": "model.safetensors"}}]}}"#
    );
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        if request.path.starts_with("/api/") {
            return Reply::ok(bare.clone());
        }
        match asked.fetch_add(1, Ordering::Relaxed) {
            2 => Reply::ok(weights()).cut_after(9),
            _ => plain(request),
        }
    });
    let place = Place::new();
    place.pull(&server).unwrap();
    arrived(&place);
    assert!(listing().len() > 9);
}
