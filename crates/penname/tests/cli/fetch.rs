//! Writing that is fetched: from a blog on the loopback interface, by a program that may be killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use penname_ledger::Stopwatch;

use crate::bench::Bench;

const N_POSTS: usize = 24;
/// Seconds to wait for a blog to be asked before the test gives up.
const PATIENCE: f64 = 120.0;

/// A blog of many posts, each of which leads to the next, and what it was asked.
struct Blog {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Blog {
    #[expect(clippy::disallowed_methods, reason = "a test needs somebody to answer")]
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(path) = asked(&stream) else { continue };
                remembered.lock().unwrap().push(path.clone());
                // Slow enough to be killed in the middle, and a client that is gone is none.
                sleep(Duration::from_millis(10));
                let _gone = answer(stream, &path);
            }
        });
        Self { address, seen }
    }

    fn n_asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// How often each page was asked for.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.seen.lock().unwrap().iter().for_each(|path| *counts.entry(path.clone()).or_default() += 1);
        counts
    }
}

fn asked(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    while lines.next()?.ok().is_some_and(|line| !line.is_empty()) {}
    Some(path)
}

fn answer(mut stream: TcpStream, path: &str) -> std::io::Result<()> {
    let number: Option<usize> = path.strip_prefix("/post/").and_then(|n| n.parse().ok());
    let body = match (path, number) {
        ("/", _) => "<html><body><h1>All</h1><a href=\"/post/1\">first</a></body></html>".to_owned(),
        (_, Some(n @ 1..=N_POSTS)) => {
            let words = [
                "sings in the key of",
                "wants vinegar once a week, as does the one in house",
                "was scolded by",
                "boils for",
            ]
            .map(|does| {
                format!("Kettle {n} {does} {n}, and the cat listens from window {}. ", n * does.len())
            })
            .concat();
            let next =
                if n < N_POSTS { format!("<a href=\"/post/{}\">on</a>", n + 1) } else { String::new() };
            format!(
                "<html><body><article><h1>Kettle {n}</h1><p>{words}</p></article><nav>{next}</nav></body></html>"
            )
        }
        _ => return write!(stream, "HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
    };
    write!(stream, "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn bench(blog: &Blog) -> Bench {
    let bench = Bench::with_writing(&[]);
    let source = format!("{{id: home, kind: blog, address: \"{}\", every_seconds: 0}}", blog.address);
    bench.write(
        "penname.yaml",
        &format!("corpus:\n  sources:\n    - {source}\n  network: {{contact: ann@a.test}}\n"),
    );
    bench
}

#[test]
fn killed_at_any_moment_it_goes_on_and_asks_nothing_twice() {
    let blog = Blog::start();
    let bench = bench(&blog);
    for n_asked in [3, 9, 17] {
        let mut child = bench.command(&["prepare", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        let watch = Stopwatch::start();
        while blog.n_asked() < n_asked {
            assert!(watch.seconds() < PATIENCE, "the blog was asked {} times", blog.n_asked());
            sleep(Duration::from_millis(1));
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    let counts = blog.counts();
    let n_twice: usize =
        counts.iter().filter(|(path, _)| path.starts_with("/post")).map(|(_, n)| n - 1).sum();
    assert!(n_twice <= 3, "an answer that nobody heard may be asked for again, and no other: {counts:?}");
    assert_eq!(counts.keys().filter(|path| path.starts_with("/post")).count(), N_POSTS);
    let n_before = blog.n_asked();
    let again = bench.run(&["prepare"]);
    assert!(again.err.contains("prepare: already done"), "{}", again.err);
    assert_eq!(blog.n_asked(), n_before, "what was asked to its end is not asked again");
    let list = bench.run(&["show", "document"]).out;
    assert!(list.contains("@home/post-1-") && list.lines().count() > N_POSTS, "{list}");
}

#[test]
fn a_trial_keeps_nothing_and_offline_asks_nobody() {
    let blog = Blog::start();
    let bench = bench(&blog);
    let offline = bench.run(&["prepare", "--offline"]);
    assert!(
        offline.err.contains("sources are not asked, because the network may not be used"),
        "{}",
        offline.err
    );
    assert_eq!((offline.code, blog.n_asked()), (3, 0), "{offline:?}");
    let tried = bench.run(&["prepare", "--limit", "1"]);
    assert_eq!(tried.code, 0, "{tried:?}");
    assert!(tried.out.contains("Kettle 1 sings"), "{}", tried.out);
    assert!(!bench.path("fetched/home").exists() && !bench.path("data/trial").exists());
}

#[test]
fn a_source_that_refuses_is_told_and_the_rest_is_used() {
    let blog = Blog::start();
    let bench = bench(&blog);
    let source = |id: &str, rest: &str| format!("    - {{id: {id}, {rest}, every_seconds: 0}}\n");
    let settings = "corpus:\n  sources:\n".to_owned()
        + &source("gone", &format!("kind: reddit-public, subreddit: x, address: \"{}\"", blog.address))
        + &source("home", &format!("kind: blog, address: \"{}\"", blog.address));
    bench.write("penname.yaml", &settings);
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("source `gone`: there is nothing at"), "{}", said.err);
    let issues = bench.run(&["show", "issues"]).out;
    assert!(issues.contains("@gone") && issues.contains("stopped before its end"), "{issues}");
    bench.write("penname.yaml", "corpus:\n  sources: [{id: a, kind: reddit, subredit: x}]\n");
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("source `a` cannot be used: unknown field `subredit`"), "{}", said.err);
}
