//! Decisions about examples, from the terminal to what is learned.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{Bench, Said, letters, result};

/// A voice with twelve letters, prepared.
fn prepared() -> Bench {
    let bench = Bench::with_writing(&[]);
    letters(12).iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    bench
}

/// Runs with lines typed.
fn typed(bench: &Bench, args: &[&str], lines: &str) -> Said {
    let mut command = bench.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn status(bench: &Bench) -> Value {
    let (code, objects) = bench.json(&["review", "--status"]);
    assert_eq!(code, 0);
    result(&objects).clone()
}

/// Answers that are learned or held out.
fn answers(bench: &Bench) -> Vec<String> {
    let lines = ["train", "held_out"]
        .map(|name| std::fs::read_to_string(bench.path(&format!("data/corpus/{name}.jsonl"))).unwrap());
    let answer = |line: &str| -> String {
        let example: Value = serde_json::from_str(line).unwrap();
        example["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
    };
    lines.iter().flat_map(|text| text.lines()).map(answer).collect()
}

#[test]
fn what_is_decided_is_learned_so() {
    let bench = prepared();
    let before = answers(&bench);
    assert_eq!(before.len(), 12);
    let said = typed(
        &bench,
        &["review", "--tty"],
        "k\nf pers\nd\nzz\ne\nDear friend, that kettle is gone.\nu\nd\nq\n",
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("1 of 12") && said.out.contains("letter-00.txt, document 1, example 1"),
        "{}",
        said.out
    );
    assert!(said.err.contains("flags: personal data"), "{}", said.err);
    assert!(said.err.contains("`zz` is no answer"), "{}", said.err);
    assert!(said.err.contains("3 of 12 examples decided: 1 kept, 2 dropped, 0 changed"), "{}", said.err);
    let record = std::fs::read_to_string(bench.path("review/decisions.jsonl")).unwrap();
    let rows: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<&str> = rows.iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["keep", "drop", "edit", "undo", "drop"]);
    assert_eq!(rows[1]["flags"], serde_json::json!(["personal data"]));

    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("left out in review"), "{}", said.out);
    assert_eq!(answers(&bench).len(), 10);
    assert!(bench.run(&["prepare"]).err.contains("already done"));
    // What was dropped is still there to be decided about.
    let now = status(&bench);
    assert_eq!((&now["examples"], &now["dropped"], &now["open"]), (&12.into(), &2.into(), &9.into()));
}

#[test]
fn changed_words_are_learned_and_other_writing_makes_them_stale() {
    let bench = prepared();
    let said = typed(&bench, &["review", "--tty", "--sample", "1"], "e\nDear friend, buy a new one.\n");
    assert!(said.err.contains("1 changed"), "{said:?}");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert!(answers(&bench).contains(&"Dear friend, buy a new one.".to_owned()));

    let (name, text) = &letters(1)[0];
    bench.write(&format!("writing/{name}"), &text.replace("vinegar", "lemon juice"));
    assert_eq!(bench.run(&["prepare"]).code, 0);
    let now = status(&bench);
    assert_eq!((&now["changed"], &now["stale"]), (&0.into(), &1.into()));
    assert!(answers(&bench).iter().any(|answer| answer.contains("lemon juice")));
    let said = typed(&bench, &["review", "--tty", "--which", "stale"], "q\n");
    assert!(said.out.contains("in other words: decide again"), "{}", said.out);
}

#[test]
fn two_people_decide_apart_and_are_compared() {
    let bench = prepared();
    assert_eq!(typed(&bench, &["review", "--tty", "--by", "ada"], "k\nk\nd\nd\nq\n").code, 0);
    let said = typed(&bench, &["review", "--tty", "--by", "ben"], "k\nd\nd\nd\nq\n");
    assert!(said.out.contains("1 of 12") && !said.out.contains("kept on"), "{said:?}");
    let (code, objects) = bench.json(&["review", "--status"]);
    assert_eq!(code, 0);
    let pair = &result(&objects)["agreement"][0];
    assert_eq!((&pair["one"], &pair["both"], &pair["alike"]), (&"ada".into(), &4.into(), &3.into()));
    assert_eq!(pair["kappa"], 0.5);
    assert!(said.err.contains("ada and ben decided 3 of 4 examples alike, kappa 0.50"), "{}", said.err);
}

#[test]
fn an_editor_of_ones_own_is_used() {
    let mut bench = prepared();
    bench.set("EDITOR", "sed -i s/kettle/samovar/");
    let said = typed(&bench, &["review", "--tty", "--sample", "1"], "e\n");
    assert!(said.err.contains("1 changed"), "{said:?}");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert!(answers(&bench).iter().any(|answer| answer.contains("samovar")));
}

/// The page, served by the program in a process of its own.
struct Served {
    child: std::process::Child,
    host: String,
    word: String,
}

impl Served {
    fn start(bench: &Bench, args: &[&str]) -> Self {
        let mut command = bench.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        let (host, word) = address.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
        Self { child, host: host.to_owned(), word: word.trim_end_matches('/').to_owned() }
    }

    /// Sends the head and body of a request as they are; the status and what was answered.
    #[expect(clippy::disallowed_methods, reason = "a test asks what the program serves")]
    fn raw(&self, request: &str) -> (u16, String) {
        let mut stream = std::net::TcpStream::connect(&self.host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.raw(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    }

    /// What lies behind the word.
    fn value(&self, path: &str) -> Value {
        let (status, answer) =
            self.get(&format!("/{}/{path}", self.word), &format!("Host: {}\r\n", self.host));
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> u16 {
        let body = body.to_string();
        let head = format!(
            "POST /{}/{path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.word,
            body.len(),
            host = self.host,
        );
        self.raw(&(head + &body)).0
    }

    /// Presses Ctrl-C; the exit code and what was said.
    fn stop(mut self) -> (i32, String) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn a_page_decides_as_the_terminal_does() {
    let bench = prepared();
    let page = Served::start(&bench, &["review", "--by", "ada"]);
    let queue = page.value("queue?show=open&sort=risk");
    assert_eq!(
        (queue["items"].as_array().unwrap().len(), queue["states"].as_str()),
        (12, Some("oooooooooooo"))
    );
    for (n, verdict) in ["keep", "drop", "drop"].iter().enumerate() {
        let seen = page.value(&format!("item?n={n}"));
        let said =
            serde_json::json!({ "n": n, "id": seen["id"], "revision": seen["revision"], "verdict": verdict });
        assert_eq!(page.post("decide", &said), 200);
        assert_eq!(page.post("decide", &said), 409);
    }
    // Nobody else adds to the record meanwhile, and everybody may read it.
    let second = bench.run(&["review", "--tty"]);
    assert_eq!(second.code, 2, "{second:?}");
    assert!(second.err.contains("review"), "{}", second.err);
    assert_eq!(status(&bench)["dropped"], 2);
    let (code, said) = page.stop();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 of 12 examples decided: 1 kept, 2 dropped, 0 changed"), "{said}");
    assert_eq!(bench.run(&["prepare"]).code, 0);
    assert_eq!(answers(&bench).len(), 10);
    let record = std::fs::read_to_string(bench.path("review/decisions.jsonl")).unwrap();
    assert!(record.lines().all(|line| line.contains("\"reviewer\":\"ada\"")), "{record}");
}

#[test]
fn a_page_is_for_this_machine_and_for_whoever_has_its_address() {
    let bench = prepared();
    let page = Served::start(&bench, &["review"]);
    let own = format!("Host: {}\r\n", page.host);
    let inside = format!("/{}/", page.word);
    let (status, answer) = page.get(&inside, &own);
    assert_eq!(status, 200);
    for header in [
        "Content-Security-Policy: default-src 'none'",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
    ] {
        assert!(answer.contains(header), "{header}");
    }
    let port = page.host.rsplit(':').next().unwrap();
    let check = |path: &str, headers: &str, expected: u16| {
        let (status, answer) = page.get(path, headers);
        assert_eq!(status, expected, "{path} {headers}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
        assert!(expected == 200 || !answer.contains(&page.word), "{answer}");
    };
    check(&format!("/{}/item?n=0", page.word), &own, 200);
    check("/", &own, 403);
    check(&format!("/{}/", "0".repeat(48)), &own, 403);
    check(&inside, "", 403);
    check(&inside, &format!("Host: kettle.example:{port}\r\n"), 403);
    check(&inside, &format!("{own}Origin: http://kettle.example\r\n"), 403);
    check(&inside, &format!("{own}Origin: null\r\n"), 403);
    check(&format!("/{}/item?n=0", page.word), &format!("{own}Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(page.raw(&format!("POST {inside}undo HTTP/1.1\r\n{own}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}")).0, 415);
    assert_eq!(page.raw(&format!("DELETE {inside} HTTP/1.1\r\n{own}\r\n")).0, 405);
    assert_eq!(page.raw("nonsense\r\n\r\n").0, 400);
    let (code, said) = page.stop();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("0 of 12 examples decided"), "{said}");
}
