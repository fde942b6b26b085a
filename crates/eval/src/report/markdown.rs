//! `report.md`: the report for a person, from the finding down to the method.

use super::page::{Page, clip, escape};
use super::summary::{Row, headline, power};
use super::{Example, Report};
use crate::Finish;
use crate::gate::Outcome;
use crate::metric::copying::{Copying, Passage, Surroundings};
use crate::metric::{self, Family};
use crate::number::count;

/// Characters of a copied passage that a table cell shows.
const PASSAGE_CHARS: usize = 600;

/// Sampling seeds listed before the rest is only counted.
const SEEDS_SHOWN: usize = 5;

/// What no number in the report can say.
const LIMITS: &[&str] = &[
    "Predicting unseen writing better is evidence that a voice was learned, not proof that a reader would take \
     the replies for the author's.",
    "Intervals are 95 % each and speak of other documents like those held out. They do not cover another \
     training run, another sampler or other subjects.",
    "Only word-for-word copies of the training text given are found; paraphrase is not, nor is what the base \
     model learned elsewhere.",
    "Words and sentences are found by Unicode's rules, contractions by English ones; the counts describe and \
     decide nothing.",
];

pub(super) fn write(report: &Report) -> String {
    let mut page = Page::default();
    page.heading(1, &format!("{} beside {}", escape(&report.tuned), escape(&report.base)));
    page.paragraph(&escape(&headline(report)));
    claims(&mut page, report);
    let rows = report.summary().rows;
    for family in metric::ALL {
        section(&mut page, report, family, &rows);
    }
    examples(&mut page, &report.examples, report);
    page.heading(2, "What this test set can show");
    match power(report) {
        lines if lines.is_empty() => page.paragraph("Nothing: it holds no document."),
        lines => page.list(lines),
    }
    method(&mut page, report);
    page.heading(2, "Limits");
    page.list(LIMITS.iter().map(ToString::to_string));
    page.finish()
}

fn claims(page: &mut Page, report: &Report) {
    page.heading(2, "Claims");
    let head = ["Claim", "Outcome", "Found", "Expected", "Rests on"].map(str::to_owned);
    let rows = report.verdict.claims.iter().map(|claim| {
        let evidence = if claim.evidence.is_empty() { "-" } else { &claim.evidence };
        [&claim.name, claim.outcome.label(), &claim.found, &claim.expected, evidence].map(escape)
    });
    page.table(std::iter::once(head).chain(rows));
    let open = report.verdict.claims.iter().filter(|claim| claim.outcome != Outcome::Met);
    page.list(open.map(|claim| {
        format!("{}, if it does not hold: {}", escape(&claim.name), escape(&claim.consequence))
    }));
}

fn section(page: &mut Page, report: &Report, family: &Family, rows: &[Row]) {
    let mut rows = rows.iter().filter(|row| row.family == family.name).peekable();
    page.heading(2, family.question);
    if rows.peek().is_none() {
        page.paragraph("Not measured: nothing was given to measure it on.");
        return;
    }
    let head = ["", "Author", "Base", "Tuned", "Tuned minus base", "Unit"].map(str::to_owned);
    let cells = rows.map(|row| {
        let cells = row.cells();
        [row.label.to_owned(), cells.author, cells.base, cells.tuned, cells.difference, row.unit.to_owned()]
    });
    page.table(std::iter::once(head).chain(cells));
    match family.name {
        "prediction" => effect(page, report),
        "copying" => report.copying.iter().for_each(|copying| passages(page, copying)),
        _ => {}
    }
}

fn effect(page: &mut Page, report: &Report) {
    if let Some(effect) = report.bits.as_ref().and_then(|bits| bits.effect) {
        page.paragraph(&format!(
            "Standardised by its variation between documents, the change in bits per byte is {} (0.2 is small, \
             0.5 medium, 0.8 large).",
            crate::number::signed(effect.standardised, 2)
        ));
    }
}

fn passages(page: &mut Page, copying: &Copying) {
    let found = [("Tuned", &copying.tuned), ("Base", &copying.base), ("Author", &copying.author)];
    for (who, passage) in found {
        let Some(passage) = passage else { continue };
        page.paragraph(&format!(
            "{who}, longest copy: {}, question {} of {} (seed {}); training document {}, character {}.",
            count(passage.n_chars, "character"),
            escape(&passage.id),
            escape(&passage.document),
            passage.seed,
            escape(&passage.source_document),
            passage.source_char_idx
        ));
        let sides = [&passage.reply, &passage.source].map(|around| in_place(passage, around));
        page.table([["In the reply", "In the training text"].map(str::to_owned), sides]);
    }
}

/// The passage in bold between its surroundings.
fn in_place(passage: &Passage, around: &Surroundings) -> String {
    let text = escape(clip(&passage.text, PASSAGE_CHARS).trim());
    // Bold must not touch a space on its inner side, so that of the passage stands outside.
    let gap = |is_space: bool| if is_space { " " } else { "" };
    format!(
        "{}{}**{text}**{}{}",
        escape(&around.before),
        gap(passage.text.starts_with(' ')),
        gap(passage.text.ends_with(' ')),
        escape(&around.after)
    )
}

fn examples(page: &mut Page, examples: &[Example], report: &Report) {
    page.heading(2, "Before and after");
    if examples.is_empty() {
        return page.paragraph("No replies to show.");
    }
    page.paragraph(&format!(
        "{}, drawn by lot (seed {}), not picked.",
        count(examples.len(), "held-out question"),
        report.method.settings.resampling.seed
    ));
    for example in examples {
        page.heading(3, &format!("{}, {}", escape(&example.document), escape(&example.id)));
        text(page, "Question", &example.prompt, None);
        text(page, &escape(&report.base), &example.base, Some(example.base_finish));
        text(page, &escape(&report.tuned), &example.tuned, Some(example.tuned_finish));
        match &example.author {
            Some(author) => text(page, "The author", author, None),
            None => page.paragraph("The author's own answer is not known."),
        }
    }
}

fn text(page: &mut Page, who: &str, text: &str, finish: Option<Finish>) {
    let ending = if finish == Some(Finish::Length) { " (cut off by the length limit)" } else { "" };
    if text.trim().is_empty() {
        return page.paragraph(&format!("{who}{ending}: nothing."));
    }
    page.paragraph(&format!("{who}{ending}:"));
    page.quote(text);
}

fn method(page: &mut Page, report: &Report) {
    page.heading(2, "How it was measured");
    let method = &report.method;
    let settings = &method.settings;
    page.list([
        format!(
            "{} by each model to questions from {}; {} with the author's own answer.",
            count(method.n_pairs, "reply"),
            count(method.n_documents, "document"),
            count(method.n_author, "reply")
        ),
        format!("Sampler: {}.", some(&escape(&method.samplers.join("; ")))),
        format!("Sampling seeds: {}.", some(&seeds(&method.seeds))),
        format!(
            "Intervals: 95 %, from {} resamples of whole documents (seed {}), widened for few documents; for shares \
             of replies, score intervals on the number of documents.",
            settings.resampling.n_resamples, settings.resampling.seed
        ),
        format!(
            "A copy counts from {}; {} shared with the prompt are a quote.",
            count(settings.threshold.min_chars, "character"),
            count(settings.threshold.quote_chars, "character")
        ),
        "No interval is given where documents are too few, or where all gave the same value.".to_owned(),
    ]);
    page.heading(3, "Definitions");
    let measures = metric::ALL.iter().flat_map(|family| family.measures);
    page.list(measures.map(|measure| format!("{}: {}", measure.label, measure.definition)));
}

fn seeds(seeds: &[u64]) -> String {
    let shown: Vec<String> = seeds.iter().take(SEEDS_SHOWN).map(u64::to_string).collect();
    match seeds.len().saturating_sub(SEEDS_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn some(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
