//! Times cleaning, judging and deduplicating of made-up text, by the stream that does it.
//!
//! The text is drawn from a seed: posts, short messages, dialogues and pages of scanned books in
//! invented words, with the dirt that real ones have, one in ten a copy and one in ten nearly one.
//! Drawing it is not timed.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use penname_corpus::Settings;
use penname_corpus::clean::Traits;
use penname_corpus::document::{Body, Document, Kind, Speaker, Turn};
use penname_corpus::sieve::Sieve;
use penname_ledger::write::{self, Atomic};
use penname_ledger::{Seed, Stopwatch};
use serde_json::{Value, json};

use super::machine;
use super::text::Pen;
use crate::screen::say;
use crate::{Result, root, shell};

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Megabytes of text.
    #[arg(long, default_value_t = NonZeroUsize::new(1000).unwrap_or(NonZeroUsize::MIN))]
    megabytes: NonZeroUsize,
    /// Threads.
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    jobs: NonZeroUsize,
    /// The seed of the text.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Write the text as JSON lines to this file, for other programs, and time nothing.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// A Python with what `bench/peers/requirements-dedup.txt` installs: datatrove looks for near
    /// duplicates in the same text.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Megabytes of the text that it is given.
    #[arg(long, default_value_t = NonZeroUsize::new(50).unwrap_or(NonZeroUsize::MIN))]
    peer_megabytes: NonZeroUsize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Documents that are sifted at a time.
const BATCH: usize = 512;

/// Draws the text, sifts it, and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let wanted = options.megabytes.get() as u64 * 1_000_000;
    let mut drawn = Drawn { pen: Pen::new(Seed(options.seed)), n: 0, bytes: 0, last: Vec::new() };
    if let Some(path) = &options.write {
        return written(&mut drawn, wanted, path);
    }
    let dir = root().join("target/bench-corpus");
    write::folder(&dir)?;
    let mut settings = Settings::default();
    settings.validate.languages = vec!["en".to_owned()];
    let path = dir.join(format!("{}.jsonl", std::process::id()));
    let mut sieve = Sieve::new(&settings, &path)?;
    let mut seconds = 0.0;
    while drawn.bytes < wanted {
        let batch: Vec<Document> = (0..BATCH).map(|_| drawn.document()).collect();
        let watch = Stopwatch::start();
        sieve.push(batch, &Traits::default(), options.jobs.get());
        seconds += watch.seconds();
    }
    let watch = Stopwatch::start();
    let sifted = sieve.finish()?;
    let alike = watch.seconds();
    write::remove_file(&path)?;
    let megabytes = drawn.bytes as f64 / 1e6;
    let mut figures = json!({
        "machine": machine::cpu_name(),
        "megabytes": megabytes.round(),
        "documents": sifted.documents,
        "threads": options.jobs.get(),
        "MB/s": round(megabytes / (seconds + alike)),
        "MB/s a thread": round(megabytes / (seconds + alike) / options.jobs.get() as f64),
        "s of the stream": round(seconds),
        "s of comparing": round(alike),
        "peak MB": machine::peak_rss_bytes().map(|bytes| (bytes as f64 / 1e6).round()),
        "rejected": sifted.verdicts.rejected,
        "by rule": sifted.verdicts.reasons,
        "exact": sifted.found.exact,
        "near": sifted.found.near,
    });
    if let Some(python) = &options.python {
        figures["datatrove"] = peer(python, options)?;
    }
    say(&if options.json { figures.to_string() } else { super::listed(&figures) });
    Ok(())
}

/// What datatrove's MinHash makes of the beginning of the same text.
fn peer(python: &Path, options: &Options) -> Result<Value> {
    let path = root().join("target/bench-corpus/peer.jsonl");
    let mut drawn = Drawn { pen: Pen::new(Seed(options.seed)), n: 0, bytes: 0, last: Vec::new() };
    written(&mut drawn, options.peer_megabytes.get() as u64 * 1_000_000, &path)?;
    let work = root().join("target/bench-corpus");
    let mut command = shell::command(python);
    let output = shell::capture(command.arg("bench/peers/dedup.py").arg(&path).arg("--work").arg(work))?;
    write::remove_file(&path)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{')).ok_or("datatrove printed no figures")?;
    Ok(serde_json::from_str(line)?)
}

fn round(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}

/// A line of JSON for each document, with its words in one text.
fn written(drawn: &mut Drawn, wanted: u64, path: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = Atomic::create(path)?;
    while drawn.bytes < wanted {
        let document = drawn.document();
        let text = document.texts().collect::<Vec<_>>().join("\n\n");
        // A failed write is remembered by the file and told by `commit`.
        let _kept = writeln!(file, "{}", json!({ "id": drawn.n, "text": text }));
    }
    file.commit()?;
    say(&format!("{} documents in {}", drawn.n, path.display()));
    Ok(())
}

/// Documents drawn so far.
struct Drawn {
    pen: Pen,
    n: usize,
    bytes: u64,
    /// Bodies of a while ago, to be copied.
    last: Vec<Body>,
}

impl Drawn {
    /// Bodies kept to be copied.
    const KEPT: usize = 1000;

    fn document(&mut self) -> Document {
        self.n += 1;
        let body = match self.pen.below(10) {
            0 if !self.last.is_empty() => self.again(false),
            1 if !self.last.is_empty() => self.again(true),
            _ => self.fresh(),
        };
        let kind = if matches!(body, Body::Turns(_)) { Kind::Dialogue } else { Kind::Post };
        let document = Document::new(&format!("{:05}.txt", self.n / 1000), self.n % 1000, kind, None, body);
        self.bytes += document.texts().map(|text| text.len() as u64).sum::<u64>();
        document
    }

    fn fresh(&mut self) -> Body {
        let body = match self.pen.below(10) {
            0..3 => Body::Text(self.pen.message()),
            3..6 => {
                let turn = |speaker, text| Turn { speaker, text };
                let turns = (0..2 + self.pen.below(4)).flat_map(|_| {
                    [turn(Speaker::Other, self.pen.message()), turn(Speaker::Voice, self.pen.post(120))]
                });
                Body::Turns(turns.collect())
            }
            6..9 => Body::Text(self.pen.post(600)),
            _ => Body::Text(self.pen.scanned(12)),
        };
        let at = self.pen.below(Self::KEPT);
        match self.last.get_mut(at) {
            Some(last) => *last = body.clone(),
            None => self.last.push(body.clone()),
        }
        body
    }

    /// An earlier body, word for word or with another end.
    fn again(&mut self, changed: bool) -> Body {
        let at = self.pen.below(self.last.len());
        let mut body = self.last[at].clone();
        if changed {
            let end = self.pen.sentence();
            match &mut body {
                Body::Text(text) => text.push_str(&end),
                Body::Turns(turns) => turns.iter_mut().for_each(|turn| turn.text.push_str(&end)),
            }
        }
        body
    }
}
