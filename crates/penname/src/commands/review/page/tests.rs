//! What the page is told, and what becomes of what it says.

use penname_corpus::prepare;
use penname_ledger::{Seed, event::Silent};
use tempfile::TempDir;

use super::*;

/// A corpus of letters with these answers, and a folder for the record.
struct House {
    dir: TempDir,
    writing: std::path::PathBuf,
    settings: Settings,
    prepared: Prepared,
}

impl House {
    fn new(answers: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rows = answers.iter().enumerate().map(|(n, answer)| {
            let messages = json!([
                { "role": "user", "content": format!("Question {n}, about a kettle that sings?") },
                { "role": "assistant", "content": answer },
            ]);
            json!({ "messages": messages }).to_string() + "\n"
        });
        let rows: String = rows.collect();
        let writing = dir.path().join("writing");
        penname_ledger::write::folder(&writing).unwrap();
        penname_ledger::write::bytes(&writing.join("a.jsonl"), rows.as_bytes()).unwrap();
        let mut settings = Settings::default();
        settings.dedupe.near = false;
        settings.split.share = 0.0;
        settings.validate.repetition = None;
        settings.clean.disable = vec!["invisible characters".to_owned()];
        let prepared = prepare(&writing, &settings, Seed(1), &Silent).unwrap();
        assert_eq!(prepared.train.len(), answers.len(), "{:?}", prepared.choices);
        Self { dir, writing, settings, prepared }
    }

    fn room(&self, reviewer: Option<&str>) -> Room<'_> {
        let record =
            review::Desk::open(&self.dir.path().join("review"), reviewer.map(str::to_owned)).unwrap();
        let furniture = Furniture {
            prepared: &self.prepared,
            settings: &self.settings,
            places: Places::from(&self.writing),
            voice: "v".to_owned(),
            first: "show=open".to_owned(),
        };
        Room::new(furniture, record).unwrap()
    }
}

fn get(room: &Room<'_>, target: &str) -> Value {
    let request = Request::get(target, &[]);
    let answer = room.answer(&request.path, &request);
    assert_eq!(answer.status(), 200, "{target}: {}", String::from_utf8_lossy(answer.body()));
    serde_json::from_slice(answer.body()).unwrap()
}

fn post(room: &Room<'_>, target: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(target, body);
    let answer = room.answer(&request.path, &request);
    let text = || Value::from(String::from_utf8_lossy(answer.body()));
    (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_else(|_| text()))
}

/// Decides as a tab does that has looked a moment ago.
fn decide(room: &Room<'_>, n: usize, more: Value) -> (u16, Value) {
    let seen = get(room, &format!("item?n={n}"));
    let mut said = json!({ "n": n, "id": seen["id"], "revision": seen["revision"], "flags": [] });
    said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    post(room, "decide", &said)
}

#[test]
fn what_is_decided_on_the_page_is_in_the_record() {
    let house =
        House::new(&["The first answer, about steam.", "The second answer, about vinegar.", "The third."]);
    let room = house.room(None);
    assert_eq!(get(&room, "queue")["states"], "ooo");
    let (status, said) = decide(&room, 0, json!({ "verdict": "keep" }));
    assert_eq!((status, &said["state"]), (200, &json!("kept")));
    decide(&room, 1, json!({ "verdict": "drop", "flags": ["poor"] }));
    let texts = json!(["Question 2, about a kettle that sings?", "The third, longer."]);
    assert_eq!(decide(&room, 2, json!({ "verdict": "edit", "texts": texts })).1["state"], "edited");
    assert_eq!(get(&room, "item?n=2")["messages"][1]["text"], "The third, longer.");
    let (status, said) = post(&room, "undo", &json!({ "id": get(&room, "item?n=2")["id"] }));
    assert_eq!((status, &said["n"], &said["state"]), (200, &json!(2), &json!("open")));
    let queue = get(&room, "queue?show=open");
    assert_eq!(
        (&queue["states"], &queue["items"], &queue["sample"]),
        (&json!("kdo"), &json!([2]), &json!([0, 1, 2]))
    );
    let (record, _) = room.leave();
    drop(record);
    let lines = std::fs::read_to_string(house.dir.path().join("review/decisions.jsonl")).unwrap();
    let verdicts: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = verdicts.iter().map(|row: &Value| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["keep", "drop", "edit", "undo"]);
}

#[test]
fn a_tab_that_has_not_seen_the_latest_overwrites_nothing() {
    let house = House::new(&["The first answer, about steam.", "The second answer, about vinegar."]);
    let room = house.room(None);
    let seen = get(&room, "item?n=0");
    let said =
        |verdict: &str| json!({ "n": 0, "id": seen["id"], "revision": seen["revision"], "verdict": verdict });
    assert_eq!(post(&room, "decide", &said("keep")).0, 200);
    let (status, now) = post(&room, "decide", &said("drop"));
    assert_eq!((status, &now["state"], &now["revision"]), (409, &json!("kept"), &json!(1)));
    // A tab undoes what it takes for the latest decision, or nothing.
    assert_eq!(post(&room, "undo", &json!({ "id": null })).0, 409);
    let (status, now) = post(&room, "undo", &json!({ "id": "another" }));
    assert_eq!((status, &now["latest"], &now["n"]), (409, &seen["id"], &json!(0)));
    assert_eq!(get(&room, "queue")["states"], "ko");
}

#[test]
fn what_makes_no_sense_is_refused_and_written_nowhere() {
    let house = House::new(&["The first answer, about steam."]);
    let room = house.room(None);
    let check = |more: Value, status: u16, why: &str| {
        let (found, told) = decide(&room, 0, more);
        assert_eq!(found, status, "{told}");
        assert!(told.to_string().contains(why), "{told}");
    };
    check(json!({ "verdict": "burn" }), 422, "keep, drop or edit");
    check(json!({ "verdict": "drop", "flags": ["dull"] }), 422, "`dull` is no flag");
    check(json!({ "verdict": "edit", "texts": ["one"] }), 422, "a text for every turn");
    check(json!({ "verdict": "edit", "texts": ["Why?", "  "] }), 422, "leaves a turn empty");
    check(json!({ "verdict": "keep", "id": "0" }), 404, "open the page again");
    check(json!({ "verdict": "keep", "n": 7 }), 404, "open the page again");
    check(json!({ "verdict": "keep", "more": 1 }), 400, "unknown field");
    for target in ["queue?show=none", "queue?sort=x", "queue?plan=half", "queue?plan=spread&sample=-1"] {
        let request = Request::get(target, &[]);
        assert_eq!(room.answer(&request.path, &request).status(), 400, "{target}");
    }
    for target in ["item", "item?n=9", "item?n=x", "raw?n=9", "../page.css", "start/"] {
        let request = Request::get(target, &[]);
        assert_eq!(room.answer(&request.path, &request).status(), 404, "{target}");
    }
    assert_eq!(std::fs::read(house.dir.path().join("review/decisions.jsonl")).unwrap(), b"");
}

#[test]
fn a_second_reviewer_is_told_nothing_before_deciding() {
    let house = House::new(&["The first answer, about steam."]);
    let room = house.room(Some("ada"));
    decide(&room, 0, json!({ "verdict": "keep" }));
    drop(room);
    let room = house.room(Some("ben"));
    assert_eq!(get(&room, "queue")["states"], "o");
    let seen = get(&room, "item?n=0");
    assert_eq!(
        (&seen["state"], &seen["others"], &seen["decision"]),
        (&json!("open"), &json!([]), &Value::Null)
    );
    decide(&room, 0, json!({ "verdict": "drop" }));
    assert_eq!(get(&room, "item?n=0")["others"][0]["by"], "ada");
    assert_eq!(get(&room, "people")[0]["alike"], 0);
}

#[test]
fn long_texts_come_in_part_and_all_of_them_can_be_had() {
    let long = "Ä kettle sings. ".repeat(1 << 16);
    let hostile =
        "<script>alert('x')</script> \u{202e}sdrawkcab\u{202c} </textarea><img src=x onerror=alert(1)>";
    let house = House::new(&[long.trim_end(), hostile]);
    let room = house.room(None);
    let turn = &get(&room, "item?n=0")["messages"][1];
    assert_eq!(turn["text"].as_str().unwrap().chars().count(), 20_000);
    assert_eq!(turn["left"], long.trim_end().chars().count() - 20_000);
    let whole = &get(&room, "item?n=0&whole=1")["messages"][1];
    assert_eq!((whole["text"].as_str().unwrap(), &whole["left"]), (long.trim_end(), &json!(0)));
    // Too long to be compared, and no fault.
    assert_eq!(get(&room, "raw?n=0")[1], Value::Null);
    let seen = get(&room, "item?n=1");
    assert_eq!(seen["messages"][1]["text"].as_str().unwrap(), hostile);
    assert!(seen["signs"].as_array().unwrap().contains(&json!("damaged characters")));
}

/// The page makes nodes of texts. The browser is told to refuse the rest, and this says so before.
#[test]
fn no_text_becomes_markup() {
    for script in [SCRIPT, TEXT] {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "DOMParser",
            "http:",
            "https:",
        ] {
            assert!(!script.contains(word), "{word}");
        }
    }
    assert!(!HTML.contains("<style") && !HTML.contains(" style=") && !HTML.contains("://"));
    assert_eq!(HTML.matches("<script").count(), 1);
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}
