//! `penname new`: a folder for a voice.

mod file;

use std::path::{Path, PathBuf};

use penname_ledger::write;
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::{Project, SETTINGS};
use crate::settings::recipe;

const IGNORED: &str = "\
# Your writing is yours: it is not put under version control unless you say so here.
/writing/
# Made from it, and can be made again.
/data/
/runs/
/exports/
/reports/
";

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  penname new my-voice
  penname new \"Aunt Ida's letters\" --recipe advice-column
  penname new . --base ./models/llama.gguf        in the folder you are in")]
pub(crate) struct Args {
    /// Folder to make, which also names the voice
    #[arg(value_name = "NAME")]
    folder: PathBuf,
    /// Starting values for a sort of writing: `penname recipes` lists them
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<String>,
}

/// Makes the folder.
///
/// # Errors
/// When there is a voice already, or the folder cannot be made.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let dir = &args.folder;
    if dir.join(SETTINGS).exists() {
        let message = format!("`{}` is there already", dir.join(SETTINGS).display());
        return Err(Failure::new(Kind::Usage, message).hint("choose another name; nothing was changed"));
    }
    if dir.exists() && !dir.is_dir() {
        let message = format!("`{}` is a file", dir.display());
        return Err(Failure::new(Kind::Usage, message).hint("choose another name; nothing was changed"));
    }
    let recipe = args.recipe.as_deref().map(recipe::find).transpose()?;
    // Flags are looked at before anything is made, so that a slip leaves nothing behind.
    let settings = desk.settings_of_flags()?;

    write::folder(&dir.join("writing"))?;
    let ignore = dir.join(".gitignore");
    if !ignore.exists() {
        write::bytes(&ignore, IGNORED.as_bytes())?;
    }
    let name = name_of(dir);
    let base = desk.typed_base().map(|_| settings.base.as_str());
    write::bytes(&dir.join(SETTINGS), file::text(&name, recipe, base).as_bytes())?;
    let project = Project::at(dir)?;
    let value =
        json!({ "folder": project.dir(), "settings": project.settings(), "writing": project.writing() });
    desk.screen.result("new", &value, || told(dir));
    Ok(())
}

fn name_of(dir: &Path) -> String {
    let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    // `.` and `a/..` have no name of their own, and are asked for it where they lead.
    let whole = whole.canonicalize().unwrap_or(whole);
    whole.file_name().map_or_else(|| "voice".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn told(dir: &Path) -> String {
    let shown = dir.display();
    format!(
        "`{shown}` is ready.\n\n\
         Next:\n  \
         1. put writing into `{}`: plain text, Markdown, JSON\n  \
         2. look into `{}`, if you like\n  \
         3. cd {} && penname prepare\n",
        dir.join("writing").display(),
        dir.join(SETTINGS).display(),
        quoted(dir),
    )
}

/// The folder as a shell would want it.
fn quoted(dir: &Path) -> String {
    let text = dir.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_quoted_where_a_shell_would_stumble() {
        let check = |folder, expected: &str| assert_eq!(quoted(Path::new(folder)), expected);
        check("my-voice", "my-voice");
        check("my voice", "'my voice'");
        check("Ida's", r"'Ida'\''s'");
    }
}
