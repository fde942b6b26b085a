//! `penname show account`: where every character went.

use penname_corpus::Account;
use serde_json::json;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::{Align, Table, number};

/// Shows the account of the prepared corpus.
///
/// # Errors
/// When nothing was prepared yet.
pub(super) fn run(desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let account = super::prepared(desk, &project, &settings)?.account;
    let value = json!({ "account": account, "rows": account.rows() });
    desk.screen.result("account", &value, || table(&account).to_string());
    Ok(())
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
