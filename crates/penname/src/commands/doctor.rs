//! `penname doctor`: whether this machine has what the work needs. Opens no connection.

use std::path::Path;
use std::process::{Command, Stdio};

use penname_engine::Device;
use penname_hub::Pip;
use penname_ledger::{disk, write};
use serde::Serialize;

use crate::base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::{Align, Ink, Paint, Table, harmless, number};
use crate::settings::Settings;
use crate::work::corpus;
use crate::work::learned::Held;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is sent or fetched. `ok` is fine, `note` is worth knowing, `failed` stops the work."
)]
pub(crate) struct Args {}

/// Room below which fetching a base model, or a few runs, may fail.
const LITTLE_ROOM: u64 = 1 << 30;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Note,
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    what: &'static str,
    found: String,
}

fn finding(verdict: Verdict, what: &'static str, found: impl Into<String>) -> Finding {
    Finding { verdict, what, found: found.into() }
}

/// Looks at this machine.
///
/// # Errors
/// When something the work needs is missing.
pub(crate) fn run(_args: &Args, desk: &Desk) -> Result<(), Failure> {
    let settings = desk.settings()?;
    let system =
        format!("{}, {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let mut findings = vec![finding(Verdict::Ok, "penname", system)];
    findings.extend(machine(desk));
    findings.extend(cache(&desk.environment.cache_dir.value));
    findings.push(base_model(desk, &settings));
    findings.push(pip());
    findings.extend(desk.project().ok().and_then(|project| forgotten(&project)));
    desk.screen.result("doctor", &findings, || drawn(&findings, desk.screen.paint()));
    match findings.iter().find(|one| one.verdict == Verdict::Failed) {
        Some(failed) => Err(Failure::new(Kind::Device, format!("{}: {}", failed.what, failed.found))),
        None => Ok(()),
    }
}

fn drawn(findings: &[Finding], paint: Paint) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for one in findings {
        let (word, ink) = match one.verdict {
            Verdict::Ok => ("ok", Ink::Green),
            Verdict::Note => ("note", Ink::Yellow),
            Verdict::Failed => ("failed", Ink::Red),
        };
        table.row([paint.with(ink, word), one.what.to_owned(), harmless(&one.found)]);
    }
    table.to_string()
}

fn machine(desk: &Desk) -> Vec<Finding> {
    let probe = desk.device().probe();
    let memory = match probe.free_bytes {
        Some(free) => finding(Verdict::Ok, "memory", format!("{} free", number::bytes(free as u64))),
        None => finding(Verdict::Note, "memory", "how much is free cannot be learned here"),
    };
    vec![
        finding(Verdict::Ok, "processor", probe.name),
        finding(Verdict::Ok, "products", format!("{} (`train.precision: auto`)", probe.products)),
        memory,
    ]
}

fn cache(dir: &Path) -> Vec<Finding> {
    let trial = dir.join(".doctor");
    let tried = write::folder(dir)
        .and_then(|()| write::bytes(&trial, b"ok"))
        .and_then(|()| write::remove_file(&trial));
    let written = match tried {
        Ok(()) => finding(Verdict::Ok, "cache", dir.display().to_string()),
        Err(error) => finding(
            Verdict::Failed,
            "cache",
            format!("{error}; set PENNAME_HOME to a folder that can be written"),
        ),
    };
    let room = match disk::free_bytes(dir) {
        Some(free) if free < LITTLE_ROOM => {
            finding(Verdict::Note, "disk", format!("only {} free there", number::bytes(free)))
        }
        Some(free) => finding(Verdict::Ok, "disk", format!("{} free there", number::bytes(free))),
        None => finding(Verdict::Note, "disk", "how much is free cannot be learned here"),
    };
    vec![written, room]
}

/// Whether the base model is on this machine.
fn base_model(desk: &Desk, settings: &Settings) -> Finding {
    match base::find(desk, settings) {
        Ok(base) => finding(Verdict::Ok, "base", format!("{} ({})", settings.base, base.origin)),
        Err(failure) if failure.kind() == Kind::Network => {
            let found =
                format!("{} is not on this machine yet; it is fetched when first needed", settings.base);
            finding(Verdict::Note, "base", found)
        }
        Err(failure) => finding(Verdict::Failed, "base", failure.report().message),
    }
}

/// Runs and exports that hold what is to be forgotten.
fn forgotten(project: &Project) -> Option<Finding> {
    let known = match corpus::forgotten(project) {
        Ok(known) if known.is_empty() => return None,
        Ok(known) => known,
        Err(failure) => return Some(finding(Verdict::Failed, "forgotten", failure.report().message)),
    };
    Some(match Held::of(project, &known) {
        Ok(held) if held.is_empty() => {
            finding(Verdict::Ok, "forgotten", "no run and no export here has learned what is forgotten")
        }
        Ok(held) => finding(Verdict::Note, "forgotten", held.lines().join("; ")),
        Err(failure) => finding(Verdict::Note, "forgotten", failure.report().message),
    })
}

/// Whether pip is here, which stands in where the hub cannot be reached.
fn pip() -> Finding {
    for command in Pip::default().commands {
        let Some((program, first)) = command.split_first() else { continue };
        let mut call = Command::new(program);
        call.args(first).arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
        if let Some(output) = call.output().ok().filter(|output| output.status.success()) {
            let said = String::from_utf8_lossy(&output.stdout);
            let version: Vec<&str> = said.split_whitespace().take(2).collect();
            return finding(Verdict::Ok, "pip", version.join(" "));
        }
    }
    finding(Verdict::Note, "pip", "not found; only needed where the model hub cannot be reached")
}
