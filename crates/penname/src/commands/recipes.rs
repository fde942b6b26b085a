//! `penname recipes`: starting settings by sort of writing.

use serde_json::json;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::{Align, Table};
use crate::settings::recipe;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  penname recipes
  penname recipes blog
  penname new my-voice --recipe blog")]
pub(crate) struct Args {
    /// Print this recipe, with the reasons for its values
    recipe: Option<String>,
}

/// Lists the recipes, or prints one.
///
/// # Errors
/// When there is none of this name.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    if let Some(name) = &args.recipe {
        let found = recipe::find(name)?;
        desk.screen
            .result("recipe", &json!({ "name": found.name, "text": found.text }), || found.text.to_owned());
        return Ok(());
    }
    let rows: Vec<(&str, &str)> = recipe::ALL.iter().map(|recipe| (recipe.name, recipe.about())).collect();
    let value: Vec<_> = rows.iter().map(|(name, about)| json!({ "name": name, "about": about })).collect();
    desk.screen.result("recipes", &value, || {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        rows.iter().for_each(|(name, about)| table.row([*name, *about]));
        table.to_string()
    });
    Ok(())
}
