//! A new model: its tokenizer learned from the writing, its weights drawn, both in a folder that
//! training begins from as from any other base.

use std::path::PathBuf;

use penname_corpus::Prepared;
use penname_corpus::document::{Document, Fate};
use penname_ledger::manifest::{Found, Order};
use penname_ledger::write::Staged;
use penname_ledger::{Choice, Event, Hash, Manifest, Stopwatch};
use penname_model::fresh;
use penname_token::template::builtin;
use penname_token::{Template, Tokenizer};
use serde_json::json;

use super::tokenizer;
use crate::base::{self, Place};
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

const STAGE: &str = "new model";
/// The template of a new model where the settings name none: the text and nothing else.
const TEMPLATE: &str = "text";

/// Makes the new model that the settings mean, or finds it made.
///
/// # Errors
/// When a size or a tokenizer makes no sense, or the file system refuses.
pub(crate) fn made(
    desk: &Desk,
    project: &Project,
    settings: &Settings,
    prepared: &Prepared,
) -> Result<PathBuf, Failure> {
    let folder = project.scratch();
    let texts = texts(prepared, &Fate::Train);
    let named = settings.tokenizer.file.as_deref();
    let named = named.map(|typed| Place::of(desk).meant(typed, settings.origin("tokenizer.file")));
    let order = order(settings, &texts, named.as_deref())?;
    if let Found::Done(manifest) = Manifest::find(&folder, &order.key()) {
        let reason = format!("drawn from the same writing and settings on {}", manifest.made_at);
        desk.witness().see(&Event::Skipped { stage: STAGE.into(), reason });
        return Ok(folder);
    }
    desk.witness().see(&Event::Started { stage: STAGE.into() });
    let watch = Stopwatch::start();
    let (tokenizer, mut choices) = match &named {
        Some(path) => (base::read_tokenizer(path.as_ref())?, vec![]),
        None => {
            let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            tokenizer::learned(&texts, &settings.tokenizer)?
        }
    };
    choices.iter().for_each(|choice| desk.witness().see(&Event::Choice(choice.clone())));
    choices.extend(settings.choices());
    draw(settings, &tokenizer, order, choices, &folder)?;
    desk.witness().see(&Event::Finished { stage: STAGE.into(), seconds: watch.seconds() });
    Ok(folder)
}

/// Everything that decides what the model begins as.
fn order(settings: &Settings, texts: &[(&str, String)], named: Option<&str>) -> Result<Order, Failure> {
    let mut order = Order::new(STAGE, env!("CARGO_PKG_VERSION"));
    match named {
        Some(path) => order.inputs.insert("tokenizer".to_owned(), Hash::of_file(path.as_ref())?),
        None => {
            let parts = texts.iter().map(|(_, text)| text.as_bytes());
            order.inputs.insert("texts".to_owned(), Hash::of_parts(parts))
        }
    };
    order.settings =
        json!({ "model": settings.model, "tokenizer": settings.tokenizer, "template": settings.template });
    order.seed = Some(settings.seed);
    Ok(order)
}

fn draw(
    settings: &Settings,
    tokenizer: &Tokenizer,
    order: Order,
    choices: Vec<Choice>,
    folder: &std::path::Path,
) -> Result<(), Failure> {
    let special = tokenizer.special_ids();
    let (bos, eos) = (special.bos, special.eos.first().copied());
    let config = settings.model.sizes().config(tokenizer.vocab_size(), settings.model.tied, bos, eos);
    let config = config.map_err(|error| {
        Failure::of(Kind::Usage, &error)
            .hint("`penname settings model --origin` shows where the sizes come from")
    })?;
    let staged = Staged::create(folder)?;
    fresh::write(&config, settings.seed, staged.dir())?;
    // A template of the person's own is theirs to name again; what is kept is the model's.
    let wanted = settings.template.as_deref().unwrap_or(TEMPLATE);
    let source = builtin::source(wanted).or_else(|_| builtin::source(TEMPLATE))?;
    Template::new(source, tokenizer)?;
    let mut files = tokenizer::save(staged.dir(), tokenizer, Some(source))?;
    files.extend(["config.json", "model.safetensors"]);
    let mut manifest = Manifest::new(order);
    manifest.choices = choices;
    manifest.counts.insert("vocabulary".to_owned(), tokenizer.vocab_size() as u64);
    manifest.finish(staged.dir(), &files)?;
    Ok(staged.commit()?)
}

/// The texts of the documents with this fate, each with its document's name: running text under its
/// title, the turns of a dialogue parted by blank lines.
pub(crate) fn texts<'p>(prepared: &'p Prepared, fate: &Fate) -> Vec<(&'p str, String)> {
    let text = |document: &'p Document| {
        let title = document.title.as_ref().filter(|title| title.given).map(|title| title.text.as_str());
        let parts: Vec<&str> = title.into_iter().chain(document.texts()).collect();
        (document.uid.as_str(), parts.join("\n\n"))
    };
    prepared.documents.iter().filter(|document| document.fate == *fate).map(text).collect()
}
