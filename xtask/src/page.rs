//! Reference pages, made from the lists the libraries grow by; and in other documents the tables and
//! pictures of speed, made from the records of the bench.

use std::fs;

use penname_corpus::clean::{self, Effect};
use penname_corpus::collect::{fetch, files};
use penname_corpus::validate;
use penname_engine::op::Op;
use penname_eval::metric::{self, Better};
use penname_ledger::write;
use penname_model::{arch, quant};

use crate::bench::ops::roofline;
use crate::bench::peers::speed;
use crate::screen::say;
use crate::{Result, root};

/// The last line of a page.
const MADE: &str = "Made by `cargo xtask gen` from the code.";

/// What is done with the pages.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Change nothing; fail when a page is out of date.
    #[arg(long)]
    pub(crate) check: bool,
}

/// A page: its file, and its text.
struct Page {
    file: &'static str,
    text: String,
}

/// Writes the pages and what is made inside of others, or checks them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut all = pages();
    all.extend(measured()?);
    all.retain(|page| fs::read_to_string(root().join(page.file)).ok().as_ref() != Some(&page.text));
    if options.check && !all.is_empty() {
        let names: Vec<&str> = all.iter().map(|page| page.file).collect();
        return Err(format!("out of date: {}; run `cargo xtask gen`", names.join(", ")).into());
    }
    write::folder(&root().join("docs/reference"))?;
    for page in all {
        write::bytes(&root().join(page.file), page.text.as_bytes())?;
        say(&format!("wrote {}", page.file));
    }
    Ok(())
}

fn pages() -> Vec<Page> {
    vec![
        Page { file: "docs/reference/operations.md", text: operations() },
        Page { file: "docs/reference/formats.md", text: formats() },
        Page { file: "docs/reference/architectures.md", text: architectures() },
        Page { file: "docs/reference/sources.md", text: sources() },
        Page { file: "docs/reference/cleaners.md", text: cleaners() },
        Page { file: "docs/reference/rules.md", text: rules() },
        Page { file: "docs/reference/metrics.md", text: metrics() },
    ]
}

/// Documents that tell how fast it is, with what the newest records say.
fn measured() -> Result<Vec<Page>> {
    let mut all = Vec::new();
    let speed = [("README.md", speed::headlines("")?), ("docs/guide/bench.md", speed::all("../../")?)];
    for (file, table) in speed {
        let text = fs::read_to_string(root().join(file))?;
        let text = with(&text, "speed", &table).map_err(|error| format!("{file}: {error}"))?;
        all.push(Page { file, text });
    }
    let picture = roofline::newest()?;
    all.extend(picture.map(|text| Page { file: "docs/guide/roofline.svg", text }));
    Ok(all)
}

/// The text with something else between the two comments of a name.
fn with(text: &str, name: &str, new: &str) -> Result<String> {
    let [begin, end] = ["begin", "end"].map(|edge| format!("<!-- {name}:{edge} -->"));
    let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("there is no `{begin}` with an `{end}` after it"))?;
    Ok(format!("{before}{begin}\n{new}\n{end}{after}"))
}

/// A page with a heading, words and a table.
fn page(title: &str, about: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let cell = |text: &String| text.replace('|', "\\|");
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(cell).collect::<Vec<_>>().join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let body: String = rows.into_iter().map(|row| line(&row)).collect();
    format!("# {title}\n\n{about}\n\n{}{}{body}\n{MADE}\n", line(&head), line(&rule))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn operations() -> String {
    let rows = Op::ALL.iter().map(|name| vec![code(name)]);
    page(
        "Operations",
        "What a program of the engine is made of. Formula, source and reference of each are in `crates/engine/src/op`.",
        &["name"],
        rows,
    )
}

fn formats() -> String {
    let row = |format: &&quant::Format| {
        let bits = 8.0 * format.block_bytes as f64 / format.block_len as f64;
        let written = if format.can_encode() { "read and written" } else { "read" };
        let cells = [
            format.block_len.to_string(),
            format.block_bytes.to_string(),
            bits.to_string(),
            written.to_owned(),
        ];
        std::iter::once(code(format.name)).chain(cells).collect()
    };
    let head = ["name", "values in a block", "bytes of a block", "bits per value", "here"];
    page(
        "Storage formats",
        "How the numbers of a checkpoint may be stored.",
        &head,
        quant::ALL.iter().map(row),
    )
}

fn architectures() -> String {
    let rows = arch::ALL.iter().map(|architecture| vec![code(architecture.name)]);
    page("Architectures", "The `model_type` of checkpoints that can be loaded.", &["model_type"], rows)
}

fn sources() -> String {
    let row = |format: &files::Format| {
        let needs = if format.needs.is_empty() { "nothing" } else { format.needs };
        vec![code(format.name), format.about.to_owned(), needs.to_owned(), format.yields.to_owned()]
    };
    let about = "What writing may come as. Files are told apart by their content, or by `corpus.format`; \
                 [Where writing comes from](../guide/sources.md) says how to get them.";
    let head = ["name", "what it is", "what must be said", "what it yields"];
    page("Sources", about, &head, files::ALL.iter().map(row)).replace(MADE, &(fetched() + MADE))
}

/// The sources that are reached over the network.
fn fetched() -> String {
    let row = |kind: &fetch::Kind| {
        let every = format!("{} s", kind.every_seconds);
        [&code(kind.name), kind.about, kind.needs, kind.yields, kind.politely, &every]
            .map(str::to_owned)
            .to_vec()
    };
    let about = "What `corpus.sources` may name. Nothing is asked that is not named there; an entry has an `id` and a `kind`, and \
                 may have `limit`, `every_seconds` and `rights`.";
    let head =
        ["kind", "what it is", "what it needs", "what it yields", "how politely", "between two questions"];
    let table = page("", about, &head, fetch::ALL.iter().map(row));
    let keys: String = fetch::SECRETS.iter().map(|(name, opens)| format!("* `{name}`: {opens}\n")).collect();
    let table = table.trim_start_matches("# ").trim_start().replace(MADE, "");
    format!(
        "## Over the network\n\n{table}Keys are read from the environment, and from nowhere else:\n\n{keys}\n"
    )
}

fn cleaners() -> String {
    let row = |cleaner: &clean::Cleaner| {
        let runs = match cleaner.effect {
            Effect::Noise => "by default",
            Effect::Voice => "when asked",
        };
        let kind = match cleaner.effect {
            Effect::Noise => "noise",
            Effect::Voice => "voice",
        };
        let profiles = clean::profile::ALL.iter().filter(|profile| profile.enables.contains(&cleaner.name));
        let profiles: Vec<String> = profiles.map(|profile| code(profile.name)).collect();
        vec![
            code(cleaner.name),
            cleaner.about.to_owned(),
            kind.to_owned(),
            runs.to_owned(),
            profiles.join(", "),
        ]
    };
    let about = "What is cut from writing before it is learned, in the order in which it happens. Noise is what nobody \
                 wrote; voice is what may be the author's manner: it is cut when `corpus.clean.enable` or a profile of \
                 `corpus.clean.profile` names it, and `penname show account` tells what it would change.";
    let head = ["name", "what it removes", "kind", "runs", "profiles"];
    page("Cleaners", about, &head, clean::ALL.iter().map(row))
}

fn rules() -> String {
    let row = |rule: &validate::Rule| vec![code(rule.name), rule.about.to_owned(), rule.settings.to_owned()];
    let about = "What is left out because it is not worth learning from. Every rule is asked about every document, so \
                 that the counts show how they overlap; the settings stand under `corpus.validate`.";
    page("Rules", about, &["name", "what it rejects", "settings"], validate::ALL.iter().map(row))
}

fn metrics() -> String {
    let rows = metric::ALL.iter().flat_map(|family| {
        family.measures.iter().map(|measure| {
            let better = match measure.better {
                Better::Lower => "lower",
                Better::Author => "closer to the author",
            };
            let cells = [measure.definition, measure.unit, better].map(str::to_owned);
            [code(family.name), code(measure.name)].into_iter().chain(cells).collect()
        })
    });
    let head = ["family", "name", "definition", "unit", "better"];
    page("Metrics", "The numbers of a report. Every one comes with an interval.", &head, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_page_is_a_heading_and_a_table() {
        expect![[r#"
            # Things

            All of them.

            | name | size |
            | --- | --- |
            | `a` | 1 |

            Made by `cargo xtask gen` from the code.
        "#]]
        .assert_eq(&page("Things", "All of them.", &["name", "size"], [vec![code("a"), "1".to_owned()]]));
    }

    #[test]
    fn what_is_made_stands_between_its_comments() {
        let text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        let expected = "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n";
        assert_eq!(with(text, "x", "new").unwrap(), expected);
        assert!(with("<!-- x:end --><!-- x:begin -->", "x", "new").is_err());
    }

    #[test]
    fn cells_keep_to_their_columns() {
        for page in pages() {
            let lines: Vec<&str> = page.text.lines().collect();
            let is_row = |line: &&str| line.starts_with('|');
            let tables: Vec<&[&str]> =
                lines.chunk_by(|a, b| is_row(a) == is_row(b)).filter(|lines| is_row(&lines[0])).collect();
            let columns = |line: &str| line.matches('|').count() - line.matches("\\|").count();
            let is_even = |table: &&[&str]| {
                table.len() > 2 && table.iter().all(|row| columns(row) == columns(table[0]))
            };
            assert!(!tables.is_empty() && tables.iter().all(is_even), "{}", page.file);
        }
    }
}
