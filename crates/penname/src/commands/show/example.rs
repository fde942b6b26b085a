//! `penname show example`: what the model sees, with the part that is learned marked.

use penname_token::{Example, Sequence, Span, TooLong};
use serde_json::{Value, json};

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::{Ink, Paint, harmless, number};
use crate::work::learned;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "On a terminal the learned part stands in reverse, elsewhere between ⟦ and ⟧.")]
pub(crate) struct Args {
    /// Its number from 1, or the beginning of its id
    #[arg(default_value = "1")]
    example: String,
    /// One of those kept apart for measuring
    #[arg(long)]
    held_out: bool,
    /// Show token ids instead of text
    #[arg(long)]
    ids: bool,
}

/// Shows one example as the model sees it.
///
/// # Errors
/// When nothing was prepared yet, there is no such example, or the base model cannot be had.
pub(super) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let prepared = super::prepared(desk, &project, &settings)?;
    let (examples, what) = match args.held_out {
        true => (&prepared.held_out, "held-out example"),
        false => (&prepared.train, "example"),
    };
    let (idx, example) = super::pick(what, examples, |example| &example.id, &args.example)?;
    let base = Base::open(desk, &settings)?;
    let limit = settings.train.batch_tokens.min(base.config.context);
    let renderer = base.renderer.with_context(limit, TooLong::Refuse);
    let sequences: Vec<Sequence> =
        renderer.render_turns(example).into_iter().collect::<Result<_, _>>().map_err(|verdict| {
            let failure = Failure::of(Kind::Input, &verdict);
            let failure = failure.while_doing(format!("{what} {} cannot be learned from", idx + 1));
            failure.hint("`train.batch_tokens` is the longest example; `penname show document` shows where it comes from")
        })?;
    desk.screen.result("example", &value(example, &sequences), || {
        let paint = desk.screen.paint();
        let mut text = heading(what, idx, example, paint);
        for sequence in &sequences {
            let spans = sequence.explain(renderer.tokenizer());
            text += &counts(sequence, paint);
            text += &if args.ids { ids(&spans, paint) } else { words(&spans, paint) };
        }
        text
    });
    Ok(())
}

fn value(example: &Example, sequences: &[Sequence]) -> Value {
    let sequence = |sequence: &Sequence| {
        json!({
            "ids": sequence.ids,
            "mask": sequence.mask,
            "tokens": sequence.len(),
            "trained": sequence.n_trained,
        })
    };
    json!({
        "id": example.id,
        "document": example.document,
        "messages": example.messages,
        "rights": example.rights,
        "asked": example.asked,
        "sequences": sequences.iter().map(sequence).collect::<Vec<_>>(),
    })
}

fn heading(what: &str, idx: usize, example: &Example, paint: Paint) -> String {
    let rights = learned::told(example.rights);
    let mut about = format!("id {}, document {}, {rights}", example.id, example.document);
    if let Some(asked) = &example.asked {
        let from = format!(
            "\nits question was written by {} ({}), prompt {}, task {}",
            asked.model, asked.provider, asked.prompt, asked.task
        );
        about += &from;
    }
    format!(
        "{}\n{}\n",
        paint.with(Ink::Bold, &format!("{what} {}", idx + 1)),
        paint.with(Ink::Dim, &harmless(&about))
    )
}

fn counts(sequence: &Sequence, paint: Paint) -> String {
    let all = number::of(sequence.len() as u64, "token", "tokens");
    let line = format!("{all}, {} learned", number::count(sequence.n_trained as u64));
    paint.with(Ink::Dim, &line) + "\n\n"
}

fn words(spans: &[Span], paint: Paint) -> String {
    let text: String = spans.iter().map(|span| marked(&harmless(&span.text), span.trained, paint)).collect();
    text.trim_end_matches('\n').to_owned() + "\n"
}

fn ids(spans: &[Span], paint: Paint) -> String {
    let line = |span: &Span| {
        let ids: Vec<String> = span.ids.iter().map(u32::to_string).collect();
        marked(&ids.join(" "), span.trained, paint) + "\n"
    };
    spans.iter().map(line).collect()
}

fn marked(text: &str, trained: bool, paint: Paint) -> String {
    match (trained, paint.is_on()) {
        (false, _) => text.to_owned(),
        (true, true) => paint.with(Ink::Reverse, text),
        (true, false) => format!("⟦{text}⟧"),
    }
}
