//! `penname write`: one request, one or more replies.

use std::io::Read;

use penname_token::{Message, Role};
use serde_json::json;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::harmless;
use crate::settings::Settings;
use crate::work::drawing::Drawing;
use crate::work::speaker::{How, Speaker};
use crate::work::voice::{self, Voice};

/// The most that is read from standard input.
const MAX_PROMPT_BYTES: u64 = 1 << 20;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The template the voice was trained with is always applied.

Examples:
  penname write \"My neighbour's dog barks all night. What can I do?\"
  cat letter.txt | penname write --n 3
  penname write --greedy --json \"Hello\"")]
pub(crate) struct Args {
    /// What to answer [default: standard input]
    prompt: Option<String>,
    /// Name of the run [default: the newest that is finished]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Number of replies
    #[arg(long, value_name = "N", default_value_t = 1)]
    n: usize,
    /// Take the likeliest token every time
    #[arg(long)]
    greedy: bool,
    /// A text that ends the reply; may be given more than once
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Answer with the base model instead of the voice; works before anything is trained, too
    #[arg(long)]
    from_base: bool,
}

/// Writes replies.
///
/// # Errors
/// When there is no voice, nothing to answer, or anything fails.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let prompt = prompt(args)?;
    let settings = desk.settings()?;
    let mut voice = open(args, desk, &settings)?;
    let mut messages = voice.opening();
    messages.push(Message::new(Role::User, prompt.trim()));
    let drawing = Drawing::decide(&settings.write, &voice.renderer, voice.contract.thinking, desk.witness());
    let needed = voice.renderer.prompt(&messages)?.len() + drawing.max_tokens;
    let mut device = std::mem::take(&mut voice.device);
    let model = if args.from_base { voice.base() } else { voice.tuned() };
    let mut speaker = Speaker::new(&model, 1, needed, &mut device)?;
    for n in 0..args.n {
        let mut sampler = drawing.sampler(settings.seed.0.wrapping_add(n as u64));
        if args.greedy {
            sampler.temperature = 0.0;
        }
        let how = How {
            sampler,
            max_tokens: drawing.max_tokens,
            end_ids: &voice.contract.stop_ids,
            stops: &args.stop,
            cancelled: Some(desk.stop()),
        };
        let answer = speaker.answer(&mut device, &voice.renderer, &messages, &how, &mut |piece| {
            desk.screen.piece(&harmless(piece))
        })?;
        let value = json!({ "text": answer.text, "finish": answer.finish.name(), "tokens": answer.n_tokens, "seed": how.sampler.seed });
        desk.screen.result(
            "write",
            &value,
            || if n + 1 < args.n { "\n\n".to_owned() } else { "\n".to_owned() },
        );
    }
    Ok(())
}

/// The voice, or the base model alone where nothing has been trained yet: it needs no project then, and any
/// model that can be opened can be asked.
fn open(args: &Args, desk: &Desk, settings: &Settings) -> Result<Voice, Failure> {
    let is_trained = match desk.project() {
        Ok(project) => args.run.is_some() || voice::newest(&project)?.is_some(),
        Err(_) => args.run.is_some(),
    };
    if args.from_base && !is_trained {
        return Voice::untrained(desk, settings);
    }
    Ok(Voice::open(desk, &desk.project()?, settings, args.run.as_deref())?.1)
}

fn prompt(args: &Args) -> Result<String, Failure> {
    let text = match &args.prompt {
        Some(text) => text.clone(),
        None => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().take(MAX_PROMPT_BYTES).read_to_end(&mut bytes);
            read.map_err(|error| {
                Failure::of(Kind::Input, &error).while_doing("standard input cannot be read")
            })?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    if text.trim().is_empty() {
        return Err(Failure::new(Kind::Usage, "there is nothing to answer")
            .hint("give the text as an argument or on standard input"));
    }
    Ok(text)
}
