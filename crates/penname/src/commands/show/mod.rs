//! `penname show`: look at what was made.

pub(super) mod account;
mod base;
pub(crate) mod document;
mod example;
pub(super) mod issues;
mod template;

use clap::Subcommand;
use penname_corpus::{Prepared, store};
use penname_ledger::manifest::Found;
use penname_ledger::{Event, Manifest};

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  penname show account
  penname show document 3
  penname show example 1 --held-out")]
pub(crate) struct Args {
    #[command(subcommand)]
    thing: Thing,
}

/// What can be shown.
#[derive(Debug, Subcommand)]
enum Thing {
    /// Where every character of the writing went
    Account,
    /// What was wrong with the writing, with file and line
    Issues(issues::Args),
    /// A document as it was read and cleaned
    Document(document::Args),
    /// An example as the model sees it, with the part that is learned marked
    Example(example::Args),
    /// The chat template in use, and the tokens at which a reply ends
    Template,
    /// The base model: where it came from, its shape
    Base,
    /// The settings, as `penname settings` prints them
    Settings(super::settings::Args),
}

/// Shows a thing.
///
/// # Errors
/// When it is not there.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    match &args.thing {
        Thing::Account => account::run(desk),
        Thing::Issues(args) => issues::run(args, desk),
        Thing::Document(args) => document::run(args, desk),
        Thing::Example(args) => example::run(args, desk),
        Thing::Template => template::run(desk),
        Thing::Base => base::run(desk),
        Thing::Settings(args) => super::settings::run(args, desk),
    }
}

/// The prepared corpus of a project, with a warning where the writing or the settings have changed.
///
/// # Errors
/// When nothing was prepared yet.
pub(crate) fn prepared(desk: &Desk, project: &Project, settings: &Settings) -> Result<Prepared, Failure> {
    let dir = project.corpus();
    let none = || Failure::new(Kind::Input, "nothing was prepared yet").hint("run `penname prepare` first");
    let review = crate::work::corpus::decisions(desk, project)?;
    let folders = crate::work::corpus::Folders::of(project)?;
    // A writing folder that is gone cannot be compared; what was made of it can still be shown.
    let Ok(order) = store::order(folders.places(), &settings.corpus, settings.seed, &review) else {
        return if dir.is_dir() { Ok(store::load(&dir)?) } else { Err(none()) };
    };
    match Manifest::find(&dir, &order.key()) {
        Found::Absent => return Err(none()),
        Found::Broken(why) => {
            let failure = Failure::new(Kind::Input, why).while_doing("what was prepared is damaged");
            return Err(failure.hint("run `penname prepare` again"));
        }
        Found::Other(manifest) => {
            let what = format!("the writing or its settings have changed since {}", manifest.made_at);
            desk.witness().see(&Event::warning(what, "`penname prepare` brings it up to date"));
        }
        Found::Done(_) => {}
    }
    Ok(store::load(&dir)?)
}

/// The one that is meant by a number from 1 or by the beginning of an id.
///
/// # Errors
/// When none is, or several are.
fn pick<'a, T>(
    what: &str,
    all: &'a [T],
    id: impl Fn(&T) -> &str,
    meant: &str,
) -> Result<(usize, &'a T), Failure> {
    let none = |message: String| Err(Failure::new(Kind::Usage, message));
    let n = all.len();
    // Ids are long, so a short row of digits is a number even where there are not so many.
    if let Some(number) = meant.parse::<usize>().ok().filter(|&number| number <= n || meant.len() < 6) {
        return match number.checked_sub(1).and_then(|idx| Some((idx, all.get(idx)?))) {
            Some(found) => Ok(found),
            None if n == 0 => none(format!("there is no {what}")),
            None => none(format!("there is no {what} {number}, expected 1 to {n}")),
        };
    }
    let mut found = all.iter().enumerate().filter(|(_, one)| id(one).starts_with(meant));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => none(format!("several {what}s have an id that begins with `{meant}`")),
        (None, _) => none(format!(
            "there is no {what} `{meant}`, expected a number from 1 to {n} or the beginning of an id"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_meant_by_number_or_by_the_beginning_of_an_id() {
        let all = ["abc1", "abd2", "1234567"];
        let check = |meant: &str, expected: Result<usize, &str>| {
            let found = pick("document", &all, |id| id, meant);
            let found = found.map(|(idx, _)| idx).map_err(|failure| failure.report().message);
            assert_eq!(found, expected.map_err(str::to_owned), "{meant}");
        };
        check("1", Ok(0));
        check("abd", Ok(1));
        check("1234567", Ok(2));
        check("0", Err("there is no document 0, expected 1 to 3"));
        check("4", Err("there is no document 4, expected 1 to 3"));
        check("ab", Err("several documents have an id that begins with `ab`"));
        check("x", Err("there is no document `x`, expected a number from 1 to 3 or the beginning of an id"));
    }
}
