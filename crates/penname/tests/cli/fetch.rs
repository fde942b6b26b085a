//! Writing that is fetched: from a blog on the loopback interface, by a program that may be killed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use penname_ledger::Stopwatch;

use crate::bench::Bench;
use crate::server::{Reply, Server};

const N_POSTS: usize = 24;
/// Seconds to wait for a blog to be asked before the test gives up.
const PATIENCE: f64 = 120.0;

/// A blog of many posts, each of which leads to the next, slow enough to be killed in the middle.
fn blog() -> Server {
    Server::start(|request, _| {
        sleep(Duration::from_millis(10));
        page(&request.path)
    })
}

/// How often each page was asked for.
fn counts(blog: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    blog.paths().into_iter().for_each(|path| *counts.entry(path).or_default() += 1);
    counts
}

fn page(path: &str) -> Reply {
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
        _ => return Reply::status(404),
    };
    Reply::ok(body)
}

fn bench(blog: &Server) -> Bench {
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
    let blog = blog();
    let bench = bench(&blog);
    for n_asked in [3, 9, 17] {
        let mut child = bench.command(&["prepare", "--quiet"]).stdout(Stdio::null()).spawn().unwrap();
        let watch = Stopwatch::start();
        while blog.seen().len() < n_asked {
            assert!(watch.seconds() < PATIENCE, "the blog was asked {} times", blog.seen().len());
            sleep(Duration::from_millis(1));
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    let counts = counts(&blog);
    let n_twice: usize =
        counts.iter().filter(|(path, _)| path.starts_with("/post")).map(|(_, n)| n - 1).sum();
    assert!(n_twice <= 3, "an answer that nobody heard may be asked for again, and no other: {counts:?}");
    assert_eq!(counts.keys().filter(|path| path.starts_with("/post")).count(), N_POSTS);
    let n_before = blog.seen().len();
    let again = bench.run(&["prepare"]);
    assert!(again.err.contains("prepare: already done"), "{}", again.err);
    assert_eq!(blog.seen().len(), n_before, "what was asked to its end is not asked again");
    let list = bench.run(&["show", "document"]).out;
    assert!(list.contains("@home/post-1-") && list.lines().count() > N_POSTS, "{list}");
}

#[test]
fn a_trial_keeps_nothing_and_offline_asks_nobody() {
    let blog = blog();
    let bench = bench(&blog);
    let offline = bench.run(&["prepare", "--offline"]);
    assert!(
        offline.err.contains("sources are not asked, because the network may not be used"),
        "{}",
        offline.err
    );
    assert_eq!((offline.code, blog.seen().len()), (3, 0), "{offline:?}");
    let tried = bench.run(&["prepare", "--limit", "1"]);
    assert_eq!(tried.code, 0, "{tried:?}");
    assert!(tried.out.contains("Kettle 1 sings"), "{}", tried.out);
    assert!(!bench.path("fetched/home").exists() && !bench.path("data/trial").exists());
}

#[test]
fn a_source_that_refuses_is_told_and_the_rest_is_used() {
    let blog = blog();
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
