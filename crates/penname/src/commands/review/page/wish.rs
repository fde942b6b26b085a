//! What a page asks to see, from the fields of its address and back.

use penname_corpus::review::select::{Plan, Show, Wish};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{Args, Which};
use crate::page::Request;

/// The size of a sample where none is said.
const SAMPLE: usize = 200;

/// Reads the wish of a request.
///
/// # Errors
/// When a field has a value that there is none of.
pub(super) fn of(request: &Request) -> Result<Wish, String> {
    let text = |name: &str| request.field(name).unwrap_or("").to_owned();
    let n = match request.field("sample") {
        None | Some("") => SAMPLE,
        Some(typed) => typed.parse().map_err(|_| format!("`{typed}` is no number of examples"))?,
    };
    let plan = match request.field("plan").unwrap_or("") {
        "" | "all" => Plan::All,
        "marked" => Plan::Marked,
        "stratified" => Plan::Stratified(n),
        "spread" => Plan::Spread(n),
        other => return Err(format!("`{other}` is no plan, expected all, marked, stratified, spread")),
    };
    Ok(Wish {
        show: word(request, "show")?,
        mark: text("mark"),
        source: text("source"),
        kind: text("kind"),
        split: text("split"),
        text: text("text"),
        plan,
        sort: word(request, "sort")?,
    })
}

/// A word of a list; the first one where nothing is said.
fn word<T: Default + DeserializeOwned>(request: &Request, name: &str) -> Result<T, String> {
    match request.field(name) {
        None | Some("") => Ok(T::default()),
        Some(typed) => {
            serde_json::from_value(Value::from(typed)).map_err(|error| format!("`{name}`: {error}"))
        }
    }
}

/// What is shown first, from what was typed in the terminal.
pub(in super::super) fn first(args: &Args) -> String {
    let show = match args.which {
        Which::Open => Show::Open,
        Which::Stale => Show::Stale,
        Which::Decided => Show::Decided,
        Which::Marked | Which::All => Show::All,
    };
    let plan = match (args.which, args.sample) {
        (Which::Marked, _) => "&plan=marked".to_owned(),
        (_, Some(n)) => format!("&plan=spread&sample={n}"),
        _ => String::new(),
    };
    format!("show={}{plan}", json!(show).as_str().unwrap_or_default())
}
