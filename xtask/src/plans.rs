//! The plans of large models, printed by the program itself into the guide.
//!
//! What kernels take beside depends a little on the processor, so the page says on which it was made and
//! is not held against every other.

use std::fmt::Write as _;
use std::fs;

use penname_engine::Device;
use penname_engine::backend::cpu::Cpu;
use penname_ledger::write;

use crate::screen::say;
use crate::{Result, root, shell};

const PAGE: &str = "docs/guide/plans.md";

/// What is planned for, and with which settings.
const ALL: [(&str, &[&str]); 5] = [
    ("qwen3-8b", &["train.base_weights=nf4"]),
    ("qwen3-14b", &["train.base_weights=nf4"]),
    ("qwen3-32b", &["train.base_weights=nf4"]),
    ("qwen3-32b", &["train.base_weights=nf4", "train.base_place=disk"]),
    ("gpt-oss-20b", &[]),
];

/// What is done with the page.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Change nothing; fail when a figure is another.
    #[arg(long)]
    check: bool,
}

/// Writes the page, or checks it.
///
/// # Errors
/// When the program cannot be run, or the page is out of date.
pub(crate) fn run(options: &Options) -> Result<()> {
    let page = root().join(PAGE);
    let text = text()?;
    if options.check {
        let is_same = fs::read_to_string(&page).is_ok_and(|found| found == text);
        let advice = format!("{PAGE} is out of date: run `cargo xtask plans`");
        return if is_same { Ok(()) } else { Err(advice.into()) };
    }
    write::bytes(&page, text.as_bytes())?;
    say(&format!("wrote {PAGE}"));
    Ok(())
}

fn text() -> Result<String> {
    let mut text = format!(
        "# Large models in 24 GB\n\n\
         What `penname plan` says of published shapes, for 24 GB of memory and eight threads. Nothing of them \
         was at hand or run here; [Will it fit?](memory.md) says what the rows are and how they are held to what \
         runs take. Made by `cargo xtask plans` with {}.\n",
        Cpu::new().probe().products
    );
    for (shape, settings) in ALL {
        let mut arguments = vec!["plan", "--shape", shape, "--memory", "24GB", "--threads", "8"];
        for setting in settings.iter().chain(&["train.precision=bf16"]) {
            arguments.extend(["--set", setting]);
        }
        say(&format!("planning {shape}"));
        let mut command = shell::cargo();
        command.args(["run", "--quiet", "--package", "penname", "--"]).args(&arguments);
        // What does not fit ends with another code, and is told all the same.
        let told = command.output()?;
        if told.stdout.is_empty() {
            return Err(String::from_utf8_lossy(&told.stderr).into_owned().into());
        }
        let told = String::from_utf8_lossy(&told.stdout);
        write!(text, "\n## {}\n\n", title(shape, settings))?;
        write!(text, "```text\n$ penname {}\n\n{}\n```\n", arguments.join(" "), told.trim_end())?;
    }
    Ok(text)
}

fn title(shape: &str, settings: &[&str]) -> String {
    let words = settings.iter().filter_map(|setting| setting.split_once('=')).map(|(_, value)| value);
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        format!("{shape}, as it is published")
    } else {
        format!("{shape}, {}", words.join(", "))
    }
}
