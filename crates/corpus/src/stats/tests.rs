//! Numbers of a small corpus, counted by hand.

use super::*;
use crate::account::Account;
use crate::document::{Body, Document, Fate, Kind, Reception, Speaker, Turn};
use crate::issue::Code;
use penname_token::{Example, Message, Role};

fn text(path: &str, text: &str, fate: Fate) -> Document {
    let mut document = Document::new(path, 0, Kind::Text, None, Body::Text(text.to_owned()));
    document.fate = fate;
    document
}

fn dropped(why: &str) -> Fate {
    Fate::Dropped(why.to_owned())
}

fn corpus() -> Prepared {
    let mut reply = Document::new(
        "t.json",
        0,
        Kind::Dialogue,
        None,
        Body::Turns(vec![
            Turn { speaker: Speaker::Other, text: "is it wet?".into() },
            Turn { speaker: Speaker::Voice, text: "very wet indeed".into() },
        ]),
    );
    reply.come_from("tweets");
    reply.reception = Some(Reception { score: Some(9), delay_s: Some(-4), ..Reception::default() });
    reply.date = Some("2024-02-01T10:00:00Z".into());
    let documents = vec![
        text("a.txt", "one two three", Fate::Train),
        text("a.txt", "four", Fate::HeldOut),
        text("b.txt", "x", dropped("rejected: length, spam")),
        text("b.txt", "y", dropped("rejected: length")),
        text("c.txt", "four", dropped("exact duplicates")),
        text("c.txt", "", dropped("a reason of its own")),
        reply,
    ];
    let example = |document: &Document| Example {
        id: String::new(),
        document: document.uid.clone(),
        messages: vec![Message::new(Role::Assistant, "x")],
        ..Example::default()
    };
    Prepared {
        train: vec![example(&documents[6]), example(&documents[6])],
        account: Account { given: 50, trained: 50, ..Account::default() },
        issues: vec![
            Issue::new("a", Code::Empty, Severity::Bad, ""),
            Issue::new("b", Code::Empty, Severity::Note, ""),
        ],
        documents,
        ..Prepared::default()
    }
}

#[test]
fn everything_is_counted_once() {
    let stats = Stats::of(&corpus());
    let all = &stats.all;
    assert_eq!((all.files, all.read.documents, all.dropped.documents), (4, 7, 4));
    assert_eq!((all.train.documents, all.train.examples, all.train.voice_words), (2, 2, 6));
    assert_eq!((all.held_out.documents, all.held_out.voice_words), (1, 1));
    assert_eq!((all.train.chars, all.train.voice_chars), (13 + 10 + 15, 13 + 15));
    assert_eq!((all.rejected, all.reasons["length"], all.reasons["spam"]), (2, 2, 1));
    assert_eq!((all.duplicates["exact duplicates"], all.others["a reason of its own"]), (1, 1));
    assert_eq!((all.lengths.n, all.lengths.least, all.lengths.most), (3, 1, 3));
    assert_eq!((all.turns.n, all.turns.median), (1, 2));
    assert_eq!((all.kinds["text"], all.kinds["dialogue"]), (2, 1));
    assert_eq!((all.time.dated, all.time.undated), (1, 2));
    assert_eq!((all.engagement["score"].median, all.engagement["delay_s"].least), (9, -4));
    assert!(!all.engagement.contains_key("views"));
    assert_eq!(all.rights["train local-only, publish unknown"], 3);
    assert_eq!(stats.issues["empty"], Findings { n: 2, bad: 1 });
    assert_eq!((stats.given, stats.account[0].chars), (50, 50));
}

#[test]
fn sources_add_up_to_all() {
    let stats = Stats::of(&corpus());
    assert_eq!(stats.sources.keys().collect::<Vec<_>>(), ["files", "tweets"]);
    let sum = |of: fn(&Part) -> usize| stats.sources.values().map(of).sum::<usize>();
    assert_eq!(sum(|part| part.read.documents), stats.all.read.documents);
    assert_eq!(sum(|part| part.train.examples), stats.all.train.examples);
    assert_eq!(sum(|part| part.lengths.n), stats.all.lengths.n);
    let again: Stats = serde_json::from_str(&serde_json::to_string(&stats).unwrap()).unwrap();
    assert_eq!(again, stats);
}
