//! `penname stats`: what the prepared writing is, in numbers.

mod page;

use std::collections::BTreeMap;
use std::path::PathBuf;

use penname_corpus::stats::{Amount, Part, Rule, Spread, Stats};

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::{Align, Ink, Paint, Table, harmless, number, spark};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Numbers of what `penname prepare` made. Lengths are words of the voice; a bar of the little pictures holds
twice as long texts as the one before it.

Examples:
  penname stats
  penname stats --source tweets
  penname stats --html stats.html
  penname stats --json")]
pub(crate) struct Args {
    /// Tell one source alone: `files`, or the id of one of the settings
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Write them with pictures as one HTML file, which asks the network for nothing
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    html: Option<PathBuf>,
}

/// Shows the numbers of the prepared corpus.
///
/// # Errors
/// When nothing was prepared yet, there is no such source, or the file cannot be written.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let stats = Stats::of(&super::show::prepared(desk, &project, &settings)?);
    if let Some(path) = &args.html {
        let voice = settings.voice.name.clone().unwrap_or_else(|| project.name());
        penname_ledger::write::bytes(path, page::html(&voice, &stats).as_bytes())?;
        let told = format!("the numbers are drawn in {}", path.display());
        desk.screen.result("stats", &serde_json::json!({ "html": path }), || harmless(&told));
        return Ok(());
    }
    let paint = desk.screen.paint();
    let Some(name) = &args.source else {
        desk.screen.result("stats", &stats, || whole(&stats, paint));
        return Ok(());
    };
    let part = stats.sources.get(name).ok_or_else(|| {
        let known: Vec<&str> = stats.sources.keys().map(String::as_str).collect();
        Failure::new(Kind::Usage, format!("nothing comes from a source `{name}`"))
            .hint(format!("sources: {}", known.join(", ")))
    })?;
    desk.screen.result("stats", part, || drawn(name, part, paint));
    Ok(())
}

fn whole(stats: &Stats, paint: Paint) -> String {
    let mut text = drawn("all", &stats.all, paint);
    if stats.sources.len() > 1 {
        let parts = stats.sources.iter().map(|(name, part)| "\n".to_owned() + &drawn(name, part, paint));
        text.extend(parts);
    }
    let mut table = Table::new(&[("", Align::Left), ("characters", Align::Right), ("share", Align::Right)]);
    for line in &stats.account {
        table.row([line.what.clone(), number::signed(line.chars), number::percent(line.percent)]);
    }
    let given = number::count(stats.given);
    let title = head(&format!("account of {given} characters"), paint);
    text.extend(["\n", title.as_str(), "\n", table.to_string().as_str()]);
    for (what, rules) in [("cut by rule", &stats.cuts), ("left, because it may be the voice", &stats.would)] {
        text += &cuts(what, rules, paint);
    }
    let issues = stats.issues.iter().map(|(code, found)| (code.replace('_', " "), found.n));
    text + &counts("findings", issues, paint)
}

/// One part: its amounts, then a line for everything there is to say.
fn drawn(name: &str, part: &Part, paint: Paint) -> String {
    let title = format!("{name}: {}", number::of(part.files as u64, "file", "files"));
    let mut text = format!("{}\n{}", head(&harmless(&title), paint), amounts(part));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    let mut spread = |what: &str, of: &Spread| {
        if of.n > 0 {
            let bars: Vec<usize> = of.bars.iter().map(|bar| bar.n).collect();
            table.row([what.to_owned(), spark(&bars), told(of)]);
        }
    };
    spread("words", &part.lengths);
    spread("turns", &part.turns);
    part.engagement.iter().for_each(|(name, of)| spread(&called(name), of));
    if let (Some(first), Some(last)) = (&part.time.first, &part.time.last) {
        let bars: Vec<usize> = part.time.periods.iter().map(|period| period.n).collect();
        let day = |at: &str| at.split('T').next().unwrap_or(at).to_owned();
        let undated = match part.time.undated {
            0 => String::new(),
            n => format!(", {} without a date", number::count(n as u64)),
        };
        table.row(["time".to_owned(), squeezed(&bars), format!("{} to {}{undated}", day(first), day(last))]);
    }
    text += &table.to_string();
    let lists = [
        ("kinds", &part.kinds),
        ("rejected by rule", &part.reasons),
        ("duplicates", &part.duplicates),
        ("dropped for other reasons", &part.others),
        ("rights", &part.rights),
    ];
    text.extend(lists.iter().map(|(what, list)| counts(what, owned(list), paint)));
    text
}

fn amounts(part: &Part) -> String {
    let heads = [
        ("", Align::Left),
        ("documents", Align::Right),
        ("examples", Align::Right),
        ("characters", Align::Right),
        ("of the voice", Align::Right),
        ("words", Align::Right),
    ];
    let mut table = Table::new(&heads);
    let mut row = |what: &str, amount: &Amount| {
        let numbers = [
            amount.documents as u64,
            amount.examples as u64,
            amount.chars,
            amount.voice_chars,
            amount.voice_words,
        ];
        table.row(std::iter::once(what.to_owned()).chain(numbers.map(number::count)));
    };
    row("learned", &part.train);
    row("held out", &part.held_out);
    row("dropped", &part.dropped);
    row("read", &part.read);
    table.to_string()
}

/// The middle and the ends of a spread.
fn told(of: &Spread) -> String {
    let [least, quarter, median, three_quarters, most] =
        [of.least, of.quarter, of.median, of.three_quarters, of.most].map(number::signed);
    format!("{least} to {most}, half of them {quarter} to {three_quarters}, median {median}")
}

fn called(name: &str) -> String {
    match name {
        "delay_s" => "seconds to the reply".to_owned(),
        name => name.to_owned(),
    }
}

/// At most as many bars as fit beside words: neighbours are added up.
fn squeezed(bars: &[usize]) -> String {
    const WIDE: usize = 40;
    let each = bars.len().div_ceil(WIDE).max(1);
    spark(&bars.chunks(each).map(|some| some.iter().sum()).collect::<Vec<usize>>())
}

fn cuts(what: &str, rules: &[Rule], paint: Paint) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let heads = [("", Align::Left), ("places", Align::Right), ("characters", Align::Right)];
    let mut table = Table::new(&heads);
    rules.iter().for_each(|rule| {
        table.row([rule.rule.clone(), number::count(rule.times), number::count(rule.chars)]);
    });
    format!("\n{}\n{table}", head(what, paint))
}

fn owned(list: &BTreeMap<String, usize>) -> impl Iterator<Item = (String, usize)> {
    list.iter().map(|(name, n)| (name.clone(), *n))
}

/// `what  12 this, 3 that`, the largest first; nothing where there is none.
fn counts(what: &str, list: impl Iterator<Item = (String, usize)>, paint: Paint) -> String {
    let mut list: Vec<(String, usize)> = list.collect();
    if list.is_empty() {
        return String::new();
    }
    list.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let told: Vec<String> =
        list.iter().map(|(name, n)| format!("{} {name}", number::count(*n as u64))).collect();
    format!("{}  {}\n", head(what, paint), harmless(&told.join(", ")))
}

fn head(text: &str, paint: Paint) -> String {
    paint.with(Ink::Bold, text)
}
