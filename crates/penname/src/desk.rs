//! What every command has at hand: the screen, the settings, the project, the stop sign.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_ledger::Witness;

use crate::cli::Global;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::screen::{Screen, Voice};
use crate::settings::environment::Environment;
use crate::settings::{self, Layers, Settings, layer};
use crate::stop;

/// What every command has at hand.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What a person sees.
    pub(crate) screen: Screen,
    /// Secrets and paths.
    pub(crate) environment: Environment,
    global: Global,
}

impl Desk {
    /// Puts everything in its place. Nothing is read from disk yet.
    pub(crate) fn new(global: Global) -> Self {
        let environment = Environment::read();
        let voice = match (global.json, global.quiet) {
            (true, _) => Voice::Json,
            (false, true) => Voice::Quiet,
            (false, false) => Voice::Words,
        };
        Self { screen: Screen::new(voice, environment.no_color), environment, global }
    }

    /// Whom libraries tell what they do.
    pub(crate) fn witness(&self) -> &dyn Witness {
        &self.screen
    }

    /// Set once somebody pressed Ctrl-C: finish the step, save, say how to go on.
    pub(crate) fn stop(&self) -> &'static AtomicBool {
        stop::flag()
    }

    /// Whether connections may be opened.
    pub(crate) fn is_offline(&self) -> bool {
        self.global.offline
    }

    /// Threads asked for; all there are where nothing was.
    pub(crate) fn threads(&self) -> Option<NonZeroUsize> {
        self.global.threads
    }

    /// Threads in use.
    pub(crate) fn n_threads(&self) -> usize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads().unwrap_or_else(all).get()
    }

    /// The base model that was typed, for a command that writes it down.
    pub(crate) fn typed_base(&self) -> Option<&str> {
        self.global.base.as_deref()
    }

    /// The project that was named, or the one around the folder one stands in.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn project(&self) -> Result<Project, Failure> {
        if let Some(dir) = &self.global.project {
            return Project::at(dir);
        }
        let here = here()?;
        // Where one stands is told as `.`, so that messages show paths as they would be typed.
        match Project::around(&here) {
            Some(project) if project.dir() == here => Project::at(Path::new(".")),
            Some(project) => Ok(project),
            None => Project::at(&here)
                .map_err(|failure| failure.while_doing("this folder, and those above it, hold no voice")),
        }
    }

    /// The project with its settings.
    ///
    /// # Errors
    /// When there is none, or a setting cannot be used.
    pub(crate) fn open(&self) -> Result<(Project, Settings), Failure> {
        Ok((self.project()?, self.settings()?))
    }

    /// Every setting, resolved: with those of the project where there is one.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let project = match (&self.global.project, self.project()) {
            (Some(_), project) => Some(project?),
            (None, project) => project.ok(),
        };
        let file = match project {
            Some(project) => settings::read_file(&project.settings())?,
            None => Vec::new(),
        };
        Ok(Settings::resolve(Layers { file, flags: self.flags()? })?)
    }

    /// The settings of this project.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub(crate) fn settings_of(&self, project: &Project) -> Result<Settings, Failure> {
        let file = settings::read_file(&project.settings())?;
        Ok(Settings::resolve(Layers { file, flags: self.flags()? })?)
    }

    /// The processor, with the threads asked for.
    pub(crate) fn device(&self) -> Cpu {
        let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Cpu::with(self.threads().unwrap_or(all), Isa::best())
    }

    /// The settings without those of any project, for a command that begins one.
    ///
    /// # Errors
    /// When a flag cannot be used.
    pub(crate) fn settings_of_flags(&self) -> Result<Settings, Failure> {
        Ok(Settings::resolve(Layers { file: Vec::new(), flags: self.flags()? })?)
    }

    fn flags(&self) -> Result<Vec<settings::Entry>, settings::Error> {
        let global = &self.global;
        let mut flags = Vec::new();
        for typed in &global.set {
            flags.push(layer::assignment(typed)?);
        }
        // A flag of its own says more clearly what is meant than `--set`.
        let seed = global.seed.map(|seed| seed.to_string());
        let own = [
            ("base", "--base", global.base.clone()),
            ("seed", "--seed", seed),
            ("effort", "--effort", global.effort.clone()),
        ];
        for (name, flag, text) in own {
            if let Some(text) = text {
                flags.push(layer::flag(name, &text, flag)?);
            }
        }
        Ok(flags)
    }
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::of(Kind::Device, &error)
            .while_doing("the folder you are in cannot be found")
            .hint("change into a folder that exists")
    })
}
