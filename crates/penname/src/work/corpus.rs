//! The prepared corpus of a project.

use penname_corpus::Prepared;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::project::Project;
use crate::settings::Settings;

/// Prepares the writing of a project, or finds it prepared.
///
/// # Errors
/// When there is nothing to prepare, or too much of it is bad.
pub(crate) fn prepared(desk: &Desk, project: &Project, settings: &Settings) -> Result<Prepared, Failure> {
    let (writing, data) = (project.writing(), project.corpus());
    Ok(penname_corpus::store::prepare_into(&writing, &data, &settings.corpus, settings.seed, desk.witness())?)
}
