//! `penname review`: somebody reads the examples, and decides.
//!
//! One example at a time, a letter for each answer: on a page of this machine, or in the terminal. What is
//! decided is on disk before the next example is shown, so a review can be left at any moment and gone on
//! with on another day.

mod edit;
mod line;
mod page;
mod status;
mod wish;

use penname_corpus::ask::Questions;
use penname_corpus::document::Fate;
use penname_corpus::review::{self, Catalogue, FLAGS, Item, Review, Standing, Verdict, risk, select};
use penname_corpus::{Prepared, Settings as Corpus};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::page::Listening;
use crate::project::Project;
use crate::screen::{Ink, Paint, harmless, number};
use crate::settings::Settings;
use crate::work::corpus::{self, Folders};
use line::{HELP, Line};
use page::{Furniture, Room};
use status::Status;

/// What was typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page is served to this machine only, at an address that is printed; open it in a browser, press `?`
for its keys, and Ctrl-C here when you are done. With `--tty`, answer with a letter and Enter:
k keep, d drop, e edit, n next, b back, u undo, f FLAG, q leave.
Decisions lie in `review/decisions.jsonl`; `penname prepare` and all that follows apply them.

Examples:
  penname review
  penname review --by ada --order risk
  penname review --sample 50
  penname review --tty --which stale
  penname review --status")]
pub(crate) struct Args {
    /// Which examples to go through
    #[arg(long, value_enum, default_value_t = Which::Open)]
    which: Which,
    /// Only so many of them, evenly spread over the corpus
    #[arg(long, value_name = "N")]
    sample: Option<std::num::NonZeroUsize>,
    /// In which order
    #[arg(long, value_enum, default_value_t = Order::Corpus)]
    order: Order,
    /// Your name, where several decide
    #[arg(long = "by", value_name = "NAME")]
    by: Option<String>,
    /// Ask in this terminal instead of on a page
    #[arg(long)]
    tty: bool,
    /// Port of the page [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, conflicts_with = "tty")]
    port: u16,
    /// Say how far it is, and decide nothing
    #[arg(long)]
    status: bool,
}

/// A choice among examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Those nobody has decided about
    Open,
    /// Those whose words have changed since
    Stale,
    /// Those that are decided about
    Decided,
    /// Those with a mark of a reader or a rule, or a sign of risk
    Marked,
    /// All of them
    All,
}

/// An order of examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// That of the corpus
    Corpus,
    /// The most doubtful first
    Risk,
    /// The longest first
    Longest,
    /// The shortest first
    Shortest,
    /// By chance, the same every time
    Mixed,
}

/// Goes through the examples of a project.
///
/// # Errors
/// When nothing can be prepared, or a decision cannot be written down.
pub(crate) fn run(args: &Args, desk: &Desk) -> Result<(), Failure> {
    let (project, settings) = desk.open()?;
    let prepared = corpus::prepared(desk, &project, &settings)?;
    if args.status || desk.screen.is_json() {
        let questions = Questions::read(&project.asked())?;
        let items = review::items(&prepared.documents, &settings.corpus, &questions);
        let status = Status::of(&Review::read(&project.review())?, &items);
        desk.screen.result("review", &status.value(), || status.told());
        return Ok(());
    }
    let record = review::Desk::open(&project.review(), args.by.clone())?;
    let begun = Begun { args, desk, project: &project, settings: &settings, prepared: &prepared };
    if args.tty { begun.in_terminal(record) } else { begun.on_page(record) }
}

/// A review that begins.
struct Begun<'a> {
    args: &'a Args,
    desk: &'a Desk,
    project: &'a Project,
    settings: &'a Settings,
    prepared: &'a Prepared,
}

impl Begun<'_> {
    fn in_terminal(&self, mut record: review::Desk) -> Result<(), Failure> {
        let (screen, settings) = (&self.desk.screen, &self.settings.corpus);
        let questions = Questions::read(&self.project.asked())?;
        let catalogue = Catalogue::new(review::items(&self.prepared.documents, settings, &questions));
        let wish = wish::of(self.args);
        let chosen = select::select(&catalogue, record.review(), record.reviewer(), &wish);
        let chosen: Vec<&Item<'_>> = chosen.into_iter().filter_map(|n| catalogue.items().get(n)).collect();
        if chosen.is_empty() {
            screen.note("there is no such example to decide about; `--which all` shows every one");
            return Ok(());
        }
        let mut reading = Reading { desk: self.desk, settings, chosen, at: 0, flags: Vec::new() };
        reading.go(&mut record)?;
        screen.note(&Status::of(record.review(), catalogue.items()).told());
        Ok(())
    }

    fn on_page(&self, record: review::Desk) -> Result<(), Failure> {
        let (screen, settings) = (&self.desk.screen, self.settings);
        let listening = Listening::on(self.args.port)?;
        let folders = Folders::of(self.project)?;
        let voice = settings.voice.name.clone().unwrap_or_else(|| self.project.name());
        let furniture = Furniture {
            prepared: self.prepared,
            settings: &settings.corpus,
            places: folders.places(),
            voice,
            first: wish::query(&wish::of(self.args)),
        };
        let room = Room::new(furniture, record)?;
        let examples = number::of(room.n_items() as u64, "example", "examples");
        // The flag listens to Ctrl-C from here on, before the address can be known.
        let stop = self.desk.stop();
        screen.note(&format!(
            "{examples} on a page of this machine, for you alone: open the address, press `?` for its keys; \
             Ctrl-C ends it, `--tty` asks here instead"
        ));
        screen.piece(&(listening.address() + "\n"));
        listening.serve(stop, |path, request| room.answer(path, request))?;
        let (record, catalogue) = room.leave();
        screen.note(&Status::of(record.review(), catalogue.items()).told());
        Ok(())
    }
}

/// A review in progress.
struct Reading<'r, 'i, 'd> {
    desk: &'r Desk,
    settings: &'r Corpus,
    chosen: Vec<&'i Item<'d>>,
    at: usize,
    /// What was ticked at the example that is shown.
    flags: Vec<String>,
}

impl Reading<'_, '_, '_> {
    fn go(&mut self, record: &mut review::Desk) -> Result<(), Failure> {
        let mut editor = DefaultEditor::new().map_err(|error| Failure::of(Kind::Device, &error))?;
        let mut is_shown = false;
        while let Some(item) = self.chosen.get(self.at).copied() {
            if !is_shown {
                self.desk.screen.piece(&self.shown(item, record));
                is_shown = true;
            }
            let typed = match editor.readline("keep, drop, edit, next, back, undo, flag, ?, quit > ") {
                Ok(typed) => typed,
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(Failure::of(Kind::Device, &error)),
            };
            let (before, line) = (self.at, line::read(&typed));
            let shows_again = matches!(line, Line::Back | Line::Undo);
            match line {
                Line::Leave => return Ok(()),
                Line::Help => self.desk.screen.note(&format!("{HELP}\n{}", flags())),
                Line::Next => self.at += 1,
                Line::Back => self.at = self.at.saturating_sub(1),
                Line::Flag(flag) => self.tick(flag),
                Line::Keep => self.decide(record, item, Verdict::Keep),
                Line::Drop => self.decide(record, item, Verdict::Drop),
                Line::Edit => match edit::changed(self.desk, &item.example, &mut editor)? {
                    Some(messages) => self.decide(record, item, Verdict::Edit { messages }),
                    None => self.desk.screen.note("nothing was changed"),
                },
                Line::Undo => self.undo(record)?,
                Line::Unknown(word) => {
                    self.desk.screen.note(&format!("`{}` is no answer; `?` lists them", harmless(&word)));
                }
            }
            if self.at != before || shows_again {
                self.flags.clear();
                is_shown = false;
            }
        }
        Ok(())
    }

    /// Writes a decision down and goes on; what cannot be taken is said, and the example stays.
    fn decide(&mut self, record: &mut review::Desk, item: &Item<'_>, verdict: Verdict) {
        match record.decide(&item.example, item.place, verdict, self.flags.clone()) {
            Ok(()) => self.at += 1,
            Err(error) => self.desk.screen.note(&error.to_string()),
        }
    }

    /// Takes the latest decision back and shows its example, if it is one of these.
    fn undo(&mut self, record: &mut review::Desk) -> Result<(), Failure> {
        let Some(undone) = record.undo()? else {
            self.desk.screen.note("nothing is decided that could be undone");
            return Ok(());
        };
        if let Some(at) = self.chosen.iter().position(|item| item.example.id == undone.example) {
            self.at = at;
        }
        Ok(())
    }

    fn tick(&mut self, flag: String) {
        let Some(known) =
            FLAGS.iter().find(|known| known.name.starts_with(flag.as_str()) && !flag.is_empty())
        else {
            self.desk.screen.note(&flags());
            return;
        };
        match self.flags.iter().position(|ticked| ticked == known.name) {
            Some(at) => drop(self.flags.remove(at)),
            None => self.flags.push(known.name.to_owned()),
        }
        self.desk.screen.note(&format!("flags: {}", self.flags.join(", ")));
    }

    /// An example as it is read: where it comes from, what was decided, its turns.
    fn shown(&self, item: &Item<'_>, record: &review::Desk) -> String {
        let paint = self.desk.screen.paint();
        let place = format!("{} of {}", self.at + 1, self.chosen.len());
        let held_out = if item.document.fate == Fate::HeldOut { ", held out for measuring" } else { "" };
        let from = format!(
            "{}, document {}, example {}{held_out}",
            item.document.path,
            item.document.position + 1,
            item.place + 1
        );
        let mut text =
            format!("\n{}  {}\n", paint.with(Ink::Bold, &place), paint.with(Ink::Dim, &harmless(&from)));
        let stands = record.review().standing_for(&item.example, item.place, record.reviewer());
        text += &standing(stands, paint);
        let signs = risk::signs(item.document, &item.example);
        let signs = signs.iter().map(|sign| sign.name.to_owned());
        let marks: Vec<String> = item.document.flags.iter().cloned().chain(signs).collect();
        if !marks.is_empty() {
            let marks = format!("look at: {}", marks.join(", "));
            text += &(paint.with(Ink::Dim, &harmless(&marks)) + "\n");
        }
        let persona = self.settings.persona.as_deref();
        for message in &item.example.messages {
            // The persona is the same everywhere.
            if persona == Some(message.content.as_str()) {
                continue;
            }
            let who = if message.is_trained() { Ink::Bold } else { Ink::Dim };
            let name = paint.with(who, message.role.name());
            text.extend(["\n", name.as_str(), "\n", harmless(&message.content).as_str(), "\n"]);
        }
        text + "\n"
    }
}

fn standing(standing: Standing<'_>, paint: Paint) -> String {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Keep => "kept",
        Verdict::Drop => "dropped",
        Verdict::Edit { .. } => "changed",
        Verdict::Undo => "open",
    };
    let line = match standing {
        Standing::Open => return String::new(),
        Standing::Decided(decision) => format!("{} on {}", word(&decision.verdict), decision.at),
        Standing::Stale(decision) => {
            format!("{} on {}, in other words: decide again", word(&decision.verdict), decision.at)
        }
    };
    paint.with(Ink::Dim, &line) + "\n"
}

fn flags() -> String {
    let lines = FLAGS.iter().map(|flag| format!("  f {:<14} {}", flag.name, flag.asks));
    std::iter::once("flags, for a drop or beside a keep:".to_owned())
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}
