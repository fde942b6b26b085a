//! Shards put together are what one program makes, however many there are.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicBool;

use expect_test::expect;
use penname_ledger::event::Silent;
use penname_ledger::{Lock, write};
use serde_json::json;

use super::*;
use crate::document::Document;
use crate::forget::{Forgotten, Tombstone, What};
use crate::prepare::{Prepared, prepare};
use crate::review::Review;

static GO_ON: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(true);

fn words(seed: usize, n: usize) -> String {
    (0..n).map(|k| format!("word{} ", (seed * 61 + k) * 7919 % 9973)).collect()
}

/// Writing of every sort that depends on more than one file: duplicates, tweets and their replies apart.
fn writing() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join("writing").join(name);
        write::folder(path.parent().unwrap()).unwrap();
        write::bytes(&path, text.as_bytes()).unwrap();
    };
    for n in 0..20 {
        let text =
            format!("Q: How are the {n} kettles &amp; pans?\n\nA: {}ann@example.org\n", words(n / 2, 40));
        put(&format!("letters/{n:02}.txt"), &text);
        put(
            &format!("posts/2014-01-{:02}-tea.md", n + 1),
            &format!("---\ntitle: Tea {n}\n---\n{}\n", words(n + 40, 60)),
        );
    }
    put("chat.txt", "31/01/2024, 09:00 - Bob: up?\n31/01/2024, 09:01 - Ann: no, and never before ten\n");
    put("lol.txt", &"lol ".repeat(300));
    put("empty.txt", " ");
    put("picture.png", "x");
    let tweet = |id: u32, who: &str, to: &str, text: &str| {
        json!({"id_str": id.to_string(), "full_text": text, "in_reply_to_status_id_str": to,
            "created_at": "2024-01-31", "user": {"id_str": "7", "screen_name": who, "name": who}})
        .to_string()
    };
    let posts: Vec<String> =
        (0..6).map(|n| tweet(n, "bob", "", &format!("question {n}, is it wet?"))).collect();
    let replies: Vec<String> =
        (0..6).map(|n| tweet(10 + n, "ann", &n.to_string(), &words(n as usize + 90, 9))).collect();
    put("tweets/posts.jsonl", &posts.join("\n"));
    put("tweets/replies.jsonl", &replies.join("\n"));
    dir
}

fn settings() -> Settings {
    serde_json::from_value(json!({"voice": ["ann"], "validate": {"personal": "mask"}, "max_bad_share": 0.5}))
        .unwrap()
}

fn locally(places: Places<'_>) -> Prepared {
    prepare(places, &settings(), Seed(7), &Silent).unwrap()
}

fn made(plan: &Plan, places: Places<'_>, folder: &Path, shard: usize, jobs: usize) -> Made {
    let (stop, witness) = (&GO_ON, &Silent);
    work(&Order { plan, places, folder, shard, jobs, seize: false, stop, witness }).unwrap()
}

#[test]
fn shards_make_what_one_program_makes() {
    let dir = writing();
    let (writing, folder) = (dir.path().join("writing"), dir.path().join("shards"));
    let bob = Forgotten::of([Tombstone::new(What::Author, "Bob")]);
    for forgotten in [None, Some(&bob)] {
        let places = Places { writing: &writing, fetched: None, forgotten, asked: None };
        let alone = locally(places);
        assert!(alone.documents.len() > 30 && !alone.held_out.is_empty(), "{}", alone.documents.len());
        assert!(alone.choices.iter().any(|choice| choice.what == "duplicates dropped"));
        let said = |what: &str| alone.choices.iter().any(|choice| choice.what == what);
        assert!(said("rejected") && said("personal data") && !alone.issues.is_empty());
        for (shards, jobs) in [(1, 1), (2, 3), (4, 1), (16, 2), (64, 1)] {
            if folder.exists() {
                write::remove_folder(&folder).unwrap();
            }
            write::folder(&folder).unwrap();
            let plan = Plan::freeze(places, &settings(), Seed(7), shards).unwrap();
            // In no order, and some of them twice.
            for shard in (0..shards).rev().chain([0]) {
                let made = made(&plan, places, &folder, shard, jobs);
                assert!(matches!(made, Made::Done(_) | Made::Found(_)), "{made:?}");
            }
            assert!(missing(&plan, &folder).is_empty());
            let joined = join(&plan, places, &folder, &Review::default(), &Silent).unwrap();
            assert_eq!(joined, alone, "{shards} shards, {jobs} jobs");
        }
    }
}

/// The finished files of a folder.
fn finished(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_interruptions() {
    let dir = writing();
    let writing = dir.path().join("writing");
    let places = Places::from(&writing);
    let plan = Plan::freeze(places, &settings(), Seed(7), 2).unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for folder in [&one, &other] {
        write::folder(folder).unwrap();
    }
    for shard in 0..2 {
        made(&plan, places, &one, shard, 1);
        let order = Order {
            plan: &plan,
            places,
            folder: &other,
            shard,
            jobs: 3,
            seize: false,
            stop: &STOP,
            witness: &Silent,
        };
        assert!(matches!(work(&order).unwrap(), Made::Partial(0, _)));
        assert_eq!(missing(&plan, &other).len(), 2 - shard);
        made(&plan, places, &other, shard, 3);
    }
    assert_eq!(finished(&one), finished(&other));
    assert_eq!(fs::read_dir(&one).unwrap().count(), 4, "nothing is left open");
}

#[test]
fn a_shard_that_somebody_has_is_left_to_them() {
    let dir = writing();
    let (writing, folder) = (dir.path().join("writing"), dir.path().join("shards"));
    let places = Places::from(&writing);
    let plan = Plan::freeze(places, &settings(), Seed(7), 1).unwrap();
    let open = folder.join("shard-00000.open");
    write::folder(&open).unwrap();
    let lock = Lock::acquire(&open).unwrap();
    assert!(matches!(made(&plan, places, &folder, 0, 1), Made::Taken(_)));
    drop(lock);
    // What a dead worker wrote after its last checkpoint, or before any, does not count.
    write::bytes(&open.join("rows.part"), b"half a li").unwrap();
    assert!(matches!(made(&plan, places, &folder, 0, 1), Made::Done(_)));
    assert_eq!(join(&plan, places, &folder, &Review::default(), &Silent).unwrap(), locally(places));
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = writing();
    let (writing, folder) = (dir.path().join("writing"), dir.path().join("shards"));
    write::folder(&folder).unwrap();
    let places = Places::from(&writing);
    let told = |result: Result<Plan, Error>| result.unwrap_err().to_string();
    let freeze = |settings: &Settings, shards| Plan::freeze(places, settings, Seed(7), shards);
    assert!(told(freeze(&settings(), 3)).contains("power of two"));
    assert!(told(freeze(&settings(), 8192)).contains("up to 4096"));
    assert!(told(freeze(&Settings { limit: Some(3), ..settings() }, 2)).contains("limit"));
    let plan = freeze(&settings(), 2).unwrap();
    let path = dir.path().join("plan.json");
    plan.save(&path).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), plan);
    let text = fs::read_to_string(&path).unwrap();
    write::bytes(&path, text.replace("\"shards\": 2", "\"shards\": 4").as_bytes()).unwrap();
    assert!(told(Plan::read(&path)).contains("changed since it was frozen"));
    let other = Plan { version: "0.0.9".into(), ..plan.clone() };
    Plan { digest: other.own_digest(), ..other }.save(&path).unwrap();
    assert!(told(Plan::read(&path)).contains("was made by version 0.0.9"));

    let join = || join(&plan, places, &folder, &Review::default(), &Silent).unwrap_err().to_string();
    assert!(join().contains("2 of 2 are not finished"));
    (0..2).for_each(|shard| drop(made(&plan, places, &folder, shard, 1)));
    let rows = folder.join("shard-00001.jsonl");
    let mut bytes = fs::read(&rows).unwrap();
    let at = bytes.iter().position(|byte| *byte == b'k').unwrap();
    bytes[at] = b'K';
    write::bytes(&rows, &bytes).unwrap();
    assert!(join().contains("not what its worker wrote"));
    write::bytes(&writing.join("new.txt"), b"A new text.").unwrap();
    assert!(join().contains("has changed since"));
}

#[test]
fn twice_as_many_shards_divide_each_in_two() {
    let dir = writing();
    let writing = dir.path().join("writing");
    let plan = |shards| Plan::freeze(Places::from(&writing), &settings(), Seed(7), shards).unwrap();
    let (four, eight) = (plan(4), plan(8));
    assert!((0..500).map(|n| n.to_string()).all(|name| eight.shard_of(&name) % 4 == four.shard_of(&name)));
    assert_eq!(four.units, 40 + 4 + 1, "two files of tweets are one unit");
}

#[test]
fn a_pipe_takes_documents_and_plain_texts() {
    let dir = writing();
    let writing = dir.path().join("writing");
    let plan = Plan::freeze(Places::from(&writing), &settings(), Seed(7), 2).unwrap();
    let document = Document::new(
        "a.txt",
        0,
        crate::document::Kind::Text,
        None,
        crate::document::Body::Text("Tea &amp; toast".into()),
    );
    let lines = [
        serde_json::to_string(&document).unwrap(),
        json!({"id": "b", "text": "lol ".repeat(200)}).to_string(),
        "{torn".to_owned(),
        json!({"id": "c", "text": "Mail me: bob@example.org", "title": "Mail"}).to_string(),
    ];
    let mut out = Vec::new();
    let counts = pipe(&plan, None, (lines.join("\n") + "\n").as_bytes(), &mut out).unwrap();
    expect!["Counts { lines: 4, documents: 3, rejected: 1, bad: 1, others: 0 }"]
        .assert_eq(&format!("{counts:?}"));
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("Tea & toast") && out.contains("[email 1]") && out.contains("\"exact\""), "{out}");
    let mut parts = Vec::new();
    for shard in 0..2 {
        let counts = pipe(&plan, Some(shard), lines.join("\n").as_bytes(), &mut parts).unwrap();
        assert_eq!(counts.documents + counts.others, 3);
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> =
            text.lines().filter(|l| l.starts_with("{\"document")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&String::from_utf8(parts).unwrap()), sorted(&out));
}
