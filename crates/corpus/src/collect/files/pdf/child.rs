//! One PDF read by one engine in a process of its own, and what it answers.
//!
//! The program that uses this crate says with [`host`] how such a process is started; it must do
//! nothing but call [`serve`]. Both ends speak over the pipes: a line that names the engine and the
//! passwords there are, and the bytes of the file go in; one line of JSON comes out. The child limits its own memory and time, and
//! is killed when it takes longer all the same.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use penname_ledger::Stopwatch;
use serde::{Deserialize, Serialize};

use super::engine::{self, Broken};

/// Seconds one file may take.
pub(super) const SECONDS: u64 = 20;
/// Memory one file may take, in bytes.
const MEMORY: u64 = 2 << 30;
/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 256 << 20;
/// How often is looked whether a child has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// Begins the line that is the answer; whatever else a program writes is passed over.
const MARK: &str = "penname-pdf ";
/// What to say when this program cannot start children.
pub(super) const NO_HOST: &str =
    "PDF files are read by processes of their own, which this program does not start";

static HOST: OnceLock<Host> = OnceLock::new();

struct Host {
    program: PathBuf,
    arguments: Vec<OsString>,
    passwords: Vec<String>,
}

/// Says how a process is started that does nothing but [`serve`], and which passwords are tried on a
/// file that needs one. Only the first call counts.
pub fn host(program: PathBuf, arguments: Vec<OsString>, passwords: Vec<String>) {
    let _first = HOST.set(Host { program, arguments, passwords });
}

/// Whether there are passwords to try.
pub(crate) fn has_passwords() -> bool {
    HOST.get().is_some_and(|host| !host.passwords.is_empty())
}

/// What a child is asked to do.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    engine: String,
    passwords: Vec<String>,
}

/// What an engine found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Answer {
    /// What is written on each page.
    pub(super) pages: Vec<String>,
    /// Whether each page shows a picture.
    pub(super) pictures: Vec<bool>,
    /// Whether it needs a password.
    #[serde(default)]
    is_locked: bool,
    /// What the engine could not do with it.
    #[serde(default)]
    why: Option<String>,
}

impl Answer {
    /// What was found on pages.
    pub(super) fn found(pages: Vec<String>, pictures: Vec<bool>) -> Self {
        Self { pages, pictures, is_locked: false, why: None }
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No way to start a child was given.
    NoHost,
    /// The child could not be started.
    NoChild(String),
    /// The file needs a password.
    Locked,
    /// The engine does not understand the file.
    Damaged(String),
    /// It took too long and was stopped.
    Slow,
    /// It ended by itself without an answer: it wanted too much memory, or ran into a fault.
    Fell(String),
}

/// Reads one file on standard input, as the child of [`host`], and answers on standard output.
pub fn serve() {
    limit();
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Some(request) = serde_json::from_slice::<Request>(&bytes[..end]).ok().filter(|_| read.is_ok()) else {
        return;
    };
    let Some(engine) = engine::ALL.iter().find(|engine| engine.name == request.engine) else { return };
    let answer = match (engine.read)(&bytes[end + 1..], &request.passwords) {
        Ok(pages) => Answer::found(pages.texts, pages.pictures),
        Err(Broken::Locked) => Answer { is_locked: true, ..Answer::default() },
        Err(Broken::Damaged(why)) => Answer { why: Some(why), ..Answer::default() },
    };
    let mut out = std::io::stdout().lock();
    // Nobody reads the answer any more: then nobody needs it.
    let _unread = out.write_all(format!("\n{MARK}{}\n", serde_json::json!(answer)).as_bytes());
    let _unread = out.flush();
}

/// Limits this process, where the system can.
fn limit() {
    #[cfg(unix)]
    {
        use rlimit::{Resource, setrlimit};
        // Without a limit the parent still has its clock.
        let _unlimited = setrlimit(Resource::AS, MEMORY, MEMORY);
        let _unlimited = setrlimit(Resource::CPU, SECONDS + 1, SECONDS + 2);
        let _unlimited = setrlimit(Resource::CORE, 0, 0);
    }
}

/// Has one file read by one engine.
///
/// # Errors
/// Why there is no answer.
pub(super) fn ask(engine: &str, bytes: &[u8]) -> Result<Answer, Fault> {
    let host = HOST.get().ok_or(Fault::NoHost)?;
    let child = Command::new(&host.program)
        .args(&host.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Fault::NoChild(error.to_string()))?;
    let request = Request { engine: engine.to_owned(), passwords: host.passwords.clone() };
    let (status, out) = talk(child, &serde_json::json!(request).to_string(), bytes);
    let line = out.lines().rev().find_map(|line| line.strip_prefix(MARK));
    let answer: Option<Answer> = line.and_then(|line| serde_json::from_str(line).ok());
    match (answer, status) {
        (Some(Answer { is_locked: true, .. }), _) => Err(Fault::Locked),
        (Some(Answer { why: Some(why), .. }), _) => Err(Fault::Damaged(why)),
        (Some(answer), _) => Ok(answer),
        (None, Some(status)) => Err(Fault::Fell(status.to_string())),
        (None, None) => Err(Fault::Slow),
    }
}

/// Writes to a child and reads from it, both at once, until it ends or its time is over; how it
/// ended is nothing where it was stopped.
fn talk(mut child: Child, request: &str, bytes: &[u8]) -> (Option<ExitStatus>, String) {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut out = Vec::new();
    // Two pipes and a clock are waited for at once. The threads end with the child.
    let status = std::thread::scope(|scope| {
        scope.spawn(|| {
            let Some(mut stdin) = stdin else { return };
            // A child that ends early closes the pipe; its status says why.
            let _closed =
                stdin.write_all(format!("{request}\n").as_bytes()).and_then(|()| stdin.write_all(bytes));
        });
        let reading = scope.spawn(|| {
            let mut read = Vec::new();
            if let Some(stdout) = stdout {
                let _torn = stdout.take(MAX_ANSWER).read_to_end(&mut read);
            }
            read
        });
        let status = wait(&mut child);
        out = reading.join().unwrap_or_default();
        status
    });
    (status, String::from_utf8_lossy(&out).into_owned())
}

/// Waits for a child; one that takes too long is killed.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let watch = Stopwatch::start();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if watch.seconds() < SECONDS as f64 => std::thread::sleep(PAUSE),
            _ => {
                let _gone = child.kill();
                let _gone = child.wait();
                return None;
            }
        }
    }
}
