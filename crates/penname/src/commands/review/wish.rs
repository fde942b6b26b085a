//! Which examples are wanted: as it was typed, and as a page asks in the fields of its address.

use penname_corpus::review::select::{Plan, Show, Sort, Wish};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Args, Order, Which};
use crate::page::Request;

/// The size of a sample where none is said.
const SAMPLE: usize = 200;

/// The wish that was typed.
pub(super) fn of(args: &Args) -> Wish {
    let show = match args.which {
        Which::Open => Show::Open,
        Which::Stale => Show::Stale,
        Which::Decided => Show::Decided,
        Which::Marked | Which::All => Show::All,
    };
    let plan = match (args.which, args.sample) {
        (Which::Marked, _) => Plan::Marked,
        (_, Some(n)) => Plan::Spread(n.get()),
        (_, None) => Plan::All,
    };
    let sort = match args.order {
        Order::Corpus => Sort::Corpus,
        Order::Risk => Sort::Risk,
        Order::Longest => Sort::Longest,
        Order::Shortest => Sort::Shortest,
        Order::Mixed => Sort::Mixed,
    };
    Wish { show, plan, sort, ..Wish::default() }
}

/// The part of a wish that can be typed, as the fields that a page begins with.
pub(super) fn query(wish: &Wish) -> String {
    let plan = match wish.plan {
        Plan::All => "all".to_owned(),
        Plan::Marked => "marked".to_owned(),
        Plan::Stratified(n) => format!("stratified&sample={n}"),
        Plan::Spread(n) => format!("spread&sample={n}"),
    };
    format!("show={}&sort={}&plan={plan}", named(&wish.show), named(&wish.sort))
}

/// The word for one of a list.
fn named(value: &impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

/// The wish of a request.
///
/// # Errors
/// When a field has a value that there is none of.
pub(super) fn asked(request: &Request) -> Result<Wish, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_a_page_begins_with() {
        let check = |show: Show, plan: Plan, sort: Sort, query: &str| {
            let wish = Wish { show, plan, sort, ..Wish::default() };
            assert_eq!(super::query(&wish), query);
            assert_eq!(asked(&Request::get(&format!("queue?{query}"), &[])).unwrap(), wish);
        };
        check(Show::Open, Plan::All, Sort::Corpus, "show=open&sort=corpus&plan=all");
        check(Show::All, Plan::Marked, Sort::Risk, "show=all&sort=risk&plan=marked");
        check(Show::Stale, Plan::Spread(7), Sort::Mixed, "show=stale&sort=mixed&plan=spread&sample=7");
        check(
            Show::Edited,
            Plan::Stratified(9),
            Sort::Longest,
            "show=edited&sort=longest&plan=stratified&sample=9",
        );
    }
}
