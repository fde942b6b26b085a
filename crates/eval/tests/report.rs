//! The report as a whole: its text, its bytes, and what must not change them.

use expect_test::expect_file;
use penname_eval::report::{Evidence, Report, Settings, measure};
use penname_eval::{DocumentLoss, Error, Finish, Outcome, Reply, Source, Transcript};
use proptest::prelude::*;

const TRAINING: &[(&str, &str)] = &[
    (
        "1911.txt",
        "The harbour was quiet that winter.\nNobody had told the gulls, who went on arguing about fish.",
    ),
    (
        "1912.txt",
        "I have kept the letter in the blue tin, under the seed packets, where no one thinks to look.",
    ),
];

const ANSWERS: &[&str] = &[
    "Not well. But then, who sleeps well in March?",
    "Sell the boat. You'll miss it, and you'll get over missing it.",
    "I don't know. I never did, and it's late to begin.",
    "Under the seed packets, if you must ask.",
    "Because the gulls told me. They tell everyone.",
    "Bread, a knife, and somebody to be cross with.",
];

fn reply(idx: usize, text: &str, finish: Finish) -> Reply {
    Reply {
        id: format!("q{idx}"),
        document: format!("letters/{idx}.txt"),
        prompt: format!("Question number {idx}?"),
        text: text.to_owned(),
        author: Some(ANSWERS[idx].to_owned()),
        finish,
        n_tokens: 12,
        seed: 7,
        sampler: "temperature 0.7, top-p 0.9".to_owned(),
    }
}

fn base() -> Transcript {
    let text =
        "As an experienced writer, I would say that it depends. # Here are some <b>tips</b>:\n- Relax.";
    let replies = (0..6).map(|idx| reply(idx, text, Finish::Length)).collect();
    Transcript { model: "small-base".to_owned(), replies }
}

fn tuned() -> Transcript {
    let texts = [
        "It is in the blue tin, under the seed packets, where no one thinks to look. Ask the gulls.",
        "Sell it. You won't miss it.",
        "",
        "Who told you? ![pixel](http://example.invalid/x.png)",
        "Because I said so.<|im_end|>",
        "Bread.",
    ];
    let replies = texts.iter().enumerate().map(|(idx, text)| reply(idx, text, Finish::End)).collect();
    Transcript { model: "my-voice".to_owned(), replies }
}

fn losses(nats_per_byte: f64) -> Vec<DocumentLoss> {
    let loss = |idx: u64| DocumentLoss {
        document: format!("letters/{idx}.txt"),
        nats: nats_per_byte * (400 + 10 * idx) as f64 + idx as f64,
        n_tokens: 100 + idx,
        n_bytes: 400 + 20 * idx,
    };
    (0..6).map(loss).collect()
}

fn sources() -> Vec<Source<'static>> {
    TRAINING.iter().map(|&(document, text)| Source { document, text }).collect()
}

fn report(shuffle: impl Fn(usize) -> usize) -> Result<Report, Error> {
    fn reorder<T: Clone>(list: &[T], shuffle: &impl Fn(usize) -> usize) -> Vec<T> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|&idx| shuffle(idx));
        order.into_iter().map(|idx| list[idx].clone()).collect()
    }
    let turned = |transcript: Transcript| Transcript {
        replies: reorder(&transcript.replies, &shuffle),
        model: transcript.model,
    };
    let evidence = Evidence {
        base: &turned(base()),
        tuned: &turned(tuned()),
        base_losses: &reorder(&losses(0.9), &shuffle),
        tuned_losses: &reorder(&losses(0.8), &shuffle),
        training: &reorder(&sources(), &shuffle),
    };
    measure(&evidence, &Settings::default())
}

#[test]
fn the_page() {
    let report = report(|idx| idx).unwrap();
    expect_file!["snapshot/report.md"].assert_eq(&report.to_markdown());
    assert_eq!(report.verdict.outcome(), Outcome::NotMet);
}

#[test]
fn the_file() {
    let report = report(|idx| idx).unwrap();
    let json = report.to_json().unwrap();
    expect_file!["snapshot/report.json"].assert_eq(&json);
    assert_eq!(Report::from_json(&json).unwrap(), report);
    let newer = json.replacen("\"schema\": 1", "\"schema\": 2", 1);
    assert!(matches!(Report::from_json(&newer), Err(Error::Schema { found: 2, expected: 1 })));
}

#[test]
fn the_screen() {
    let summary = report(|idx| idx).unwrap().summary();
    expect_file!["snapshot/summary.json"]
        .assert_eq(&(serde_json::to_string_pretty(&summary).unwrap() + "\n"));
}

#[test]
fn with_nothing_to_measure_the_report_says_so() {
    let empty = Transcript { model: "none".to_owned(), replies: Vec::new() };
    let evidence =
        Evidence { base: &empty, tuned: &empty, base_losses: &[], tuned_losses: &[], training: &[] };
    let report = measure(&evidence, &Settings::default()).unwrap();
    assert_eq!(report.verdict.outcome(), Outcome::Undecided);
    assert!(report.verdict.claims.iter().all(|claim| claim.outcome == Outcome::Undecided));
    expect_file!["snapshot/empty.md"].assert_eq(&report.to_markdown());
    assert_eq!(Report::from_json(&report.to_json().unwrap()).unwrap(), report);
}

#[test]
fn empty_replies_stay_in_every_table() {
    let report = report(|idx| idx).unwrap();
    let words = report.rhythm.words_per_reply.tuned.unwrap();
    // 19 + 5 + 0 + 8 + 5 + 1 words: the empty reply is one of six.
    assert_eq!(words.value, 38.0 / 6.0);
    assert!((report.breakage.empty.tuned.unwrap().value - 100.0 / 6.0).abs() < 1e-12);
    assert_eq!(report.copying.unwrap().longest.tuned.unwrap().n_documents, 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn order_does_not_matter(factor in 1_usize..500) {
        let turned = report(|idx| (idx + 1) * factor % 7).unwrap();
        let straight = report(|idx| idx).unwrap();
        prop_assert_eq!(turned.to_json().unwrap(), straight.to_json().unwrap());
        prop_assert_eq!(turned.to_markdown(), straight.to_markdown());
    }
}
