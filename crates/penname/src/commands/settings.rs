//! `penname settings`: every setting, and where its value comes from.

mod reference;

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::wrap::{shorten, wrap};
use crate::screen::{Align, Ink, Screen, Table, harmless};
use crate::settings::environment::Environment;
use crate::settings::{Entry, Settings, list};

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A value comes from the strongest of: built-in < effort < recipe < penname.yaml < flag.

Examples:
  penname settings train
  penname settings --origin
  penname settings --set train.rank=8 train.rank")]
pub(crate) struct Args {
    /// Only this setting or section
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Also say where each value comes from and what it does
    #[arg(long)]
    origin: bool,
    /// Print the reference page of all settings, in Markdown
    #[arg(long, conflicts_with_all = ["origin", "key"])]
    reference: bool,
}

/// Prints the settings that hold here.
///
/// # Errors
/// When a setting cannot be used, or there is none of this name.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    if args.reference {
        let page = reference::page();
        desk.screen.result("reference", &page, || page.clone());
        return Ok(());
    }
    let settings = desk.settings()?;
    let entries = wanted(&settings, args.key.as_deref())?;
    let environment = args.key.is_none().then_some(&desk.environment);
    desk.screen.result("settings", &value(&entries, environment), || match args.origin {
        true => with_origins(&entries, environment, &desk.screen),
        false => values(&entries, desk.screen.columns()),
    });
    Ok(())
}

fn wanted<'a>(settings: &'a Settings, key: Option<&str>) -> Result<Vec<&'a Entry>, Failure> {
    let Some(name) = key else { return Ok(settings.entries().iter().collect()) };
    let inside =
        |full: &str| full.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let found: Vec<_> = settings.entries().iter().filter(|entry| inside(entry.key.name)).collect();
    if found.is_empty() { Err(list::unknown(name).into()) } else { Ok(found) }
}

fn value(entries: &[&Entry], environment: Option<&Environment>) -> Value {
    let row = |entry: &&Entry| {
        json!({
            "key": entry.key.name,
            "value": entry.value,
            "origin": entry.origin.to_string(),
            "about": entry.key.about,
        })
    };
    let place = |(name, value, origin, about): (&str, String, &crate::settings::Origin, &str)| json!({ "key": name, "value": value, "origin": origin.to_string(), "about": about });
    let places = environment.map_or_else(Vec::new, Environment::rows);
    json!({
        "settings": entries.iter().map(row).collect::<Vec<_>>(),
        "environment": places.into_iter().map(place).collect::<Vec<_>>(),
    })
}

fn values(entries: &[&Entry], columns: usize) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for entry in entries {
        table.row([entry.key.name.to_owned(), shorten(&shown(&entry.value), columns.saturating_sub(34))]);
    }
    table.to_string()
}

fn with_origins(entries: &[&Entry], environment: Option<&Environment>, screen: &Screen) -> String {
    let paint = screen.paint();
    let row = |name: &str, value: &str, origin: &str, about: &str| {
        let line = wrap(&format!("{name}: {value}  [{origin}]"), screen.columns(), 4);
        let line = line.replacen(name, &paint.with(Ink::Bold, name), 1);
        format!("{line}\n{}\n", paint.with(Ink::Dim, &wrap(&format!("    {about}"), screen.columns(), 4)))
    };
    let mut text: String = entries
        .iter()
        .map(|entry| row(entry.key.name, &shown(&entry.value), &entry.origin.to_string(), entry.key.about))
        .collect();
    let Some(environment) = environment else { return text };
    text += "\nSecrets and paths, from the environment:\n\n";
    for (name, value, origin, about) in environment.rows() {
        text += &row(name, &harmless(&value), &origin.to_string(), about);
    }
    text
}

/// A value as a person would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => harmless(&text.replace('\n', "\\n")),
        other => harmless(&other.to_string()),
    }
}
