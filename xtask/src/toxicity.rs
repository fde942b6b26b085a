//! Makes a model of toxic words from labelled examples, for `corpus.validate.toxicity`.
//!
//! None is shipped: whose labels a corpus is judged by is for its owner to choose.

use std::path::{Path, PathBuf};

use penname_corpus::validate::linear::Linear;
use penname_ledger::write;

use crate::Result;
use crate::screen::say;

/// What is learned from.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A CSV file with a line of names.
    #[arg(long, value_name = "FILE")]
    labelled: PathBuf,
    /// Where the model goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Another such file, to measure on.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// The column with the words.
    #[arg(long, default_value = "text")]
    text: String,
    /// The column with 1 for toxic and 0 for not.
    #[arg(long, default_value = "toxic")]
    label: String,
    /// The logarithm of the number of weights.
    #[arg(long, default_value_t = 16)]
    bits: u32,
}

/// Learns, writes, and says how well it does.
pub(crate) fn run(options: &Options) -> Result<()> {
    let examples = read(options, &options.labelled)?;
    let n_toxic = examples.iter().filter(|(_, label)| *label).count();
    if n_toxic == 0 || n_toxic == examples.len() {
        return Err(
            format!("{n_toxic} of {} examples are toxic; both sorts are needed", examples.len()).into()
        );
    }
    let name = options.out.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let model = Linear::learn(&name, options.bits, &examples);
    write::bytes(&options.out, &model.to_bytes())?;
    say(&format!("{} of {} examples are toxic; {}", n_toxic, examples.len(), model.digest()));
    if let Some(test) = &options.test {
        let scored: Vec<(f64, bool)> =
            read(options, test)?.into_iter().map(|(text, label)| (model.score(&text), label)).collect();
        say(&measured(&scored));
    }
    Ok(())
}

fn read(options: &Options, path: &Path) -> Result<Vec<(String, bool)>> {
    let mut table = csv::Reader::from_path(path)?;
    let names = table.headers()?.clone();
    let column = |name: &str| {
        let found = names.iter().position(|known| known == name);
        found.ok_or_else(|| format!("`{}` has no column `{name}`", path.display()))
    };
    let (text, label) = (column(&options.text)?, column(&options.label)?);
    let mut examples = Vec::new();
    for row in table.records() {
        let row = row?;
        let field = |at: usize| row.get(at).unwrap_or_default();
        // Labels that are neither, such as -1 for "not judged", say nothing.
        match field(label).trim() {
            "1" | "true" => examples.push((field(text).to_owned(), true)),
            "0" | "false" => examples.push((field(text).to_owned(), false)),
            _ => {}
        }
    }
    Ok(examples)
}

/// The share of pairs that are in the right order, and what a bar of a half would do.
fn measured(scored: &[(f64, bool)]) -> String {
    let of = |label: bool| scored.iter().filter(move |(_, l)| *l == label).map(|(score, _)| *score);
    let (n_toxic, n_fine) = (of(true).count(), of(false).count());
    let wins: f64 = of(true).flat_map(|toxic| of(false).map(move |fine| win(toxic, fine))).sum();
    let (hits, alarms) = (of(true).filter(|s| *s >= 0.5).count(), of(false).filter(|s| *s >= 0.5).count());
    format!(
        "measured on {n_toxic} toxic and {n_fine} others: in order {:.3}; at 0.5 it finds {hits} and is wrong about {alarms}",
        wins / (n_toxic * n_fine).max(1) as f64
    )
}

fn win(toxic: f64, fine: f64) -> f64 {
    match toxic.total_cmp(&fine) {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::measured;

    #[test]
    fn order_is_counted_by_pairs() {
        let scored = [(0.9, true), (0.4, true), (0.4, false), (0.1, false)];
        assert_eq!(
            measured(&scored),
            "measured on 2 toxic and 2 others: in order 0.875; at 0.5 it finds 1 and is wrong about 0"
        );
    }
}
