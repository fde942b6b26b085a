//! `penname chat`: a conversation with a voice.

mod line;

use std::sync::atomic::Ordering;

use penname_token::{Message, Role};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::screen::harmless;
use crate::work::drawing::Drawing;
use crate::work::speaker::{How, Speaker};
use crate::work::voice::Voice;
use line::{HELP, Line};

/// Tokens of a conversation, unless the model was made for fewer.
const CONTEXT: usize = 2048;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ctrl-C stops an answer, Ctrl-D leaves. `/help` lists what else can be typed.

Examples:
  penname chat
  penname chat run-2 --set write.temperature=0.9")]
pub(crate) struct Args {
    /// Name of the run [default: the newest that is finished]
    run: Option<String>,
}

/// A conversation in progress.
struct Talk<'a> {
    desk: &'a Desk,
    voice: &'a Voice,
    device: penname_engine::backend::cpu::Cpu,
    tuned: Speaker,
    base: Option<Speaker>,
    messages: Vec<Message>,
    drawing: Drawing,
    seed: u64,
}

/// Talks until the person leaves.
///
/// # Errors
/// When there is no voice, or anything fails.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let (run, mut voice) = Voice::open(desk, &project, &settings, args.run.as_deref())?;
    let mut device = std::mem::take(&mut voice.device);
    let tuned = Speaker::new(&voice.tuned(), 1, CONTEXT, &mut device)?;
    desk.screen.note(&format!(
        "{} answers ({}); /help lists commands, Ctrl-D leaves",
        voice.contract.name,
        run.name()
    ));
    let messages = voice.opening();
    let mut talk = Talk {
        desk,
        voice: &voice,
        device,
        tuned,
        base: None,
        messages,
        drawing: Drawing::decide(&settings.write, &voice.renderer, voice.contract.thinking, desk.witness()),
        seed: settings.seed.0,
    };
    let mut editor = DefaultEditor::new().map_err(|error| Failure::of(Kind::Device, &error))?;
    loop {
        match editor.readline("> ") {
            Ok(typed) => {
                // History is a convenience; without it the conversation goes on.
                let _unkept = editor.add_history_entry(&typed);
                if !talk.take(&typed)? {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => desk.stop().store(false, Ordering::Relaxed),
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(Failure::of(Kind::Device, &error)),
        }
    }
}

impl Talk<'_> {
    /// Does what a line asks for; `false` ends the conversation.
    fn take(&mut self, typed: &str) -> Result<bool, Failure> {
        match line::read(typed) {
            Line::Nothing => {}
            Line::Say(text) => {
                self.messages.push(Message::new(Role::User, text));
                self.answer()?;
            }
            Line::Leave => return Ok(false),
            Line::Help => self.desk.screen.note(HELP),
            Line::Compare => self.compare()?,
            Line::Retry => self.retry()?,
            Line::Undo => self.undo(),
            Line::Reset => self.messages = self.voice.opening(),
            Line::System(text) => {
                self.messages.retain(|message| message.role != Role::System);
                self.messages.insert(0, Message::new(Role::System, text));
            }
            Line::Template => self.desk.screen.note(self.voice.renderer.template().source()),
            Line::Set(name, value) => self.set(&name, &value),
            Line::Unknown(word) => {
                self.desk.screen.note(&format!("`{word}` is no command; /help lists them"))
            }
        }
        Ok(true)
    }

    fn answer(&mut self) -> Result<(), Failure> {
        let text = self.speak(Who::Voice)?;
        self.messages.push(Message::new(Role::Assistant, text));
        Ok(())
    }

    /// Lets the base model answer the last thing that was asked; the conversation stays as it is.
    fn compare(&mut self) -> Result<(), Failure> {
        let Some(asked) = self.messages.iter().rposition(|message| message.role == Role::User) else {
            self.desk.screen.note("nothing has been asked yet");
            return Ok(());
        };
        if self.base.is_none() {
            self.base = Some(Speaker::new(&self.voice.base(), 1, CONTEXT, &mut self.device)?);
        }
        let later = self.messages.split_off(asked + 1);
        let spoken = self.speak(Who::Base);
        self.messages.extend(later);
        spoken.map(drop)
    }

    fn retry(&mut self) -> Result<(), Failure> {
        self.seed = self.seed.wrapping_add(1);
        match self.messages.iter().rposition(|message| message.role == Role::User) {
            Some(asked) => {
                self.messages.truncate(asked + 1);
                self.answer()
            }
            None => Ok(()),
        }
    }

    fn undo(&mut self) {
        if let Some(asked) = self.messages.iter().rposition(|message| message.role == Role::User) {
            self.messages.truncate(asked);
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let set = match name {
            "temperature" => value.parse().map(|v| self.drawing.temperature = v).is_ok(),
            "top_k" => value.parse().map(|v| self.drawing.top_k = v).is_ok(),
            "top_p" => value.parse().map(|v| self.drawing.top_p = v).is_ok(),
            "min_p" => value.parse().map(|v| self.drawing.min_p = v).is_ok(),
            "repetition_penalty" => value.parse().map(|v| self.drawing.repetition_penalty = v).is_ok(),
            "max_tokens" => value.parse().map(|v| self.drawing.max_tokens = v).is_ok(),
            "seed" => value.parse().map(|v| self.seed = v).is_ok(),
            _ => false,
        };
        let told = if set {
            format!("{name} is {value}")
        } else {
            format!("`{name}` cannot be set to `{value}`; /help says what can")
        };
        self.desk.screen.note(&told);
    }

    /// Streams an answer to the messages so far.
    fn speak(&mut self, who: Who) -> Result<String, Failure> {
        let speaker = match (who, &mut self.base) {
            (Who::Base, Some(base)) => base,
            _ => &mut self.tuned,
        };
        let how = How {
            sampler: self.drawing.sampler(self.seed),
            max_tokens: self.drawing.max_tokens,
            end_ids: &self.voice.contract.stop_ids,
            stops: &[],
            cancelled: Some(self.desk.stop()),
        };
        let screen = &self.desk.screen;
        let answer =
            speaker.answer(&mut self.device, &self.voice.renderer, &self.messages, &how, &mut |piece| {
                screen.piece(&harmless(piece))
            });
        // Ctrl-C ended this answer, not the conversation.
        self.desk.stop().store(false, Ordering::Relaxed);
        let answer = answer?;
        screen.result(
            "reply",
            &serde_json::json!({ "text": answer.text, "finish": answer.finish.name() }),
            || "\n".to_owned(),
        );
        if answer.finish == penname_infer::Finish::Length {
            screen.note("the answer was cut: it reached `max_tokens`, or the conversation is as long as it can be (/reset begins anew)");
        }
        Ok(answer.text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Voice,
    Base,
}
