//! Who and what a tombstone fits, and that nothing of it is left.

use std::fs;

use serde_json::json;

use super::scrub::{Scrubbed, scrub};
use super::*;
use crate::account::Account;
use crate::collect::{Collected, Places, collect};
use crate::document::{Body, Kind};
use crate::{Settings, prepare};
use penname_ledger::event::Silent;
use penname_ledger::{Seed, write};

const CHAT: &str = "\
[2024-01-31 09:00] Bob Ray: is the kettle mended?
[2024-01-31 09:01] Ann: it sings a third too high
[2024-01-31 20:00] Cy: rain again, they say
[2024-01-31 20:01] Ann: then the kettle and I stay in
";

fn settings(sources: serde_json::Value) -> Settings {
    let settings =
        json!({"voice": ["Ann"], "sources": sources, "split": {"share": 0.0}, "max_bad_share": 1.0});
    serde_json::from_value(settings).unwrap()
}

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        write::folder(path.parent().unwrap()).unwrap();
        write::bytes(&path, text.as_bytes()).unwrap();
    }
    dir
}

fn stone(what: What, of: &str) -> Forgotten {
    Forgotten::of([Tombstone::new(what, of)])
}

fn collected(dir: &Path, settings: &Settings, forgotten: &Forgotten) -> Collected {
    let (writing, fetched) = (dir.join("writing"), dir.join("fetched"));
    let places =
        Places { writing: &writing, fetched: Some(&fetched), forgotten: Some(forgotten), asked: None };
    let found = collect(places, settings, &Silent).unwrap();
    let held: u64 = found.documents.iter().map(Document::chars).sum();
    assert_eq!(found.given + found.tally.added, held + found.tally.dropped_chars());
    found
}

/// Everything on disk below a folder, as one text.
fn all_of(dir: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() { all_of(&path) } else { fs::read_to_string(&path).unwrap() };
    }
    text
}

#[test]
fn somebody_in_a_conversation_takes_it_along() {
    let dir = written(&[("writing/chat.txt", CHAT)]);
    let settings = settings(json!([]));
    let whole = collected(dir.path(), &settings, &Forgotten::default());
    assert_eq!(whole.documents.len(), 2, "{:?}", whole.documents);
    for name in ["Bob Ray", "@bob ray", " BOB RAY "] {
        let found = collected(dir.path(), &settings, &stone(What::Author, name));
        assert_eq!(found.documents.len(), 1, "{name}");
        assert!(found.documents[0].others().contains("rain"));
        assert_eq!(found.tally.dropped[FORGOTTEN], whole.documents[0].chars());
        assert_eq!(found.forgotten["chat.txt"], [whole.documents[0].uid.clone()]);
    }
    let none = collected(dir.path(), &settings, &stone(What::Author, "Bob"));
    assert_eq!(none.documents.len(), 2, "half a name is another one");
    assert!(collected(dir.path(), &settings, &stone(What::Author, "ann")).documents.is_empty());
    let uid = &whole.documents[1].uid;
    assert_eq!(collected(dir.path(), &settings, &stone(What::Id, uid)).documents.len(), 1);
}

#[test]
fn its_row_stands_in_the_account_and_the_order_is_another() {
    let dir = written(&[("writing/chat.txt", CHAT)]);
    let settings = settings(json!([]));
    let writing = dir.path().join("writing");
    let forgotten = stone(What::Author, "bob ray");
    let places = Places { writing: &writing, fetched: None, forgotten: Some(&forgotten), asked: None };
    let prepared = prepare(places, &settings, Seed(7), &Silent).unwrap();
    let Account { dropped, .. } = &prepared.account;
    assert!(dropped[FORGOTTEN] > 0 && prepared.account.is_balanced());
    let order =
        |places| crate::store::order(places, &settings, Seed(7), &crate::review::Review::default()).unwrap();
    let before = Places { forgotten: None, ..places };
    assert_ne!(order(places).key(), order(before).key());
    let nobody = Forgotten::default();
    assert_eq!(order(Places { forgotten: Some(&nobody), ..places }).key(), order(before).key());
    // Who was the only other one is not named in a row either.
    let silent = Settings { voice: vec!["Di".into()], ..settings };
    let found = collect(Places { forgotten: Some(&forgotten), ..places }, &silent, &Silent).unwrap();
    assert!(found.issues.iter().all(|issue| !issue.detail.contains("Bob")), "{:?}", found.issues);
    assert!(found.issues.iter().any(|issue| issue.detail.contains(SOMEBODY)), "{:?}", found.issues);
}

#[test]
fn words_are_known_wherever_they_stand() {
    let letter =
        "I saw the heron again this morning, and it saw me, and neither of us said a word about the kettle.";
    let text =
        format!("A diary of no importance whatever.\n\n{letter}\n\nThen it rained until the evening came.");
    let dir = written(&[("writing/diary.txt", &text), ("writing/other.txt", "The kettle sings on the hob.")]);
    let found = collected(dir.path(), &settings(json!([])), &stone(What::Text, &letter.to_uppercase()));
    assert_eq!(found.forgotten.keys().collect::<Vec<_>>(), ["diary.txt"]);
    assert_eq!(found.documents.len(), 1);
    assert!(found.cuts.values().all(|cut| !cut.sample.contains("heron")));
}

#[test]
fn addresses_and_ids_are_compared_as_people_write_them() {
    let same = |what, one: &str, other: &str| assert_eq!(key(what, one), key(what, other), "{one} {other}");
    same(What::Url, "https://www.example.org/tea/", "http://example.org/tea#top");
    same(What::Url, "https://twitter.com/ann/status/1", "x.com/ann/status/1");
    same(What::Id, "t1_abc", "abc");
    same(What::Author, "u/Bob", "@bob");
    assert_ne!(key(What::Url, "https://example.org/Tea"), key(What::Url, "https://example.org/tea"));
    assert_ne!(key(What::Id, "bob"), key(What::Author, "bob"));
}

#[test]
fn a_tombstone_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut known = Forgotten::read(&path).unwrap();
    assert!(known.is_empty());
    let bob = Tombstone::new(What::Author, "Bob Ray");
    known.add(&path, bob.clone()).unwrap();
    known.add(&path, Tombstone { documents: vec!["d".into()], ..bob.clone() }).unwrap();
    known.add(&path, bob.clone()).unwrap();
    let again = Forgotten::read(&path).unwrap();
    assert_eq!(again, known);
    assert_eq!(again.stones().next().unwrap().documents, ["d"]);
    assert!(!fs::read_to_string(&path).unwrap().to_lowercase().contains("bob"));
    let marks = Marks { document: "d".into(), ..Marks::default() };
    assert!(again.fits_marks(&marks, bob.at).is_some());
    assert!(again.fits_marks(&marks, Timestamp::from_ms(i64::MAX)).is_none());
    known.add(&path, bob.taken_back()).unwrap();
    assert!(Forgotten::read(&path).unwrap().is_empty() && known.digest().is_none());
}

#[test]
fn what_was_learned_is_found_by_its_marks() {
    let dir = written(&[("writing/chat.txt", CHAT)]);
    let whole = collected(dir.path(), &settings(json!([])), &Forgotten::default());
    let now = penname_ledger::clock::now();
    for (what, of, expected) in [
        (What::Author, "bob ray", [true, false]),
        (What::Author, "Ann", [true, true]),
        (What::Text, "Is the kettle mended?", [true, false]),
        (What::Author, "Di", [false, false]),
    ] {
        let forgotten = stone(what, of);
        let found: Vec<bool> = whole
            .documents
            .iter()
            .map(|document| forgotten.fits_marks(&Marks::of(document), now).is_some())
            .collect();
        assert_eq!(found, expected, "{of}");
        let fits: Vec<bool> = whole.documents.iter().map(|d| forgotten.fits(d).is_some()).collect();
        assert_eq!(fits, expected, "{of}");
    }
}

/// A thread as Reddit answers it: Ann answers Bob, and Cy answers Ann.
fn thread() -> String {
    let thing = |kind: &str, id: &str, parent: &str, author: &str, body: &str, replies: serde_json::Value| {
        json!({"kind": kind, "data": {"id": id, "parent_id": parent, "author": author, "author_fullname": format!("t2_{author}"),
            "body": body, "body_html": format!("<p>{body}</p>"), "subreddit": "tea", "permalink": format!("/r/tea/{id}"),
            "created_utc": 1_700_000_000, "score": 3, "replies": replies}})
    };
    let listing = |children| json!({"kind": "Listing", "data": {"children": children}});
    let cy = thing("t1", "c3", "t1_c2", "Cy", "cold, always", json!(""));
    let ann = thing("t1", "c2", "t1_c1", "Ann", "warm the pot first", listing(json!([cy])));
    let bob = thing("t1", "c1", "t3_p1", "Bob_Ray", "how do you make tea?", listing(json!([ann])));
    let eve = thing("t1", "c5", "t3_p1", "Ann", "with milk, for me", json!(""));
    let post = json!({"kind": "t3", "data": {"id": "p1", "author": "Eve", "title": "Tea, then?", "selftext": "Tell me.",
        "subreddit": "tea", "permalink": "/r/tea/p1", "created_utc": 1_699_999_000}});
    json!([listing(json!([post])), listing(json!([bob, eve]))]).to_string()
}

fn fetched() -> (tempfile::TempDir, Settings) {
    let tweet = |id: &str, who: &str, to: &str, text: &str| {
        json!({"id_str": id, "full_text": text, "in_reply_to_status_id_str": to, "created_at": "2024-01-31",
            "user": {"id_str": format!("9{who}"), "screen_name": who, "name": who}})
        .to_string()
    };
    let tweets = [
        tweet("1", "bob_ray", "", "is it wet?"),
        tweet("2", "Ann", "1", "very"),
        tweet("3", "Ann", "", "dry"),
    ];
    let page = "<html><head><meta name=\"author\" content=\"Bob Ray\"></head><body><article>\
                <p>My day with a heron, as told by me.</p></article></body></html>";
    let log = "{\"id\":\"https://example.org/heron\",\"pass\":1,\"at\":\"2024-01-31T00:00:00.000Z\",\"file\":\"heron.html\"}\n";
    let question = crate::collect::fetch::question("https://example.org/heron");
    let kept = json!({"etag": "x", "body": page}).to_string();
    let dir = written(&[
        ("fetched/r/pages/t3_p1.json", &thread()),
        ("fetched/r/answers/0011", &thread()),
        ("fetched/x/pages/batch.jsonl", &(tweets.join("\n") + "\n")),
        ("fetched/b/pages/heron.html", page),
        (
            "fetched/b/pages/tea.html",
            "<html><body><article><p>Tea is mine to tell of.</p></article></body></html>",
        ),
        (&format!("fetched/b/answers/{question}"), page),
        (&format!("fetched/b/kept/{question}"), &kept),
        ("fetched/b/log.jsonl", log),
    ]);
    let blog = |id| json!({"id": id, "kind": "blog", "address": "https://example.org"});
    (dir, settings(json!([blog("r"), blog("x"), blog("b")])))
}

#[test]
fn fetched_copies_lose_the_words_and_others_keep_theirs() {
    let (dir, settings) = fetched();
    let known = Forgotten::of(["Bob_Ray", "Bob Ray"].map(|name| Tombstone::new(What::Author, name)));
    let folder = dir.path().join("fetched");
    let before = all_of(&folder).to_lowercase();
    assert!(before.contains("how do you make tea") && before.contains("heron, as told"));
    let scrubbed = scrub(&folder, &settings, &known).unwrap();
    let text = all_of(&folder);
    for gone in ["how do you make tea", "Bob_Ray", "bob_ray", "Bob Ray", "is it wet", "heron, as told"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    for left in
        ["warm the pot first", "cold, always", "with milk, for me", "Tell me.", "very", "dry", "Tea is mine"]
    {
        assert!(text.contains(left), "{left} in {text}");
    }
    assert_eq!(scrubbed.changed.keys().filter(|name| name.ends_with(".json")).count(), 1);
    assert!(scrubbed.removed.contains(&"b/pages/heron.html".to_owned()), "{scrubbed:?}");
    // Nothing is left to find, neither for this nor for readers.
    assert_eq!(scrub(&folder, &settings, &known).unwrap(), Scrubbed::default());
    let found = collected(dir.path(), &settings, &known);
    assert!(found.forgotten.is_empty(), "{:?}", found.forgotten);
    let voices: Vec<String> = found.documents.iter().map(Document::voice).collect();
    assert!(
        voices.contains(&"with milk, for me".to_owned()) && voices.contains(&"dry".to_owned()),
        "{voices:?}"
    );
    assert!(!voices.contains(&"very".to_owned()), "what answered them answers nobody now");
}

#[test]
fn a_page_is_known_by_its_address_and_a_comment_by_its_id() {
    let (dir, settings) = fetched();
    let folder = dir.path().join("fetched");
    let known = Forgotten::of([
        Tombstone::new(What::Url, "http://www.example.org/heron/"),
        Tombstone::new(What::Id, "t1_c3"),
        Tombstone::new(What::Text, "With milk - for me!"),
    ]);
    scrub(&folder, &settings, &known).unwrap();
    let text = all_of(&folder);
    assert!(
        !text.contains("heron, as told") && !text.contains("cold, always") && !text.contains("with milk")
    );
    assert!(text.contains("how do you make tea"));
    assert!(text.contains("https://example.org/heron"), "the log keeps it from being fetched again");
}

#[test]
fn changed_words_of_a_review_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let edit = |document: &str, text: &str| {
        json!({"example": format!("e{document}"), "document": document, "place": 0, "verdict": "edit", "at": "2024-01-31T00:00:00.000Z",
            "messages": [{"role": "assistant", "content": text}]})
        .to_string()
    };
    let rows =
        [edit("a", "Bob's own words"), edit("b", "something else"), edit("c", "words to be forgotten")];
    write::bytes(&dir.path().join(crate::review::FILE), (rows.join("\n") + "\n").as_bytes()).unwrap();
    let known = stone(What::Text, "Words to be forgotten.");
    let documents = BTreeSet::from(["a".to_owned()]);
    assert_eq!(crate::review::forget(dir.path(), &documents, &known).unwrap(), 2);
    let text = all_of(dir.path());
    assert!(!text.contains("Bob") && !text.contains("to be forgotten") && text.contains("something else"));
    let review = crate::review::Review::read(dir.path()).unwrap();
    assert_eq!((review.len(), review.n_unreadable), (3, 0));
    assert_eq!(crate::review::forget(dir.path(), &documents, &known).unwrap(), 0);
}

#[test]
fn a_document_of_nobody_known_is_left_alone() {
    let document = Document::new("a.txt", 0, Kind::Text, None, Body::Text("Tea.".into()));
    assert!(stone(What::Author, "Bob").fits(&document).is_none());
    assert!(stone(What::Text, "Tea!").fits(&document).is_some());
    assert!(Forgotten::default().fits(&document).is_none());
    let known = stone(What::Author, "Bob Ray");
    assert_eq!(
        known.without_names("name one of: Bob Ray (3), Bob (1)"),
        "name one of: (somebody) (3), Bob (1)"
    );
}
