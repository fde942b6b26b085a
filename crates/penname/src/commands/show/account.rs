//! `penname show account`: where every character went, what each cleaning rule did, and what rules
//! that may change the voice would have done.

use penname_corpus::edit::Cut;
use penname_corpus::{Account, Prepared};
use serde_json::json;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::wrap::shorten;
use crate::screen::{Align, Screen, Table, harmless, number};

/// Shows the account of the prepared corpus.
///
/// # Errors
/// When nothing was prepared yet.
pub(super) fn run(desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let prepared = super::prepared(desk, &project, &settings)?;
    let Prepared { account, cuts, would, .. } = &prepared;
    let value = json!({ "account": account, "rows": account.rows(), "cuts": cuts, "would": would });
    desk.screen.result("account", &value, || whole(&prepared, &desk.screen));
    Ok(())
}

/// The account stands last: it is what is asked for.
fn whole(prepared: &Prepared, screen: &Screen) -> String {
    let left = "not done, because it may be the voice; `corpus.clean.enable` names what is wanted";
    let parts = [("what cleaning did", &prepared.cuts), (left, &prepared.would)];
    let told = parts.iter().filter(|(_, cuts)| !cuts.is_empty());
    let told: String = told.map(|(what, cuts)| format!("{what}\n{}\n", places(cuts, screen))).collect();
    told + &table(&prepared.account).to_string()
}

/// What rules did or would do, with the first place of each.
fn places(cuts: &[Cut], screen: &Screen) -> Table {
    let heads =
        [("", Align::Left), ("places", Align::Right), ("first", Align::Left), ("becomes", Align::Left)];
    let mut table = Table::new(&heads);
    let wide = (screen.columns().saturating_sub(42) / 2).max(12);
    for cut in cuts {
        let [first, becomes] = [&cut.sample, &cut.becomes].map(|text| shorten(&harmless(text), wide));
        table.row([cut.rule.clone(), number::count(cut.times), first, becomes]);
    }
    table
}

/// What was left alone because it may be the voice, in a line.
pub(crate) fn left(would: &[Cut]) -> Option<String> {
    let rules: Vec<String> =
        would.iter().map(|cut| format!("{} ({})", cut.rule, number::count(cut.times))).collect();
    (!rules.is_empty()).then(|| {
        format!(
            "left as it is, because it may be the voice: {}; `penname show account` has samples",
            rules.join(", ")
        )
    })
}

/// The account as a table whose rows add up to what was given.
pub(crate) fn table(account: &Account) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("characters", Align::Right), ("share", Align::Right)]);
    for row in account.rows() {
        table.row([row.what, number::signed(row.chars), number::percent(row.percent)]);
    }
    let whole = if account.given == 0 { 0.0 } else { 100.0 };
    table.row(["given".to_owned(), number::count(account.given), number::percent(whole)]);
    table
}
