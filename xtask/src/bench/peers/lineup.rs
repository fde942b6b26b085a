//! Everybody who can take part, each with what is typed for it.

use std::path::{Path, PathBuf};

use super::Options;
use super::runner::Runner;
use crate::bench::shape;
use crate::{Result, root, shell};

/// Where systems keep their libraries.
const LIBRARIES: [&str; 6] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/opt/lib",
];

/// What all runners are made from.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) options: &'a Options,
    pub(crate) python: PathBuf,
    /// The base as it is published, and as a Hugging Face folder.
    pub(crate) gguf: PathBuf,
    pub(crate) folder: PathBuf,
    /// Chat rows as JSON lines.
    pub(crate) data: PathBuf,
}

/// A runner, or why there is none.
pub(crate) type Entry = std::result::Result<Runner, (String, String)>;

impl Ground<'_> {
    /// The runner of this name.
    pub(crate) fn runner(&self, name: &str) -> Entry {
        let made = match name.split(' ').collect::<Vec<_>>()[..] {
            ["penname", "chat"] => self.chat(name),
            ["penname", task @ ("prefill" | "decode" | "batch"), format] => self.use_of(name, task, format),
            ["penname", model, method, batch, numbers] => {
                self.our_step(name, [model, method, batch, numbers])
            }
            ["pytorch", model, method, batch, numbers, ref extras @ ..] => {
                self.pytorch(name, [model, method, batch, numbers], extras)
            }
            ["llama.cpp", task, format] => self.llama_cpp(name, task, format),
            ["transformers", "batch", numbers] => Ok(self.script(name, "generate.py", &self.folder).args([
                "--numbers",
                numbers,
                "--rounds",
                "1",
            ])),
            ["trl", way] => Ok(self.trl(name, way)),
            ["llm.c"] => self.llmc(name),
            [project @ ("burn" | "candle")] => self.rust(name, project),
            [project @ ("burn" | "candle"), "tcmalloc"] => {
                self.rust(name, project).and_then(|runner| Ok(runner.env("LD_PRELOAD", tcmalloc()?)))
            }
            _ => Err(format!("nobody is called `{name}`").into()),
        };
        made.map_err(|error| (name.to_owned(), crate::chain(&*error)))
    }

    fn us(&self, name: &str, task: &str) -> Result<Runner> {
        let runner = Runner::new(name, std::env::current_exe()?);
        Ok(runner.args(["bench", task, "--json", "--threads"]).args([self.options.threads.to_string()]))
    }

    fn our_step(&self, name: &str, [model, method, batch, numbers]: [&str; 4]) -> Result<Runner> {
        let steps = self.options.steps.to_string();
        let model = if model == "smollm2" { self.gguf.clone() } else { shape_of(model)? };
        let words = ["--method", method, "--batch", batch, "--precision", numbers, "--steps", &steps];
        Ok(self.us(name, "step")?.args(words).args(["--model".into(), model.into_os_string()]))
    }

    fn use_of(&self, name: &str, task: &str, format: &str) -> Result<Runner> {
        let rounds = if task == "batch" { "1" } else { "5" };
        let runner = self.us(name, task)?.args(["--rounds", rounds, "--format", format, "--model"]);
        Ok(runner.args([&self.gguf]))
    }

    fn chat(&self, name: &str) -> Result<Runner> {
        let runner = self.us(name, "chat")?.args(["--model".into(), self.gguf.clone().into_os_string()]);
        let runner = runner.args(["--data".into(), self.data.clone().into_os_string()]);
        Ok(runner.args(self.chat_steps()).once())
    }

    fn chat_steps(&self) -> Vec<String> {
        let steps = self.options.chat_steps.map(|n| ["--steps".to_owned(), n.to_string()]);
        steps.into_iter().flatten().collect()
    }

    /// A script of ours in the bench's Python.
    fn script(&self, name: &str, script: &str, model: &Path) -> Runner {
        let threads = self.options.threads.to_string();
        let runner = Runner::new(name, &self.python).args([format!("bench/peers/{script}")]).args([model]);
        runner.args(["--threads", &threads]).env("OMP_NUM_THREADS", &threads)
    }

    fn pytorch(&self, name: &str, what: [&str; 4], extras: &[&str]) -> Result<Runner> {
        let [model, method, batch, numbers] = what;
        let folder = if model == "smollm2" { self.folder.clone() } else { shape_of(model)? };
        let steps = self.options.steps.to_string();
        let words = ["--method", method, "--batch", batch, "--numbers", numbers, "--steps", &steps];
        extras.iter().try_fold(self.script(name, "pytorch.py", &folder).args(words), |runner, extra| {
            match *extra {
                "tcmalloc" => Ok(runner.env("LD_PRELOAD", tcmalloc()?)),
                // What was compiled is kept, for the first step takes minutes.
                "compile" => {
                    let cache = root().join("bench/work/inductor");
                    Ok(runner.args(["--compile"]).env("TORCHINDUCTOR_CACHE_DIR", cache).once())
                }
                other => Err(format!("PyTorch is not run with `{other}`").into()),
            }
        })
    }

    fn trl(&self, name: &str, way: &str) -> Runner {
        let runner = self.script(name, "sft.py", &self.folder).args([&self.data]);
        let runner = runner.args(["--as", way]).args(self.chat_steps()).once();
        // The allocator helps whoever is tuned; as it comes, nobody has it.
        match tcmalloc().ok().filter(|_| way != "default") {
            Some(library) => runner.env("LD_PRELOAD", library),
            None => runner,
        }
    }

    fn llama_cpp(&self, name: &str, task: &str, format: &str) -> Result<Runner> {
        super::python::add_llama_cpp(&self.python)?;
        let file = crate::bench::subject::stored_as(&self.gguf, format)?;
        let rounds = if task == "each" { "1" } else { "5" };
        Ok(self.script(name, "llama_cpp.py", &file).args([task, "--rounds", rounds]))
    }

    fn llmc(&self, name: &str) -> Result<Runner> {
        let checkout =
            self.options.llmc.as_ref().ok_or("its source is in no package registry: give --llmc CHECKOUT")?;
        let folder = root().join("bench/work/llmc");
        Ok(self.script(name, "llmc.py", checkout).args([folder]).args(["--steps", "3"]).once())
    }

    /// A project of its own under `bench/peers`, compiled for this processor.
    fn rust(&self, name: &str, project: &str) -> Result<Runner> {
        let target = self.options.rust_target.clone().unwrap_or_else(|| root().join("bench/work/target"));
        let manifest = format!("bench/peers/{project}/Cargo.toml");
        let mut build = shell::cargo();
        build.args(["build", "--release", "--locked", "--quiet", "--manifest-path", &manifest]);
        // Flags of the outer build say nothing about this one.
        build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "-Ctarget-cpu=native");
        shell::run(build.env("CARGO_TARGET_DIR", &target))?;
        let threads = self.options.threads.to_string();
        let runner =
            Runner::new(name, target.join("release").join(format!("peer-{project}"))).args([&self.folder]);
        let runner = runner.args(["--batch", "4x256", "--steps", "3"]).env("RAYON_NUM_THREADS", threads);
        Ok(runner.once())
    }
}

/// The folder of a shape by the short name that rows use.
fn shape_of(model: &str) -> Result<PathBuf> {
    let name = match model {
        "gpt2" => "gpt2-124m",
        "tiny" => "llama-7m",
        other => other,
    };
    shape::find(name).ok_or_else(|| format!("there is no shape `{name}`"))?.folder(None)
}

fn tcmalloc() -> Result<PathBuf> {
    let places = LIBRARIES.iter().map(|dir| Path::new(dir).join("libtcmalloc_minimal.so.4"));
    Ok(places
        .into_iter()
        .find(|path| path.exists())
        .ok_or("libtcmalloc_minimal.so.4 is not on this machine")?)
}
