//! Where relative paths in settings begin.

use std::path::{Path, PathBuf};

use crate::desk::Desk;
use crate::settings::Origin;

/// The folder of the project, if there is one.
#[derive(Debug)]
pub(super) struct Place {
    project: Option<PathBuf>,
}

impl Place {
    pub(super) fn of(desk: &Desk) -> Self {
        Self { project: desk.project().ok().map(|project| project.dir().to_path_buf()) }
    }

    /// A path as it was meant: one in `penname.yaml` begins in its folder, one on the command line
    /// where the person stands. What is no file in that folder is left as it is.
    pub(super) fn meant(&self, typed: &str, origin: &Origin) -> String {
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
