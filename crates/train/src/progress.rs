//! What is told of a step: a row of the journal, and a line for whoever watches.

use crate::checkpoint::State;
use crate::step::StepReport;
use penname_ledger::event::{Event, Unit};
use serde_json::{Value, json};

/// The row of a step in the journal.
pub(crate) fn row(report: &StepReport, step: u64, rate: f64, seconds: f64) -> Value {
    json!({
        "step": step, "loss": report.loss_nats, "grad_norm": report.grad_norm, "learning_rate": rate,
        "tokens": report.n_tokens, "rows": report.n_rows, "trained_tokens": report.n_trained,
        "tokens_per_s": report.n_tokens as f64 / seconds,
    })
}

/// How far training is, `seconds` being what the last step took.
pub(crate) fn event(report: &StepReport, state: &State, total: u64, seconds: f64) -> Event {
    let tokens_per_s = report.n_tokens as f64 / seconds;
    let memory = penname_engine::backend::cpu::resident_bytes()
        .map_or(String::new(), |bytes| format!(" · {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    let left = (total - state.step) as f64 * state.seconds / state.step.max(1) as f64;
    let left = duration(left);
    let note = format!("loss {:.3} · {tokens_per_s:.0} tokens/s{memory} · {left} left", report.loss_nats);
    Event::Progress { what: "training".into(), done: state.step, total: Some(total), unit: Unit::Steps, note }
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
