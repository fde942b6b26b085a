//! Children one after the other until the time is up, and what they found.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use penname_fuzz::Target;
use penname_ledger::{Hash, Stopwatch, write};

use super::child::{CURRENT, Told};

/// Findings after which there is enough to do.
const MAX_FINDINGS: usize = 10;

/// Watches until the time is up; says what was found.
pub(super) fn watch(target: &Target, work: &Path, seed: u64, seconds: u64) -> ExitCode {
    let (mut n_findings, mut sum) = (0, Told::default());
    for batch in 0.. {
        let left = seconds.saturating_sub(sum.seconds as u64);
        if left == 0 || n_findings >= MAX_FINDINGS {
            break;
        }
        match child(target, seed, batch, left) {
            Ok((told, finding)) => {
                add(&mut sum, told);
                if let Some(why) = finding {
                    n_findings += 1;
                    println!("{}: {why}\n  {}", target.name, keep(work).display());
                }
            }
            Err(why) => {
                eprintln!("{}: {why}", target.name);
                return ExitCode::from(2);
            }
        }
    }
    println!("{}", account(target, &sum, n_findings));
    if n_findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one child: what it told, and what it found if it did not end well.
fn child(target: &Target, seed: u64, batch: u64, seconds: u64) -> Result<(Told, Option<String>), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args([target.name, "--child", "--seed", &seed.to_string(), "--batch", &batch.to_string()]);
    command.args(["--seconds", &seconds.to_string()]).stdin(Stdio::null());
    let watch = Stopwatch::start();
    let output = command.output().map_err(|error| error.to_string())?;
    // One that was ended by the system could tell nothing.
    let mute = Told { seconds: watch.seconds(), ..Told::default() };
    let told = serde_json::from_slice(&output.stdout).unwrap_or(mute);
    if output.status.success() {
        return Ok((told, None));
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok((told, Some(format!("{}: {}", output.status, complaint.trim()))))
}

fn add(sum: &mut Told, told: Told) {
    sum.n_inputs += told.n_inputs;
    sum.seconds += told.seconds;
    for (depth, n) in told.reached {
        *sum.reached.entry(depth).or_default() += n;
    }
    sum.order.extend(told.order.into_iter().filter(|depth| !sum.order.contains(depth)).collect::<Vec<_>>());
    (sum.n_kept, sum.n_edges) = (told.n_kept.max(sum.n_kept), told.n_edges.max(sum.n_edges));
}

/// One line: how many inputs, how deep they came, what was found.
fn account(target: &Target, sum: &Told, n_findings: usize) -> String {
    let seconds = sum.seconds;
    let share = |depth: &String| {
        let n = sum.reached.get(depth).copied().unwrap_or(0);
        format!("{depth} {:.1} %", 100.0 * n as f64 / sum.n_inputs.max(1) as f64)
    };
    let depths: Vec<String> = sum.order.iter().map(share).collect();
    let guided = match sum.n_edges {
        0 => "blind".to_owned(),
        n => format!("{n} edges of the code, {} inputs to begin from", sum.n_kept),
    };
    format!(
        "{}: {n_findings} findings; {} inputs in {:.1} minutes, {:.0} a second; {}; {guided}",
        target.name,
        sum.n_inputs,
        seconds / 60.0,
        sum.n_inputs as f64 / seconds.max(1.0),
        depths.join(", ")
    )
}

/// Keeps the input that was being read.
fn keep(work: &Path) -> PathBuf {
    let data = std::fs::read(work.join(CURRENT)).unwrap_or_default();
    let path = work.join(format!("finding-{}", &Hash::of(&data).to_string()[..12]));
    let _told_by_absence = write::bytes(&path, &data);
    path
}
