//! The prepared corpus leaves in a shape that other programs read.

use std::path::{Path, PathBuf};

use penname_corpus::export::{self, Material, Shape, Written};
use penname_ledger::manifest::Order;
use penname_ledger::write::Staged;
use penname_ledger::{Manifest, Stopwatch};
use penname_token::Message;
use serde_json::json;

use super::corpus::{self, Folders};
use super::export::place::{self, Place};
use crate::base::Base;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::project::Project;
use crate::settings::Settings;

const STAGE: &str = "export data";

/// What was exported.
#[derive(Debug)]
pub(crate) struct Exported {
    /// Where it lies.
    pub(crate) dir: PathBuf,
    /// The record beside it.
    pub(crate) manifest: Manifest,
    /// Whether it lay there already.
    pub(crate) found: bool,
}

/// Writes the corpus of a project in a shape, or finds it written.
///
/// # Errors
/// When there is nothing to prepare, the shape wants a template and the base cannot be had, or somebody
/// else's files are in the way.
pub(crate) fn export(
    desk: &Desk,
    (project, settings): (&Project, &Settings),
    shape: &Shape,
    to: &Path,
) -> Result<Exported, Failure> {
    let prepared = corpus::prepared(desk, project, settings)?;
    let made = Manifest::read(&project.corpus())?;
    let base = if shape.needs_template() { Some(Base::open(desk, settings)?) } else { None };
    let template = base.as_ref().map(|base| base.renderer.template());
    let mut order = Order::new(STAGE, env!("CARGO_PKG_VERSION"));
    order.inputs.insert("corpus".to_owned(), made.order.key());
    order.settings = json!({ "shape": shape.name, "template": template.map(|template| template.source()) });
    let dir = to.to_owned();
    if let Place::Done(manifest) = place::look(to, &order)? {
        return Ok(Exported { dir, manifest: *manifest, found: true });
    }
    let watch = Stopwatch::start();
    let raw = match shape.needs_raw() {
        true => export::raw(Folders::of(project)?.places(), &settings.corpus)?,
        false => Vec::new(),
    };
    let render = template.map(|template| {
        |messages: &[Message]| template.render(messages, false).map_err(|error| error.to_string())
    });
    let prepared_at = made.made_at.to_string();
    let material = Material {
        prepared: &prepared,
        raw: &raw,
        prepared_at: &prepared_at,
        render: render.as_ref().map(|render| render as _),
    };
    let staged = Staged::create(to)?;
    let written = export::write(shape, &material, &staged)?;
    let manifest = record(order, &written, watch.seconds())
        .finish(staged.dir(), &written.records.keys().map(String::as_str).collect::<Vec<_>>())?;
    staged.commit()?;
    Ok(Exported { dir, manifest, found: false })
}

/// What was written, and what had no place in the shape.
fn record(order: Order, written: &Written, seconds: f64) -> Manifest {
    let mut manifest = Manifest::new(order);
    manifest.seconds = seconds;
    manifest.counts = written.records.clone();
    let left_out = written.left_out.iter().map(|(reason, n)| (format!("left out: {reason}"), *n));
    manifest.counts.extend(left_out);
    manifest
}
