//! `penname show document`: a piece of writing as it was read and cleaned.

use penname_corpus::Document;
use penname_corpus::document::{Body, Fate, Kind, Speaker};

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen::wrap::shorten;
use crate::screen::{Align, Ink, Paint, Screen, Table, harmless, number};
use crate::work::learned;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its number from 1, or the beginning of its id; without it, all are listed
    document: Option<String>,
}

/// Shows one document, or lists all.
///
/// # Errors
/// When nothing was prepared yet, or there is no such document.
pub(super) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let documents = super::prepared(desk, &project, &settings)?.documents;
    let screen = &desk.screen;
    match &args.document {
        Some(meant) => {
            let (idx, document) = super::pick("document", &documents, |document| &document.uid, meant)?;
            screen.result("document", document, || whole(idx, document, screen.paint()));
        }
        None => screen.result("documents", &documents, || list(&documents, screen)),
    }
    Ok(())
}

fn list(documents: &[Document], screen: &Screen) -> String {
    let heads = [
        ("", Align::Right),
        ("", Align::Left),
        ("characters", Align::Right),
        ("", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&heads);
    // Two long columns share what the short ones leave.
    let wide = (screen.columns().saturating_sub(34) / 2).max(12);
    for (idx, document) in documents.iter().enumerate() {
        table.row([
            (idx + 1).to_string(),
            fate(&document.fate).to_owned(),
            number::count(document.chars()),
            shorten(&harmless(&document.path), wide),
            shorten(&harmless(document.title.as_ref().map_or("", |title| &title.text)), wide),
        ]);
    }
    table.to_string()
}

/// A document in full.
pub(crate) fn whole(idx: usize, document: &Document, paint: Paint) -> String {
    let title = document.title.as_ref().map_or_else(String::new, |title| format!(": {}", title.text));
    let head = paint.with(Ink::Bold, &harmless(&format!("document {}{title}", idx + 1)));
    let why = match &document.fate {
        Fate::Dropped(why) => format!(" ({why})"),
        _ => String::new(),
    };
    let about = format!(
        "{} from {}, {} of {} characters, {}{why}, {}, id {}",
        kind(document.kind),
        document.path,
        number::count(document.chars()),
        number::count(document.given),
        fate(&document.fate),
        learned::told(document.rights),
        document.uid,
    );
    let about = paint.with(Ink::Dim, &harmless(&about));
    format!("{head}\n{about}\n\n{}\n", body(&document.body, paint))
}

fn body(body: &Body, paint: Paint) -> String {
    let turns = match body {
        Body::Text(text) => return harmless(text),
        Body::Turns(turns) => turns,
    };
    let turn = |turn: &penname_corpus::document::Turn| {
        let speaker = match turn.speaker {
            Speaker::Voice => "voice",
            Speaker::Aside => "voice, not learned",
            Speaker::Other => "other",
            Speaker::System => "system",
        };
        format!("{}\n{}", paint.with(Ink::Bold, &format!("{speaker}:")), harmless(&turn.text))
    };
    turns.iter().map(turn).collect::<Vec<_>>().join("\n\n")
}

fn fate(fate: &Fate) -> &'static str {
    match fate {
        Fate::Train => "trained",
        Fate::HeldOut => "held out",
        Fate::Dropped(_) => "dropped",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Dialogue => "dialogue",
        Kind::Post => "post",
        Kind::Text => "text",
    }
}
