//! `penname plan`: what a run needs in memory, before anything is loaded.

use std::path::{Path, PathBuf};

use penname_engine::{Device, Keep, Section};
use penname_model::{Config, Residence, Storage, shape};
use penname_train::plan::{self, Ask, Need, Rung};
use serde_json::{Value, json};

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::number::{bytes, count};
use crate::screen::{Align, Table};
use crate::work::training;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The figures are those with which training itself decides. Nothing is loaded: a name of a shape or a folder
with nothing but a config.json will do.

Examples:
  penname plan
  penname plan --shape qwen3-8b --memory 24GB --set train.base_weights=nf4
  penname plan --shape ./some-model --set train.batch_tokens=2048")]
pub(crate) struct Args {
    /// A model by the name of its shape, or a folder with its config.json [default: the base]
    #[arg(long, value_name = "SHAPE")]
    shape: Option<String>,
    /// Memory to plan for, such as 24GB or 16GiB [default: what is free here]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

/// Plans.
///
/// # Errors
/// When the model is not known or the settings make no sense; and when it does not fit.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let settings = desk.settings()?;
    let device = desk.device();
    let (name, config, stored) = subject(args, desk)?;
    let silent = penname_ledger::event::Silent;
    let mut train = training::resolve(&settings.train, 1, &device, &silent)?;
    train.batch_tokens = train.batch_tokens.min(config.context);
    let free = match &args.memory {
        Some(text) => parse_size(text)?,
        None => device.probe().free_bytes.ok_or_else(|| {
            Failure::new(Kind::Usage, "how much memory is free cannot be learned here")
                .hint("say it with `--memory`")
        })?,
    };
    let ask = Ask { config: &config, settings: &train, stored };
    let chosen = plan::choose(&ask, free, &device);
    let need = match &chosen {
        Ok(need) => need.clone(),
        Err(_) => plan::least(&ask, &device)?,
    };
    let longest = plan::longest(&ask, free, &device)?;
    let rungs = plan::ladder(&ask, &device)?;
    let fits = chosen.is_ok();
    let value = json!({
        "model": name, "free_bytes": free, "fits": fits, "need": shown(&need),
        "longest_batch_tokens": longest.as_ref().map(|need| need.batch_tokens),
        "ladder": rungs.iter().map(|rung| json!({ "change": rung.change, "price": rung.price, "bytes": rung.need.total() })).collect::<Vec<_>>(),
    });
    desk.screen.result("plan", &value, || {
        let what = format!("{name}, {}, batches of {} tokens", way(&train), train.batch_tokens);
        told(&what, &need, free, fits) + &outlook(longest.as_ref(), &rungs, free)
    });
    match chosen {
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What it is called, what it looks like, and how it is stored.
fn subject(args: &Args, desk: &Desk) -> Result<(String, Config, Storage), Failure> {
    let Some(text) = &args.shape else {
        let base = Base::open(desk, &desk.settings()?)?;
        let stored = base.storage();
        return Ok((base.pulled.origin.clone(), base.config, stored));
    };
    if let Some(shape) = shape::find(text) {
        return Ok((text.clone(), shape.config()?, shape.stored));
    }
    let path = Path::new(text);
    let file: PathBuf = if path.is_dir() { path.join("config.json") } else { path.to_path_buf() };
    if !file.is_file() {
        let known: Vec<&str> = shape::ALL.iter().map(|shape| shape.name).collect();
        let message = format!("`{text}` is no shape that is known, and no folder with a config.json");
        return Err(Failure::new(Kind::Usage, message).hint(format!("shapes: {}", known.join(", "))));
    }
    Ok((text.clone(), Config::read(&file)?, Storage::BF16))
}

fn way(train: &penname_train::Settings) -> String {
    use penname_train::settings::{Base, Optimizer, Rounding, Way};
    let precision = if train.precision == Rounding::Bf16 { "bf16" } else { "f32" };
    let base = match train.base {
        Base::Stored => "as stored",
        Base::Rounded => "rounded",
        Base::Nf4 => "in NF4",
        Base::Q8 => "in Q8_0",
        Base::Q4 => "in Q4_0",
        Base::Int8 => "in int8",
    };
    let place = if train.residence == Residence::Disk { " on disk" } else { "" };
    let optimizer = if train.optimizer == Optimizer::AdamW8 { ", moments of a byte each" } else { "" };
    match train.method {
        Way::Full => format!("trained in full in {precision}{optimizer}"),
        Way::Lora => {
            let pairs = format!("low-rank pairs of rank {} in {precision}{optimizer}", train.rank);
            format!("{pairs} beside a base {base}{place}")
        }
    }
}

fn told(what: &str, need: &Need, free: usize, fits: bool) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    for (name, held) in &need.weights {
        let bits = 8.0 * held.bytes as f64 / held.n_numbers.max(1) as f64;
        let numbers = count(held.n_numbers as u64);
        let how = format!("{numbers} numbers of {bits:.2} bits, in {} tensors", held.n_tensors);
        table.row([format!("weights, {name}"), bytes(held.bytes as u64), how]);
    }
    if need.on_disk > 0 {
        let how = format!("{} of them in memory at one time: two blocks in a row", bytes(need.frozen as u64));
        table.row(["  of these on disk".to_owned(), bytes(need.on_disk as u64), how]);
    }
    let numbers = count(need.n_trained as u64);
    let moments = if need.optimizer < 2 * need.gradients {
        "two moments of each, in a byte each but for small tensors, and a largest for 256"
    } else {
        "two moments of each, 4 bytes"
    };
    let rows = [
        ("trained", need.trained, format!("{numbers} numbers of 4 bytes")),
        ("gradients", need.gradients, format!("{numbers} numbers of 4 bytes")),
        ("optimizer", need.optimizer, moments.to_owned()),
        ("copies", need.copies, "how they began, and the best while it is written".to_owned()),
        ("activations", need.activations, keeps(need.keep)),
    ];
    rows.into_iter().for_each(|(name, n, how)| table.row([name.to_owned(), bytes(n as u64), how]));
    at_peak(need)
        .into_iter()
        .for_each(|(name, n, how)| table.row([format!("  {name}"), bytes(n as u64), how]));
    let rest = [
        ("inputs and losses", need.io, ""),
        ("scratch of the kernels", need.scratch, "copies, transposes, workspaces of each thread"),
        ("the process itself", need.process, "code, threads, tokenizer"),
        ("in all", need.total(), ""),
    ];
    rest.into_iter().for_each(|(name, n, how)| table.row([name.to_owned(), bytes(n as u64), how.to_owned()]));
    let limit = free / 10 * 9;
    let verdict = if fits { "it fits" } else { "it does not fit" };
    format!(
        "{what}\n\n{table}\n{verdict}: {} of {}, which is nine tenths of {}; the rest is margin\n",
        bytes(need.total() as u64),
        bytes(limit as u64),
        bytes(free as u64)
    )
}

fn keeps(keep: Keep) -> String {
    match keep {
        Keep::All => "all that the backward pass needs is kept".to_owned(),
        Keep::Products => "norms and gates are computed again".to_owned(),
        Keep::Blocks(n) => format!("of the first {n} blocks only their inputs are kept"),
        Keep::BlockInputs => "of every block only its input is kept".to_owned(),
    }
}

/// What fills the arena at its fullest: blocks that wait, alike ones together, and what is at work.
fn at_peak(need: &Need) -> Vec<(String, usize, String)> {
    let Some(peak) = &need.peak else { return Vec::new() };
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    let (mut waiting, mut chunk, mut working) = (0, 0, 0);
    for live in &peak.live {
        match (live.block, live.name.as_str()) {
            (_, "logits") => chunk += live.bytes,
            (Some(block), _) if live.waits || peak.section == Section::Forward => {
                match blocks.iter_mut().find(|(known, _)| *known == block) {
                    Some((_, bytes)) => *bytes += live.bytes,
                    None => blocks.push((block, live.bytes)),
                }
            }
            _ if live.waits => waiting += live.bytes,
            _ => working += live.bytes,
        }
    }
    blocks.sort_unstable();
    let mut rows = Vec::new();
    for alike in blocks.chunk_by(|a, b| a.1 == b.1) {
        let (first, last, n) = (alike[0].0, alike[alike.len() - 1].0, alike.len());
        let name = if n == 1 { format!("block {first}") } else { format!("blocks {first} to {last}") };
        rows.push((name, n * alike[0].1, format!("{n} × {}", bytes(alike[0].1 as u64))));
    }
    let place = peak.block.map_or_else(String::new, |block| format!(" of block {block}"));
    rows.push(("outside the blocks".to_owned(), waiting, "residual stream, position tables".to_owned()));
    rows.push(("loss chunk".to_owned(), chunk, "logits of some rows at a time".to_owned()));
    rows.push(("at work".to_owned(), working, format!("during {}{place}, the fullest moment", peak.op)));
    rows.into_iter().filter(|(_, n, _)| *n > 0).collect()
}

fn outlook(longest: Option<&Need>, rungs: &[Rung], free: usize) -> String {
    let text = match longest {
        Some(need) => format!(
            "\nthe longest batch that fits: {} tokens, {} (a dry run of one step held no more)\n",
            count(need.batch_tokens as u64),
            bytes(need.total() as u64)
        ),
        None => "\nno batch fits\n".to_owned(),
    };
    let mut table = Table::new(&[
        ("cheaper", Align::Left),
        ("needs", Align::Right),
        ("", Align::Left),
        ("price", Align::Left),
    ]);
    for rung in rungs {
        let total = rung.need.total();
        let fits = if total <= free / 10 * 9 { "fits" } else { "" };
        table.row([rung.change.clone(), bytes(total as u64), fits.to_owned(), rung.price.to_owned()]);
    }
    format!("{text}\n{table}")
}

fn shown(need: &Need) -> Value {
    let weights: serde_json::Map<String, Value> =
        need.weights.iter().map(|(name, held)| (name.clone(), json!(held.bytes))).collect();
    json!({
        "weights": weights, "frozen": need.frozen, "on_disk": need.on_disk, "trained": need.trained, "gradients": need.gradients,
        "optimizer": need.optimizer, "activations": need.activations, "io": need.io, "scratch": need.scratch,
        "copies": need.copies, "process": need.process, "total": need.total(), "keep": keeps(need.keep),
        "batch_tokens": need.batch_tokens,
    })
}

/// `24GB`, `16 GiB`, `900MB`, or bytes.
fn parse_size(text: &str) -> Result<usize, Failure> {
    const UNITS: [(&str, f64); 7] = [
        ("gib", 1073741824.0),
        ("mib", 1048576.0),
        ("gb", 1e9),
        ("mb", 1e6),
        ("g", 1e9),
        ("m", 1e6),
        ("", 1.0),
    ];
    let lower = text.trim().to_lowercase();
    let parsed = UNITS.iter().find_map(|(unit, factor)| {
        let number: f64 = lower.strip_suffix(unit)?.trim().parse().ok()?;
        (number.is_finite() && number > 0.0).then_some((number * factor) as usize)
    });
    parsed.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("`--memory` is `{text}`, expected a size such as 24GB or 16GiB"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let check =
            |text: &str, expected: Option<usize>| assert_eq!(parse_size(text).ok(), expected, "{text}");
        check("24GB", Some(24_000_000_000));
        check("16 GiB", Some(17_179_869_184));
        check("1.5m", Some(1_500_000));
        check("512", Some(512));
        check("-1GB", None);
        check("lots", None);
    }
}
