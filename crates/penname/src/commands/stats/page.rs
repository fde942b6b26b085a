//! The numbers of a corpus as one HTML file with pictures, to be looked at or sent along.

use std::collections::BTreeMap;

use penname_corpus::stats::{Part, Rule, Spread, Stats};

use super::called;
use crate::screen::number;
use crate::screen::paper::{Bar, Paper, columns, rows, shares};

/// Rows of a picture; what is smaller is one row together.
const ROWS: usize = 14;
/// Columns over time; neighbours are added up where there are more.
const COLUMNS: usize = 60;

/// The file. Of several sources each has its own line where parts are compared.
pub(super) fn html(voice: &str, stats: &Stats) -> String {
    let all = &stats.all;
    let about = format!(
        "{} in {}, {} of the voice; {} characters given, every one accounted for.",
        number::of(all.read.documents as u64, "document", "documents"),
        number::of(all.files as u64, "file", "files"),
        number::of(all.read.voice_words, "word", "words"),
        number::count(stats.given)
    );
    let mut paper = Paper::new(&format!("The writing of {voice}"), &about);
    account(&mut paper, stats);
    splits(&mut paper, all);
    lengths(&mut paper, all);
    time(&mut paper, all);
    sources(&mut paper, stats);
    lost(&mut paper, all);
    rules(
        &mut paper,
        "Cut by rule",
        "Characters each cleaner took, so that nothing is learned that nobody wrote.",
        &stats.cuts,
    );
    let about =
        "Characters that cleaners would take which may be the author's manner, and were not asked to.";
    rules(&mut paper, "Left, because it may be the voice", about, &stats.would);
    received(&mut paper, all);
    let about = "What may be done with the documents that are used, as far as somebody said.";
    counted(&mut paper, "Rights", about, &all.rights);
    let found = stats.issues.iter().map(|(code, found)| (code.replace('_', " "), found.n)).collect();
    counted(&mut paper, "Findings", "What was odd about files and records, by sort.", &found);
    paper.html()
}

fn account(paper: &mut Paper, stats: &Stats) {
    let bar = |line: &penname_corpus::stats::Line| {
        let told = format!("{}, {}", number::signed(line.chars), number::percent(line.percent));
        Bar::new(&line.what, line.chars.max(0) as f64, &told)
    };
    let mut bars: Vec<Bar> = stats.account.iter().map(bar).collect();
    bars.retain(|bar| !bar.is_empty());
    let bars = fewest(bars);
    paper.plot(
        "Where every character went",
        "Of the characters that were given, and that cleaning wrote in.",
        &bars,
        shares,
    );
}

fn splits(paper: &mut Paper, all: &Part) {
    let heads = ["", "documents", "examples", "characters", "of the voice", "words"];
    let line = |(what, amount): (&str, &penname_corpus::stats::Amount)| {
        let numbers = [
            amount.documents as u64,
            amount.examples as u64,
            amount.chars,
            amount.voice_chars,
            amount.voice_words,
        ];
        std::iter::once(what.to_owned()).chain(numbers.map(number::count)).collect()
    };
    let lines: Vec<Vec<String>> = [
        ("learned", &all.train),
        ("held out for measuring", &all.held_out),
        ("dropped", &all.dropped),
        ("read", &all.read),
    ]
    .map(line)
    .to_vec();
    paper.table("Splits", "What is learned, and what is kept apart to measure by.", &heads, &lines);
}

fn lengths(paper: &mut Paper, all: &Part) {
    spread(paper, "Length of a document", "words of the voice", &all.lengths);
    if all.turns.most > 2 {
        spread(paper, "Turns of a dialogue", "turns", &all.turns);
    }
}

fn spread(paper: &mut Paper, title: &str, unit: &str, of: &Spread) {
    if of.n == 0 {
        return;
    }
    let about = format!(
        "{} to {} {unit}; half of them {} to {}, the middle one {}. A column holds numbers up to twice those before it.",
        number::signed(of.least),
        number::signed(of.most),
        number::signed(of.quarter),
        number::signed(of.three_quarters),
        number::signed(of.median)
    );
    let bar = |bar: &penname_corpus::stats::Bar| {
        let last = bar.to.saturating_sub(1);
        let name = match last <= bar.from {
            true => number::signed(bar.from),
            false => format!("{}–{}", number::signed(bar.from), number::signed(last)),
        };
        Bar::new(&name, bar.n as f64, &number::count(bar.n as u64))
    };
    let bars: Vec<Bar> = of.bars.iter().map(bar).collect();
    paper.plot(title, &about, &bars, columns);
}

fn time(paper: &mut Paper, all: &Part) {
    let (Some(first), Some(last)) = (&all.time.first, &all.time.last) else { return };
    let each = all.time.periods.len().div_ceil(COLUMNS).max(1);
    let column = |periods: &[penname_corpus::stats::Period]| {
        let n: usize = periods.iter().map(|period| period.n).sum();
        let name = periods.first().map_or("", |period| period.name.as_str());
        Bar::new(name, n as f64, &number::count(n as u64))
    };
    let bars: Vec<Bar> = all.time.periods.chunks(each).map(column).collect();
    let undated = match all.time.undated {
        0 => String::new(),
        n => format!("; {} without a date", number::of(n as u64, "document", "documents")),
    };
    let day = |at: &str| at.split('T').next().unwrap_or(at).to_owned();
    let about = format!("Documents that are used, from {} to {}{undated}.", day(first), day(last));
    paper.plot("Over time", &about, &bars, columns);
}

fn sources(paper: &mut Paper, stats: &Stats) {
    if stats.sources.len() > 1 {
        let bar = |(name, part): (&String, &Part)| {
            let words = part.train.voice_words + part.held_out.voice_words;
            let told = format!(
                "{} of {}",
                number::of(words, "word", "words"),
                number::of(part.read.documents as u64, "document", "documents")
            );
            Bar::new(name, words as f64, &told)
        };
        let bars = fewest(sorted(stats.sources.iter().map(bar).collect()));
        paper.plot("Sources", "Words of the voice that are used, and documents that were read.", &bars, rows);
    }
    counted(paper, "Kinds", "Documents that are used, by what sort of thing they are.", &stats.all.kinds);
}

fn lost(paper: &mut Paper, all: &Part) {
    let n = number::of(all.rejected as u64, "document", "documents");
    let about = format!("{n} were rejected. All rules are asked, so one document may stand in several rows.");
    counted(paper, "Rejected by rule", &about, &all.reasons);
    counted(paper, "Duplicates", "Documents dropped because another like them is kept.", &all.duplicates);
    counted(paper, "Dropped for other reasons", "Documents.", &all.others);
}

fn rules(paper: &mut Paper, title: &str, about: &str, rules: &[Rule]) {
    let bar = |rule: &Rule| {
        let told = format!("{} in {}", number::count(rule.chars), number::of(rule.times, "place", "places"));
        Bar::new(&rule.rule, rule.chars as f64, &told)
    };
    paper.plot(title, about, &fewest(sorted(rules.iter().map(bar).collect())), rows);
}

fn received(paper: &mut Paper, all: &Part) {
    for (name, of) in &all.engagement {
        let name = called(name);
        spread(paper, &format!("How it was received: {name}"), &name, of);
    }
}

fn counted(paper: &mut Paper, title: &str, about: &str, list: &BTreeMap<String, usize>) {
    let bar = |(name, n): (&String, &usize)| Bar::new(name, *n as f64, &number::count(*n as u64));
    paper.plot(title, about, &fewest(sorted(list.iter().map(bar).collect())), rows);
}

/// The longest first.
fn sorted(mut bars: Vec<Bar>) -> Vec<Bar> {
    bars.sort_by(Bar::longer);
    bars
}

/// As many as a picture bears, the rest in one.
fn fewest(mut bars: Vec<Bar>) -> Vec<Bar> {
    if bars.len() > ROWS {
        let rest = bars.split_off(ROWS - 1);
        bars.push(Bar::together(&format!("{} more", rest.len()), &rest));
    }
    bars
}
