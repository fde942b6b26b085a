//! Examples made of passages and their questions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use penname_corpus::collect::Places;
use penname_corpus::{Prepared, prepare, store};
use penname_ledger::event::Silent;
use penname_token::Role;

use super::*;
use crate::fetch::server::{Reply, Server};

/// A service that answers well, but about no kettle of these.
fn service(without: fn(usize) -> bool) -> Server {
    Server::start(move |request, _| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let kettle = kettle(body["messages"][1]["content"].as_str().unwrap());
        let refusal = without(kettle).then_some("no");
        let message = json!({"content": questions(kettle), "refusal": refusal});
        Reply::ok(json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string())
    })
}

/// A folder of texts, each of a few passages.
fn writing(dir: &Path) {
    for n in 0..24 {
        let passage = |k: usize| {
            let number = n * 10 + k;
            format!(
                "Kettle {number} sang on hob {number} from noon to evening, and nobody in house {number} heard it \
                 before the {number} visitors came, who wanted tea and were given {number} cups of it.\n\n"
            )
        };
        let text: String = (0..3).map(passage).collect();
        penname_ledger::write::folder(dir).unwrap();
        penname_ledger::write::bytes(&dir.join(format!("t{n:02}.txt")), text.as_bytes()).unwrap();
    }
}

fn wanted(server: &Server) -> Settings {
    let mut settings = settings(json!({
        "provider": "openai", "model": "m", "address": server.address, "concurrency": 1,
    }));
    settings.compose.passage_words = 30;
    settings.dedupe.near = false;
    settings
}

/// Writing, asked about as far as the service answers.
fn asked(without: fn(usize) -> bool) -> (Place, Settings, PathBuf) {
    let (server, place) = (service(without), Place::new());
    let (settings, dir) = (wanted(&server), place.dir.path().join("writing"));
    writing(&dir);
    let all = Settings {
        ask: penname_corpus::ask::Ask { accept_missing: 1.0, ..settings.ask.clone() },
        ..settings.clone()
    };
    let mut alone = all;
    alone.ask.without = penname_corpus::ask::settings::Without::Complete;
    let documents = prepare(&dir, &alone, Seed(7), &Silent).unwrap().documents;
    assert_eq!(ask::passages(&documents, &settings).len(), 72);
    assert_eq!(told(&place.ask(&settings, &documents)), "done");
    (place, settings, dir)
}

fn prepared(place: &Place, settings: &Settings, dir: &Path) -> Result<Prepared, Error> {
    let folder = place.folder();
    prepare(
        Places { writing: dir, fetched: None, forgotten: None, asked: Some(&folder) },
        settings,
        Seed(7),
        &Silent,
    )
}

#[test]
fn siblings_stay_together_and_say_where_their_questions_come_from() {
    let (place, settings, dir) = asked(|_| false);
    let made = prepared(&place, &settings, &dir).unwrap();
    assert_eq!(made.train.len() + made.held_out.len(), 144);
    assert!(made.held_out.len() >= 8);
    let of = |examples: &[penname_token::Example]| -> BTreeSet<String> {
        examples.iter().map(|example| example.messages[1].content.clone()).collect()
    };
    assert!(of(&made.train).is_disjoint(&of(&made.held_out)), "no passage is on both sides");
    let mut answers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for example in made.train.iter().chain(&made.held_out) {
        assert_eq!(example.messages[0].role, Role::User);
        answers.entry(&example.messages[1].content).or_default().insert(&example.messages[0].content);
        let asked = example.asked.as_ref().unwrap();
        assert_eq!((asked.provider.as_str(), asked.model.as_str(), asked.task.len()), ("openai", "m", 40));
    }
    assert!(answers.len() == 72 && answers.values().all(|questions| questions.len() == 2));
    // The answers are the author's words to the last letter, and those of the questions are nobody's.
    let whole: String =
        fs::read_dir(&dir).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(answers.keys().all(|answer| whole.contains(*answer)));
    let account = &made.account;
    assert_eq!(
        account.trained + account.held_out,
        2 * answers.keys().map(|text| text.chars().count() as u64).sum::<u64>()
    );
    assert_eq!((account.prompt, account.repeated), (0, (account.trained + account.held_out) / 2));
    let choice = made.choices.iter().find(|choice| choice.what == "generated questions").unwrap();
    assert_eq!(choice.value, "72 of 72 passages");
}

#[test]
fn what_has_no_question_is_counted_and_only_then_left_out_or_alone() {
    let (place, mut settings, dir) = asked(|kettle| kettle % 10 == 2 && kettle < 60);
    let Err(Error::Unasked { n_passages, missing, .. }) = prepared(&place, &settings, &dir) else {
        panic!("it went on")
    };
    assert_eq!((n_passages, missing.len()), (72, 6));
    assert_eq!(
        (missing[0].path.as_str(), missing[0].passage, missing[0].reason.as_str()),
        ("t00.txt", 3, "refused")
    );
    assert!(missing[0].begins.starts_with("Kettle 2 sang"), "{}", missing[0].begins);
    settings.ask.accept_missing = 0.05;
    let error = prepared(&place, &settings, &dir).unwrap_err().to_string();
    assert_eq!(
        error,
        "6 of 72 passages have no questions, more than the allowed 5 %; first: `t00.txt`, passage 3: refused"
    );
    settings.ask.accept_missing = 0.1;
    let made = prepared(&place, &settings, &dir).unwrap();
    assert_eq!(made.train.len() + made.held_out.len(), 132);
    assert!(made.account.dropped["passages without a question"] > 600);
    settings.ask.without = penname_corpus::ask::settings::Without::Complete;
    let made = prepared(&place, &settings, &dir).unwrap();
    let alone = made.train.iter().chain(&made.held_out).filter(|example| example.messages.len() == 1);
    assert_eq!((alone.count(), made.train.len() + made.held_out.len()), (6, 138));
}

#[test]
fn preparing_is_done_again_for_other_answers_and_not_for_another_budget() {
    let (place, mut settings, dir) = asked(|_| false);
    let folder = place.folder();
    let places = Places { writing: &dir, fetched: None, forgotten: None, asked: Some(&folder) };
    let key = |settings: &Settings| {
        store::order(places, settings, Seed(7), &penname_corpus::review::Review::default()).unwrap().key()
    };
    let before = key(&settings);
    settings.ask.budget_usd = 77.0;
    settings.ask.concurrency = 9;
    assert_eq!(key(&settings), before);
    settings.ask.questions = 1;
    assert_ne!(key(&settings), before);
    settings.ask.questions = 2;
    let row = place.rows("answer")[0].clone();
    let mut other = row;
    other["task"] = json!("another");
    let mut journal = penname_ledger::journal::Journal::open(&folder.join(FILE)).unwrap();
    journal.append(&other).unwrap();
    assert_ne!(key(&settings), before);
    assert!(settings.ask.provider.take().is_some());
    let off = key(&settings);
    assert_ne!(off, before);
    assert_eq!(
        off,
        store::order(
            &dir,
            &Settings {
                compose: settings.compose.clone(),
                dedupe: settings.dedupe.clone(),
                ..Settings::default()
            },
            Seed(7),
            &Default::default()
        )
        .unwrap()
        .key()
    );
}
