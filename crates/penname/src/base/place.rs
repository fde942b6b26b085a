//! Where relative paths in settings begin.

use std::path::{Path, PathBuf};

use penname_ledger::Run;
use penname_ledger::run::Status;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Origin;
use crate::settings::meant::SCRATCH;

/// Where what was named as a base leads: a new model to where it was drawn, the folder of a voice to
/// the newest model that was trained there, anything else to itself.
///
/// # Errors
/// When the new model was not drawn yet, or no model was trained in the folder of the voice.
pub(super) fn leading_to(desk: &Desk, typed: &str) -> Result<String, Failure> {
    let path = if typed == SCRATCH {
        let folder = desk.project()?.scratch();
        if !folder.join("manifest.json").is_file() {
            return Err(Failure::new(Kind::Usage, "the new model was not drawn yet")
                .hint("`penname make` or `penname train` draws it, from the writing"));
        }
        folder
    } else if let Ok(project) = Project::at(Path::new(typed)) {
        newest_model(&project)?
    } else if Path::new(typed).join("adapter").join(WEIGHTS).is_file() {
        Path::new(typed).join("adapter")
    } else {
        return Ok(typed.to_owned());
    };
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(Kind::Input, format!("the path `{}` is not text", path.display())))
}

const WEIGHTS: &str = "model.safetensors";

/// The model of the newest run of a voice that was trained in full to its end.
fn newest_model(project: &Project) -> Result<PathBuf, Failure> {
    for run in Run::list(&project.runs())? {
        let is_done = run.status()?.is_some_and(|row| row.status == Status::Done);
        if is_done && run.adapter().join(WEIGHTS).is_file() {
            return Ok(run.adapter());
        }
    }
    let message = format!("no model was trained to its end in `{}`", project.dir().display());
    Err(Failure::new(Kind::Usage, message)
        .hint("a voice is a base where all weights were trained: `train.method: full`, or `base: scratch`"))
}

/// The folder of the project, if there is one.
#[derive(Debug)]
pub(crate) struct Place {
    project: Option<PathBuf>,
}

impl Place {
    /// The place of what is on the desk.
    pub(crate) fn of(desk: &Desk) -> Self {
        Self { project: desk.project().ok().map(|project| project.dir().to_path_buf()) }
    }

    /// A path as it was meant: one in `penname.yaml` begins in its folder, one on the command line
    /// where the person stands. What is no file in that folder is left as it is.
    pub(crate) fn meant(&self, typed: &str, origin: &Origin) -> String {
        let dir = self.project.as_ref().filter(|_| matches!(origin, Origin::File { .. }));
        let inside = dir.map(|dir| dir.join(Path::new(typed))).filter(|path| path.exists());
        inside.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| typed.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_where_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        penname_ledger::write::bytes(&dir.path().join("a.gguf"), b"").unwrap();
        let place = Place { project: Some(dir.path().to_path_buf()) };
        let file = Origin::File { name: "penname.yaml".into(), line: 1, column: 1 };
        let check = |typed: &str, origin: &Origin, is_inside: bool| {
            let meant = place.meant(typed, origin);
            assert_eq!(Path::new(&meant).starts_with(dir.path()), is_inside, "{typed}");
        };
        check("a.gguf", &file, true);
        check("./a.gguf", &file, true);
        check("a.gguf", &Origin::Flag("--base".into()), false);
        check("owner/name", &file, false);
    }
}
