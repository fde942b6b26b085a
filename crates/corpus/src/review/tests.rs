//! Decisions, from a line of the record to what is learned.

use super::*;
use penname_token::Role;

fn example(document: &str, answer: &str) -> Example {
    let messages = vec![Message::new(Role::User, "Why?"), Message::new(Role::Assistant, answer)];
    Example {
        id: format!("{document}-{answer}"),
        document: document.to_owned(),
        messages,
        ..Example::default()
    }
}

fn made(examples: &[Example]) -> Made {
    let voice = examples.iter().map(|example| example.trained_chars() as u64).sum();
    Made { examples: examples.to_vec(), voice, prompt: 4 * examples.len() as u64, ..Made::default() }
}

#[test]
fn what_was_decided_is_read_again_and_applied() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, three] = ["Because.", "Never mind.", "Ask again."].map(|answer| example("d", answer));
    let mut desk = Desk::open(dir.path(), Some("ada".to_owned())).unwrap();
    desk.decide(&one, 0, Verdict::Keep, Vec::new()).unwrap();
    desk.decide(&two, 1, Verdict::Drop, vec!["poor".to_owned()]).unwrap();
    let mut changed = three.messages.clone();
    changed[1].content = "Ask me again.".to_owned();
    desk.decide(&three, 2, Verdict::Edit { messages: changed.clone() }, Vec::new()).unwrap();

    let review = Review::read(dir.path()).unwrap();
    assert_eq!(&review, desk.review());
    let mut of_document = made(&[one.clone(), two, three.clone()]);
    review.apply(&mut of_document);
    assert_eq!(of_document.examples.len(), 2);
    assert_eq!(of_document.examples[0], one);
    assert_eq!(of_document.examples[1].messages, changed);
    assert_ne!(of_document.examples[1].id, three.id);
    assert_eq!((of_document.voice, of_document.prompt), (21, 12));
    assert_eq!(of_document.tally.dropped.get(DROPPED), Some(&11));
    assert_eq!(of_document.tally.added, 3);
}

#[test]
fn undoing_brings_back_what_was_before() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    let mut desk = Desk::open(dir.path(), None).unwrap();
    assert_eq!(desk.undo().unwrap(), None);
    desk.decide(&one, 0, Verdict::Keep, Vec::new()).unwrap();
    let kept = desk.review().clone();
    desk.decide(&one, 0, Verdict::Drop, Vec::new()).unwrap();
    assert_ne!(desk.review().digest(), kept.digest());
    assert_eq!(desk.undo().unwrap().unwrap().verdict, Verdict::Drop);
    assert_eq!(desk.review().digest(), kept.digest());
    assert!(matches!(desk.review().standing(&one, 0), Standing::Decided(d) if d.verdict == Verdict::Keep));
    desk.undo().unwrap();
    assert_eq!((desk.review().len(), desk.review().digest()), (0, None));
    assert_eq!(Review::read(dir.path()).unwrap().standing(&one, 0), Standing::Open);
}

#[test]
fn other_words_at_the_same_place_make_it_stale() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (example("d", "Becuase."), example("d", "Because."));
    let mut desk = Desk::open(dir.path(), None).unwrap();
    desk.decide(&before, 0, Verdict::Drop, Vec::new()).unwrap();
    assert!(matches!(desk.review().standing(&after, 0), Standing::Stale(d) if d.example == before.id));
    assert_eq!(desk.review().standing(&after, 1), Standing::Open);
    let mut of_document = made(std::slice::from_ref(&after));
    desk.review().apply(&mut of_document);
    assert_eq!(of_document.examples, [after]);
}

#[test]
fn a_document_whose_examples_are_all_dropped_asks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    let mut desk = Desk::open(dir.path(), None).unwrap();
    desk.decide(&one, 0, Verdict::Drop, Vec::new()).unwrap();
    let mut of_document = made(std::slice::from_ref(&one));
    desk.review().apply(&mut of_document);
    assert_eq!((of_document.voice, of_document.prompt), (0, 0));
    assert_eq!(of_document.tally.dropped.get(DROPPED), Some(&12));
}

#[test]
fn a_change_that_cannot_be_learned_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    let mut desk = Desk::open(dir.path(), None).unwrap();
    let mut refused = |change: &dyn Fn(&mut Vec<Message>), flags: &[&str]| {
        let mut messages = one.messages.clone();
        change(&mut messages);
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        desk.decide(&one, 0, Verdict::Edit { messages }, flags).unwrap_err().to_string()
    };
    assert!(refused(&|messages| messages[1].content = "  ".to_owned(), &[]).contains("leaves a turn empty"));
    assert!(refused(&|messages| messages.truncate(1), &[]).contains("1 turns"));
    assert!(refused(&|messages| messages[0].role = Role::Assistant, &[]).contains("other roles"));
    assert!(refused(&|_| {}, &["dull"]).contains("`dull` is no flag, expected off topic"));
    assert!(Review::read(dir.path()).unwrap().is_empty());
}

#[test]
fn a_torn_or_strange_line_is_counted_and_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    Desk::open(dir.path(), None).unwrap().decide(&one, 0, Verdict::Drop, Vec::new()).unwrap();
    let path = dir.path().join(FILE);
    let mut lines = std::fs::read_to_string(&path).unwrap();
    lines.insert_str(0, "{\"example\": 3}\n");
    lines.push_str("{\"example\": \"half");
    penname_ledger::write::bytes(&path, lines.as_bytes()).unwrap();
    let review = Review::read(dir.path()).unwrap();
    assert_eq!((review.len(), review.n_unreadable), (1, 2));
    // Opening it to go on cuts the torn line off.
    let desk = Desk::open(dir.path(), None).unwrap();
    assert_eq!((desk.review().len(), desk.review().n_unreadable), (1, 1));
}

#[test]
fn a_desk_has_the_record_alone() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(dir.path(), None).unwrap();
    let second = Desk::open(dir.path(), None).unwrap_err();
    assert!(matches!(second, Error::Ledger(penname_ledger::Error::Held { .. })), "{second}");
    drop(desk);
    Desk::open(dir.path(), None).unwrap();
}

#[test]
fn each_reviewer_decides_and_undoes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    let mut ada = Desk::open(dir.path(), Some(" ada ".to_owned())).unwrap();
    ada.decide(&one, 0, Verdict::Keep, Vec::new()).unwrap();
    drop(ada);
    let mut ben = Desk::open(dir.path(), Some("ben".to_owned())).unwrap();
    assert_eq!(ben.review().standing_for(&one, 0, ben.reviewer()), Standing::Open);
    assert_eq!(ben.undo().unwrap(), None);
    ben.decide(&one, 0, Verdict::Drop, Vec::new()).unwrap();
    assert_eq!(ben.review().revision(&one.id), 2);
    let others: Vec<_> = ben.review().others(&one.id, Some("ben")).into_iter().map(|d| &d.verdict).collect();
    assert_eq!(others, [&Verdict::Keep]);
    // The last decision counts, whoever took it; of both, both are known.
    assert!(matches!(ben.review().standing(&one, 0), Standing::Decided(d) if d.verdict == Verdict::Drop));
    let found = agree::agreement(ben.review());
    assert_eq!(
        (found[0].one.as_str(), found[0].other.as_str(), found[0].both, found[0].alike),
        ("ada", "ben", 1, 0)
    );
    drop(ben);
    let mut ada = Desk::open(dir.path(), Some("ada".to_owned())).unwrap();
    assert_eq!(ada.undo().unwrap().unwrap().reviewer.as_deref(), Some("ada"));
    assert!(matches!(ada.review().standing(&one, 0), Standing::Decided(d) if d.verdict == Verdict::Drop));
    assert_eq!(&Review::read(dir.path()).unwrap(), ada.review());
}

#[test]
fn whoever_has_no_name_undoes_what_was_last() {
    let dir = tempfile::tempdir().unwrap();
    let one = example("d", "Because.");
    Desk::open(dir.path(), None).unwrap().decide(&one, 0, Verdict::Keep, Vec::new()).unwrap();
    let mut ada = Desk::open(dir.path(), Some("ada".to_owned())).unwrap();
    ada.decide(&one, 0, Verdict::Drop, Vec::new()).unwrap();
    drop(ada);
    let mut desk = Desk::open(dir.path(), None).unwrap();
    assert_eq!(desk.undo().unwrap().unwrap().verdict, Verdict::Drop);
    assert!(matches!(desk.review().standing(&one, 0), Standing::Decided(d) if d.verdict == Verdict::Keep));
    assert_eq!(&Review::read(dir.path()).unwrap(), desk.review());
}

/// Documents of two sources and two kinds, some held out, one of them marked.
fn corpus() -> Vec<Document> {
    use crate::document::{Body, Kind};
    let document = |n: usize| {
        let text =
            format!("Kettle {n} sings on the hob, and nobody listens to {}it.", "all of ".repeat(n % 5));
        let kind = if n.is_multiple_of(2) { Kind::Post } else { Kind::Text };
        let mut document = Document::new(&format!("{n:02}.txt"), 0, kind, None, Body::Text(text));
        if n.is_multiple_of(4) {
            document.come_from("blog");
        }
        if n.is_multiple_of(5) {
            document.fate = Fate::HeldOut;
        }
        if n == 7 {
            document.flags.push("personal data: email".to_owned());
        }
        document
    };
    (0..20).map(document).collect()
}

#[test]
fn what_is_wanted_is_found_and_ordered() {
    use super::select::{Plan, Show, Sort, Wish, select};
    let documents = corpus();
    let catalogue = Catalogue::new(items(&documents, &Settings::default(), &Questions::default()));
    assert_eq!(catalogue.items().len(), 20);
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), None).unwrap();
    for (n, verdict) in [(0, Verdict::Keep), (1, Verdict::Drop)] {
        let item = &catalogue.items()[n];
        desk.decide(&item.example, item.place, verdict, vec!["poor".to_owned()]).unwrap();
    }
    let find = |wish: &Wish| select(&catalogue, desk.review(), None, wish);
    let all = Wish { show: Show::All, ..Wish::default() };
    assert_eq!(find(&Wish::default()), (2..20).collect::<Vec<_>>());
    assert_eq!(find(&Wish { show: Show::Kept, ..all.clone() }), [0]);
    assert_eq!(find(&Wish { show: Show::Dropped, mark: "poor".into(), ..all.clone() }), [1]);
    assert_eq!(find(&Wish { mark: "personal data: email".into(), ..all.clone() }), [7]);
    assert_eq!(find(&Wish { source: "blog".into(), split: "held out".into(), ..all.clone() }), [0]);
    assert_eq!(find(&Wish { text: "KETTLE 13".into(), ..all.clone() }), [13]);
    assert_eq!(find(&Wish { plan: Plan::Marked, ..all.clone() }), [7]);
    assert_eq!(find(&Wish { plan: Plan::Spread(4), ..all.clone() }), [0, 5, 10, 15]);
    assert_eq!(find(&Wish { sort: Sort::Risk, ..all.clone() })[0], 7);
    assert_eq!(find(&Wish { sort: Sort::Longest, ..all.clone() })[0] % 5, 4);
    let mut mixed = find(&Wish { sort: Sort::Mixed, ..all.clone() });
    assert_ne!(mixed, (0..20).collect::<Vec<_>>());
    mixed.sort_unstable();
    assert_eq!(mixed, (0..20).collect::<Vec<_>>());
    let facets = catalogue.facets();
    assert_eq!((facets.sources["blog"], facets.kinds["post"], facets.splits["held out"]), (5, 10, 4));
}

#[test]
fn a_sample_has_every_sort_in_proportion_and_stays_the_same() {
    use super::select::{Plan, Show, Wish, select};
    let documents = corpus();
    let catalogue = Catalogue::new(items(&documents, &Settings::default(), &Questions::default()));
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), None).unwrap();
    let wish = Wish { plan: Plan::Stratified(10), show: Show::All, ..Wish::default() };
    let sample = select(&catalogue, desk.review(), None, &wish);
    assert_eq!(sample.len(), 10);
    let n_of = |is: &dyn Fn(&Sheet) -> bool| sample.iter().filter(|n| is(&catalogue.sheets()[**n])).count();
    assert_eq!(n_of(&|sheet| sheet.kind == crate::document::Kind::Post), 5);
    assert!(
        (1..=3).contains(&n_of(&|sheet| sheet.is_held_out))
            && (2..=3).contains(&n_of(&|sheet| sheet.source == "blog"))
    );
    let item = &catalogue.items()[sample[3]];
    desk.decide(&item.example, item.place, Verdict::Keep, Vec::new()).unwrap();
    let left = select(&catalogue, desk.review(), None, &Wish { show: Show::Open, ..wish });
    assert_eq!(left.len(), 9);
    assert!(left.iter().all(|n| sample.contains(n)));
}

#[test]
fn what_was_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let raw = "Q: Why does _my_ kettle sing?\n\nA: It is the steam\u{200b}, dear friend, and the &amp; of it all.\n";
    penname_ledger::write::bytes(&path, raw.as_bytes()).unwrap();
    let settings = Settings::default();
    let place = dir.path().to_owned();
    let prepared =
        crate::prepare(&place, &settings, penname_ledger::Seed(0), &penname_ledger::event::Silent).unwrap();
    let catalogue = items(&prepared.documents, &settings, &Questions::default());
    let answer = catalogue[0].example.messages.last().unwrap().content.clone();
    assert_eq!(answer, "It is the steam, dear friend, and the & of it all.");
    let raw = raw::Raw::new(crate::collect::Places::from(&place), &settings);
    let beside = raw.beside(catalogue[0].document, &[&answer, "never said"]).unwrap();
    let cut = |change: raw::Change| -> String {
        let pieces = beside[0].as_ref().unwrap().iter().filter(|(this, _)| *this == change);
        pieces.map(|(_, text)| text.trim()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(cut(raw::Change::Cut), "steam\u{200b},|&amp;");
    assert_eq!(cut(raw::Change::Added), "steam,|&");
    assert_eq!(beside[1], None);
}
