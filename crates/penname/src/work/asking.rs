//! Questions for the passages of a project: what is wanted, the list of what is missing, and the base model
//! as one that answers prompts.

use std::path::PathBuf;

use penname_corpus::ask::settings::Without;
use penname_corpus::ask::{Ask, End, Missing, Prompt, Reply, Respondent, row::Usage};
use penname_engine::backend::cpu::Cpu;
use penname_infer::{Finish, Weights};
use penname_ledger::{Event, Witness, write};
use penname_token::{Message, Role};
use penname_train::settings::Base as Kept;

use super::drawing::Drawing;
use super::speaker::{How, Speaker};
use super::training;
use crate::base::Base;
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

/// The name of the list of passages without questions.
const LIST: &str = "missing.jsonl";

/// The settings with the share of passages that may be without questions, as it was typed.
///
/// # Errors
/// When it is no share.
pub(crate) fn accepting(settings: Settings, typed: Option<&str>) -> Result<Settings, Failure> {
    let Some(typed) = typed else { return Ok(settings) };
    let share = match typed.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => typed.trim().parse(),
    };
    let wrong = |_| {
        Failure::new(Kind::Usage, format!("`--accept-missing {typed}` is no share"))
            .hint("give a share of a hundred, such as 10%, or of one, such as 0.1")
    };
    let share = share.map_err(wrong)?;
    Ok(settings.with("corpus.ask.accept_missing", &share.to_string(), "--accept-missing")?)
}

/// The same settings for a look at what there is: a passage without questions stops nothing.
pub(crate) fn lenient(ask: &Ask) -> Ask {
    Ask { accept_missing: 1.0, without: Without::Complete, ..ask.clone() }
}

/// Writes down which passages have no questions, and where; nothing where all have.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn list(project: &Project, missing: &[Missing]) -> Result<Option<PathBuf>, Failure> {
    let path = project.asked().join(LIST);
    if missing.is_empty() {
        if path.exists() {
            write::remove_file(&path)?;
        }
        return Ok(None);
    }
    write::folder(&project.asked())?;
    write::json_lines(&path, missing)?;
    Ok(Some(path))
}

/// One who is told how far something is and nothing else: what is read on the way to something else is
/// told when it is read for itself.
pub(crate) struct Progress<'a>(pub(crate) &'a dyn Witness);

impl Witness for Progress<'_> {
    fn see(&self, event: &Event) {
        if matches!(event, Event::Progress { .. } | Event::Warning { .. }) {
            self.0.see(event);
        }
    }
}

/// A base model that answers prompts.
pub(crate) struct Local<'a> {
    desk: &'a Desk,
    base: Base,
    weights: Weights,
    device: Cpu,
    drawing: Drawing,
    stop_ids: Vec<u32>,
    seed: u64,
}

impl<'a> Local<'a> {
    /// Opens the model that is to be asked.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn open(desk: &'a Desk, settings: &Settings) -> Result<Self, Failure> {
        let ask = &settings.corpus.ask;
        let named = ask.model.as_deref().filter(|name| *name != settings.base);
        let base = match named {
            Some(name) => Base::open_named(desk, settings, name)?,
            None => Base::open(desk, settings)?,
        };
        let mut device = desk.device();
        let loading = training::loading(Kept::Stored, &settings.train, &device, desk.witness())?;
        let weights = Weights::load(&base.checkpoint, None, loading, &mut device)?;
        let thinking = settings.voice.thinking;
        let mut drawing = Drawing::decide(&settings.write, &base.renderer, thinking, desk.witness());
        if let Some(temperature) = ask.temperature {
            drawing.temperature = temperature as f32;
        }
        let stop_ids = base.stop_ids();
        Ok(Self { desk, base, weights, device, drawing, stop_ids, seed: settings.seed.0 })
    }

    /// Answers prompts that have been made into conversations.
    fn said(&mut self, conversations: &[Vec<Message>], max_tokens: usize) -> Result<Vec<Reply>, Failure> {
        let renderer = &self.base.renderer;
        let lengths: Vec<usize> = conversations
            .iter()
            .map(|turns| Ok(renderer.prompt(turns)?.len()))
            .collect::<Result<_, Failure>>()?;
        let longest = lengths.iter().max().copied().unwrap_or_default();
        let (model, slots) = (self.weights.base(), conversations.len().max(1));
        let mut speaker = Speaker::new(&model, slots, longest + max_tokens, &mut self.device)?;
        let how = How {
            sampler: self.drawing.sampler(self.seed),
            max_tokens,
            end_ids: &self.stop_ids,
            stops: &[],
            cancelled: Some(self.desk.stop()),
        };
        let answers = speaker.answer_all(&mut self.device, renderer, conversations, &how, || {});
        speaker.release(&mut self.device);
        // Another try of the same prompt is not to say the same again.
        self.seed = self.seed.wrapping_add(1);
        let reply = |(answer, read): (super::speaker::Answer, &usize)| Reply {
            text: answer.text,
            end: if answer.finish == Finish::Length { End::Limit } else { End::Done },
            usage: Usage { input: *read as u64, output: answer.n_tokens as u64, ..Usage::default() },
            request_id: None,
        };
        Ok(answers?.into_iter().zip(&lengths).map(reply).collect())
    }

    /// Whether there is room for a prompt and its answer.
    fn fits(&self, turns: &[Message], max_tokens: usize) -> Result<(), String> {
        let context = self.base.config.context;
        let length = self.base.renderer.prompt(turns).map_err(|error| error.to_string())?.len();
        if length + max_tokens <= context {
            return Ok(());
        }
        Err(format!(
            "{length} tokens and {max_tokens} for the answer are more than the {context} that the model was made for"
        ))
    }
}

impl Respondent for Local<'_> {
    fn answer(&mut self, prompts: &[Prompt]) -> Result<Vec<Result<Reply, String>>, String> {
        let turns = |prompt: &Prompt| {
            let mut turns = vec![Message::new(Role::System, prompt.system.clone())];
            turns.extend(prompt.turns.iter().cloned());
            turns
        };
        let max_tokens = prompts.iter().map(|prompt| prompt.max_tokens).max().unwrap_or_default();
        let max_tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX);
        let conversations: Vec<Vec<Message>> = prompts.iter().map(turns).collect();
        let fits: Vec<Result<(), String>> =
            conversations.iter().map(|turns| self.fits(turns, max_tokens)).collect();
        let fitting = conversations.iter().zip(&fits).filter(|(_, fits)| fits.is_ok());
        let fitting: Vec<Vec<Message>> = fitting.map(|(turns, _)| turns.clone()).collect();
        let said = self.said(&fitting, max_tokens).map_err(|failure| failure.report().message)?;
        let mut said = said.into_iter();
        let each = |fits: Result<(), String>| match fits {
            Ok(()) => said.next().ok_or_else(|| "no answer".to_owned()),
            Err(why) => Err(why),
        };
        Ok(fits.into_iter().map(each).collect())
    }
}
