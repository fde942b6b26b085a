//! The Python that the peers live in.

use std::path::{Path, PathBuf};

use penname_ledger::write;

use crate::screen::tell;
use crate::{Result, root, shell};

/// What `requirements.txt` and `requirements-llama-cpp.txt` install, as it is imported.
const MODULES: [&str; 7] = ["torch", "transformers", "peft", "trl", "datasets", "gguf", "psutil"];

/// The virtual environment of the bench, made if it is not there.
///
/// # Errors
/// When it cannot be made, or the packages cannot be installed.
pub(crate) fn environment() -> Result<PathBuf> {
    let dir = root().join("bench/.venv");
    let python = dir.join("bin/python");
    if !python.exists() {
        tell("making bench/.venv");
        shell::run(shell::command("python3").args(["-m", "venv"]).arg(&dir))?;
    }
    if !has(&python, &MODULES.join(", ")) {
        tell("installing the peers, which takes a while");
        install(&python, "bench/peers/requirements.txt")?;
    }
    Ok(python)
}

/// Installs llama.cpp if it is not there: it is compiled for this processor.
///
/// # Errors
/// When it cannot be compiled.
pub(crate) fn add_llama_cpp(python: &Path) -> Result<()> {
    if has(python, "llama_cpp") {
        return Ok(());
    }
    tell("compiling llama.cpp, which takes minutes");
    install(python, "bench/peers/requirements-llama-cpp.txt")
}

fn has(python: &Path, modules: &str) -> bool {
    shell::capture(shell::command(python).args(["-c", &format!("import {modules}")])).is_ok()
}

fn install(python: &Path, requirements: &str) -> Result<()> {
    shell::run(shell::command(python).args(["-m", "pip", "install", "--quiet", "-r", requirements]))
}

/// What everything was made with, a line each.
///
/// # Errors
/// When the compiler or the Python does not answer.
pub(crate) fn versions(python: &Path) -> Result<Vec<String>> {
    const CODE: &str = "import sys, importlib.metadata as m\nprint('python', sys.version.split()[0])\n\
        for name in ['torch', 'transformers', 'peft', 'trl', 'llama-cpp-python']:\n\
        \x20try: print(name, m.version(name))\n except m.PackageNotFoundError: pass";
    let rustc = shell::capture(shell::command("rustc").arg("--version"))?;
    let peers = shell::capture(shell::command(python).args(["-c", CODE]))?;
    // An unpacked archive has no history to name a commit from.
    let commit = shell::capture(shell::command("git").args(["describe", "--always", "--dirty"]));
    let commit = commit.map_or_else(|_| b"unknown".to_vec(), |output| output.stdout);
    let lines = [b"penname ".to_vec(), commit, rustc.stdout, peers.stdout].concat();
    Ok(String::from_utf8_lossy(&lines).trim().lines().map(str::to_owned).collect())
}

/// The base as a Hugging Face folder, converted once.
///
/// # Errors
/// When the script fails.
pub(crate) fn converted(python: &Path, gguf: &Path) -> Result<PathBuf> {
    let name = gguf.file_stem().map_or_else(|| "base".into(), |stem| stem.to_string_lossy().into_owned());
    let folder = root().join("bench/work").join(name);
    if !folder.join("tokenizer.json").exists() || !folder.join("config.json").exists() {
        write::folder(&folder)?;
        shell::run(shell::command(python).arg("bench/peers/convert.py").arg(gguf).arg(&folder))?;
    }
    Ok(folder)
}
