//! One run of the program: its lines, its last words, and an end to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child as Process, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use penname_ledger::Stopwatch;

use super::super::Fault;

/// The stop sign is looked at so often.
const LOOK: Duration = Duration::from_millis(200);
/// Most that is taken of one run, in bytes.
const MAX_BYTES: usize = 60 << 20;
/// Longest line, in bytes: a tweet with everything around it takes a few thousand.
const MAX_LINE: u64 = 4 << 20;
/// Bytes of its talk that are looked at for a reason.
const MAX_TALK: u64 = 64 << 10;
/// Words with which it says that no account may ask.
const NO_ACCOUNT: &[&str] = &["No account available", "No active accounts"];

/// What is run.
pub(super) struct Child<'a> {
    pub(super) program: &'a str,
    pub(super) database: Option<&'a str>,
    pub(super) query: &'a str,
    pub(super) most: usize,
    /// Minutes without a line after which it is ended.
    pub(super) silent_minutes: u64,
}

impl Child<'_> {
    /// Runs it to its end. Returns what it gave, and the fault where it did not end well.
    pub(super) fn run(&self, is_stopped: impl Fn() -> bool) -> (String, Option<Fault>) {
        let mut command = Command::new(self.program);
        command.args(self.database.iter().flat_map(|file| ["--db", *file]));
        command.args(["search", self.query, "--limit", &self.most.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Without an account that may ask, it should say so and end instead of waiting.
        command.env("TWS_RAISE_WHEN_NO_ACCOUNT", "true");
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return (String::new(), Some(self.fault("is not installed".to_owned())));
            }
            Err(error) => return (String::new(), Some(self.fault(format!("cannot be run: {error}")))),
        };
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        thread::scope(|scope| {
            let (send, lines) = channel();
            scope.spawn(move || stdout.map(|stdout| told(stdout, &send)));
            let talk = scope.spawn(move || stderr.map(talk).unwrap_or_default());
            let (text, ended) = self.gather(&lines, &is_stopped);
            if ended.is_some() {
                // It may have ended by itself meanwhile.
                let _gone = process.kill();
            }
            drop(lines);
            let fault = self.end(&mut process, || talk.join().unwrap_or_default(), &text, ended);
            (text, fault)
        })
    }

    /// Takes its lines until there are no more, or a reason not to.
    fn gather(&self, lines: &Receiver<String>, is_stopped: &impl Fn() -> bool) -> (String, Option<Fault>) {
        let (mut text, mut silence) = (String::new(), Stopwatch::start());
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    text += line.trim_end();
                    text.push('\n');
                    silence = Stopwatch::start();
                }
                Err(RecvTimeoutError::Disconnected) => return (text, None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let minutes = self.silent_minutes;
            match () {
                () if is_stopped() => return (text, Some(Fault::Interrupted)),
                () if text.len() > MAX_BYTES => {
                    return (text, Some(self.fault("gives more than 60 MiB for one search".to_owned())));
                }
                () if silence.seconds() > minutes as f64 * 60.0 => {
                    return (text, Some(self.fault(format!("said nothing for {minutes} minutes"))));
                }
                () => {}
            }
        }
    }

    /// How it ended.
    fn end(
        &self,
        process: &mut Process,
        talk: impl FnOnce() -> String,
        text: &str,
        ended: Option<Fault>,
    ) -> Option<Fault> {
        let status = process.wait();
        let talk = talk();
        if ended.is_some() {
            return ended;
        }
        let last = talk.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        match status {
            Err(error) => Some(self.fault(format!("was lost: {error}"))),
            Ok(_) if text.is_empty() && NO_ACCOUNT.iter().any(|words| talk.contains(words)) => {
                Some(self.fault(format!("has no account that may ask now: {last}")))
            }
            Ok(status) if status.success() => None,
            Ok(status) => Some(self.fault(format!("fails ({status}): {last}"))),
        }
    }

    fn fault(&self, why: String) -> Fault {
        Fault::Program { program: self.program.to_owned(), why }
    }
}

/// Hands on line by line. A line longer than any tweet ends it.
fn told(stdout: impl Read, send: &Sender<String>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && (n as u64) < MAX_LINE => {}
            _ => return,
        }
        if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

/// What it says beside: the end of it.
fn talk(mut stderr: impl Read) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stderr.read(&mut piece) {
        kept.extend_from_slice(&piece[..n]);
        let excess = kept.len().saturating_sub(MAX_TALK as usize);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
