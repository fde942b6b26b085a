//! Decisions, from a line of the record to what is learned.

use super::*;
use penname_token::Role;

fn example(document: &str, answer: &str) -> Example {
    let messages = vec![Message::new(Role::User, "Why?"), Message::new(Role::Assistant, answer)];
    Example { id: format!("{document}-{answer}"), document: document.to_owned(), messages }
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
