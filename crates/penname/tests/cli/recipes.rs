//! What five projects did to their data, each as the recipe that does it now: from files and from services
//! on the loopback interface to that project's own files, field by field.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::bench::{Bench, letters, result};
use crate::server::{Reply, Request, Server};
use crate::tiny;

/// A project of a recipe, whose network sources, as the recipe names them, are asked at `server`.
fn project(recipe: &str, server: Option<&Server>) -> Bench {
    let mut bench = Bench::new();
    assert_eq!(bench.run(&["new", "my-voice", "--recipe", recipe]).code, 0);
    bench.here = bench.here.join("my-voice");
    let Some(server) = server else { return bench };
    let (code, objects) = bench.json(&["settings"]);
    assert_eq!(code, 0, "{objects:?}");
    let rows = &result(&objects)["settings"];
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == "corpus.sources").unwrap();
    let mut sources = row["value"].clone();
    for source in sources.as_array_mut().unwrap() {
        source["address"] = json!(server.address);
        source["every_seconds"] = json!(0);
        if source["kind"] == "reddit" {
            source["login"] = json!(server.address);
        }
    }
    let corpus =
        json!({ "sources": sources, "network": { "contact": "ann@a.test" }, "split": { "share": 0 } });
    let own = json!({ "recipe": recipe, "corpus": corpus });
    bench.write("penname.yaml", &own.to_string());
    bench
}

fn prepared(bench: &Bench) {
    let said = bench.run(&["prepare"]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// Exports in a shape, and reads a file of it.
fn exported(bench: &Bench, shape: &str, file: &str) -> String {
    let said = bench.run(&["export", "--as", shape, "--to", &["out-", shape].concat()]);
    assert_eq!(said.code, 0, "{said:?}");
    let again = bench.json(&["export", "--as", shape, "--to", &["out-", shape].concat()]);
    assert_eq!(result(&again.1)["found"], Value::Bool(true));
    fs::read_to_string(bench.path(&format!("out-{shape}/{file}"))).unwrap()
}

fn listing(children: Value) -> Value {
    json!({ "kind": "Listing", "data": { "children": children, "after": null } })
}

/// A forum with one letter, which has a good answer and a poor one.
fn forum(request: &Request) -> Reply {
    let post = json!({"kind": "t3", "data": {"id": "a", "name": "t3_a", "subreddit": "relationships", "author": "asker",
        "title": "Loud kettle", "selftext": "It sings at night. Help?", "score": 90, "created_utc": 1.7e9}});
    let comment = |id: &str, words: &str, score: i64| {
        json!({"kind": "t1", "data": {"id": id, "name": format!("t1_{id}"), "subreddit": "relationships", "author": "cy",
            "body": words, "parent_id": "t3_a", "link_id": "t3_a", "score": score, "created_utc": 1.7e9 + 60.0, "replies": ""}})
    };
    match request.path.split('?').next().unwrap() {
        "/api/v1/access_token" => Reply::ok(r#"{"access_token": "k", "expires_in": 3600}"#),
        "/r/relationships/top" => Reply::ok(listing(json!([post])).to_string()),
        "/comments/a" => {
            let comments = json!([comment("b", "Let it sing.", 3), comment("c", "Move the kettle out.", 40)]);
            Reply::ok(json!([listing(json!([post])), listing(comments)]).to_string())
        }
        _ => Reply::status(404),
    }
}

#[test]
fn a_column_and_a_forum_become_labelled_letters() {
    let server = Server::start(|request, _| forum(request));
    let mut bench = project("column-and-forum", Some(&server));
    bench.set("REDDIT_CLIENT_ID", "ours");
    bench.write(
        "writing/chat.txt",
        "QUESTION: My tomatoes sulk.\n\nANSWER: Water them in the morning, and forgive them.\n\n",
    );
    prepared(&bench);
    assert_eq!(
        exported(&bench, "question-answer", "train.txt"),
        "QUESTION: My tomatoes sulk.\n\nANSWER: Water them in the morning, and forgive them.\n\n\
         QUESTION: Loud kettle\n\nIt sings at night. Help?\n\nANSWER: Move the kettle out.\n\n"
    );
}

#[test]
fn two_blogs_become_posts_and_what_is_private_stays_so() {
    let bench = project("blog", None);
    let post = |n: usize, about: &str| {
        format!(
            "---\ntitle: On {about} {n}\ndate: 2019-04-0{n}\nlayout: post\n---\nA {about} of number {n} is a small weather system. It sulks {n} times, and then it makes up its mind.\n"
        )
    };
    for n in 1..4 {
        bench.write(&format!("writing/public/_posts/2019-04-0{n}-kettle.md"), &post(n, "kettle"));
        bench.write(&format!("writing/private/_posts/2019-04-0{n}-teapot.md"), &post(n, "teapot"));
    }
    prepared(&bench);
    let [train, val] = ["train.jsonl", "val.jsonl"].map(|file| exported(&bench, "messages", file));
    let lines: Vec<Value> =
        train.lines().chain(val.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert!(!val.is_empty(), "a tenth is held out");
    let asked = json!({"role": "user", "content": "Write a post titled: On teapot 2"});
    let found = lines.iter().find(|line| line["messages"][0] == asked).unwrap();
    assert_eq!(
        found["messages"][1]["content"],
        "A teapot of number 2 is a small weather system. It sulks 2 times, and then it makes up its mind."
    );
    let documents = fs::read_to_string(bench.path("data/corpus/documents.jsonl")).unwrap();
    for line in documents.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let is_private = document["path"].as_str().unwrap().starts_with("private/");
        let expected = if is_private { "no" } else { "unknown" };
        assert_eq!(document["rights"]["publish"], expected, "{document}");
    }
}

/// Apify with two runs: the first finds a tweet, the second the replies to it.
struct Actor {
    n_runs: AtomicUsize,
}

impl Actor {
    fn answer(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let run = |n: usize| {
            json!({"data": {"id": format!("r{n}"), "defaultDatasetId": format!("d{n}"), "status": "SUCCEEDED",
                "usageTotalUsd": 0.1, "startedAt": "2023-11-14T22:13:30.000Z", "finishedAt": "2023-11-14T22:14:30.000Z"}})
        };
        let page = |items: Vec<Value>| {
            let lines: Vec<String> = items.iter().map(Value::to_string).collect();
            let offset: usize = request.field("offset").unwrap_or("0").parse().unwrap();
            let sent = lines.len().saturating_sub(offset);
            Reply::ok(lines[lines.len() - sent..].join("\n"))
                .with("x-apify-pagination-total", lines.len())
                .with("x-apify-pagination-count", sent)
        };
        match (request.method.as_str(), path) {
            ("POST", "/acts/apidojo~tweet-scraper/runs") => {
                let n = self.n_runs.fetch_add(1, Ordering::Relaxed) + 1;
                let wanted = if n == 1 { "startups lang:en min_faves:200" } else { "conversation_id:1" };
                assert!(request.body.contains(wanted), "{}", request.body);
                Reply { status: 201, ..Reply::ok(run(n).to_string()) }
            }
            ("GET", "/actor-runs/r1") => Reply::ok(run(1).to_string()),
            ("GET", "/actor-runs/r2") => Reply::ok(run(2).to_string()),
            ("GET", "/datasets/d1/items") => page(vec![tweet()]),
            ("GET", "/datasets/d2/items") => page(replies()),
            _ => Reply::status(404),
        }
    }
}

const TWEET: &str = "What is the one thing you would tell somebody who starts a company this year?";
const REPLY: &str = "Talk to ten people who would pay for it before you write a line of code.";

fn tweet() -> Value {
    json!({"id": "1", "text": TWEET, "conversationId": "1", "likeCount": 300, "retweetCount": 20,
           "createdAt": "2024-01-01T12:00:00Z", "author": {"userName": "ann", "id": "7", "followers": 4000}})
}

fn replies() -> Vec<Value> {
    let reply = |id: u32, words: &str, likes: u32, followers: u32| {
        json!({"id": id.to_string(), "text": words, "conversationId": "1", "inReplyToId": "1", "likeCount": likes,
               "retweetCount": 0, "createdAt": "2024-01-01T12:30:00Z",
               "author": {"userName": format!("cy{id}"), "id": format!("9{id}"), "followers": followers}})
    };
    let spare = "Sleep first, and keep the books in order from the very first day on, or pay for it later.";
    vec![
        reply(2, &format!("@ann {REPLY}"), 50, 5000),
        reply(3, &format!("@ann {spare}"), 9, 900),
        reply(4, "@ann Mine, of course, which is what everybody should be told.", 50, 4_000_000),
        reply(5, "@ann Ask mum.", 50, 5000),
        reply(
            6,
            "@ann Bonjour, il faut toujours commencer par le commencement et finir par la fin.",
            50,
            5000,
        ),
    ]
}

#[test]
fn tweets_and_replies_are_bought_paired_and_judged() {
    let actor = Actor { n_runs: AtomicUsize::new(0) };
    let server = Server::start(move |request, _| actor.answer(request));
    let mut bench = project("tweet-replies", Some(&server));
    bench.set("APIFY_API_TOKEN", "ours");
    prepared(&bench);
    let validated = exported(&bench, "tweet-pairs", "validated.jsonl");
    let mut rows: Vec<Value> = validated.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.sort_by_key(|row| row["reply_id"].to_string());
    let mut first = rows[0].clone();
    assert!(first["validation"]["validated_at"].is_string());
    first["validation"]["validated_at"] = Value::Null;
    assert_eq!(
        first,
        json!({"tweet_id": "1", "tweet": TWEET, "tweet_author": "ann", "tweet_likes": 300, "tweet_retweets": 20,
            "tweet_created_at": "2024-01-01T12:00:00Z", "reply_id": "2", "reply": REPLY, "reply_author": "cy2",
            "reply_author_followers": 5000, "reply_likes": 50, "reply_created_at": "2024-01-01T12:30:00Z",
            "reply_time_diff_seconds": 1800, "collected_at": null,
            "validation": {"valid": true, "reasons": [], "validated_at": null}})
    );
    // Followers and length are seen to when replies are chosen, language when they are judged.
    let verdicts: Vec<(&str, bool)> = rows
        .iter()
        .map(|row| (row["reply_id"].as_str().unwrap(), row["validation"]["valid"].as_bool().unwrap()))
        .collect();
    assert_eq!(verdicts, [("2", true), ("3", true), ("6", false)]);
    assert_eq!(rows[2]["validation"]["reasons"], json!(["language"]));
    let train = exported(&bench, "messages", "train.jsonl");
    let persona = "You reply to tweets. Be brief, be useful, and sound like a person.";
    let expected = json!({"messages": [{"role": "system", "content": persona},
        {"role": "user", "content": TWEET}, {"role": "assistant", "content": REPLY}]});
    let expected = expected.to_string();
    assert!(train.lines().any(|line| line == expected), "{train}");
}

#[test]
fn dialogues_become_short_labels_shards_and_lists() {
    let bench = project("tiny-dialogue", None);
    const TALK: [[&str; 4]; 3] = [
        ["who are you?", "a very small model", "how small?", "I fit into a pocket"],
        ["is it raining?", "look out of the window", "I have none", "then it is dry"],
        ["tell me a story", "once there was a comma,", "and then?", "it went on"],
    ];
    let line = |[a, b, c, d]: [&str; 4]| {
        json!([{"role": "user", "content": a}, {"role": "assistant", "content": b},
               {"role": "user", "content": c}, {"role": "assistant", "content": d}])
        .to_string()
    };
    let dialogues: String = TALK.into_iter().map(|talk| line(talk) + "\n").collect();
    bench.write("writing/dialogues.jsonl", &dialogues);
    bench.write("penname.yaml", "recipe: tiny-dialogue\ncorpus: {split: {share: 0}}\n");
    prepared(&bench);
    assert_eq!(exported(&bench, "dialogues", "train.jsonl"), dialogues);
    let expected: Vec<String> =
        TALK.iter().flat_map(|[a, b, c, d]| [format!("Q: {a}\nA: {b}"), format!("Q: {c}\nA: {d}")]).collect();
    assert_eq!(exported(&bench, "q-a", "train.txt"), expected.join("\n\n"));
}

#[test]
fn a_template_writes_what_a_trainer_of_text_reads() {
    let bench = project("advice-column", None);
    let letters = letters(6);
    letters.iter().for_each(|(name, text)| bench.write(&format!("writing/{name}"), text));
    let text: String = letters.into_iter().map(|(_, text)| text).collect();
    tiny::write_taught_base(&bench.path("tiny"), &text);
    bench.write("penname.yaml", "recipe: advice-column\nbase: tiny\ntemplate: qwen3\n");
    prepared(&bench);
    let text = exported(&bench, "text", "train.jsonl");
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let first = first["text"].as_str().unwrap();
    assert!(first.starts_with("<|im_start|>user\nMy kettle number "), "{first}");
    assert!(first.contains("<|im_start|>assistant\n<think>\n\n</think>\n\nDear friend"), "{first}");
    assert!(first.trim_end().ends_with("<|im_end|>"), "{first}");
}

/// A service that speaks as OpenAI's does, and asks two questions about whatever it is shown.
fn asker(request: &Request) -> Reply {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let shown = body["messages"][1]["content"].as_str().unwrap();
    let ferry = shown.split("ferry number ").nth(1).unwrap().split(' ').next().unwrap();
    let questions =
        json!({"questions": [format!("When did ferry {ferry} leave?"), format!("Who took ferry {ferry}?")]});
    let answer = json!({"choices": [{"message": {"content": questions.to_string()}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 40}});
    Reply::ok(answer.to_string())
}

#[test]
fn books_become_passages_that_are_asked_for() {
    let server = Server::start(|request, _| asker(request));
    let bench = project("book-questions", None);
    let chapter = |n: usize| {
        format!(
            "The ferry number {n} left twice a day and complained both times. Nobody on island {n} minded, because \
             it was the only one of them that said what it thought. In the {n} years of its service it was late {} \
             times, and each time there was a reason that could be told over supper.\n",
            n * 7 + 1
        )
    };
    for n in 1..4 {
        bench.write(&format!("writing/chapter-{n}.txt"), &chapter(n));
    }
    let service = format!(
        "recipe: book-questions\ncorpus:\n  split: {{share: 0}}\n  ask: {{provider: openai, model: m, mode: each, address: \"{}\", prices: [{{model: m, input: 1.0, output: 5.0}}]}}\n",
        server.address
    );
    bench.write("penname.yaml", &service);
    let said = bench.run(&["ask"]);
    assert_eq!(said.code, 0, "{said:?}");
    prepared(&bench);
    let train = exported(&bench, "messages", "train.jsonl");
    assert_eq!(train.lines().count(), 6, "two questions for each of three passages: {train}");
    let persona = "You write as the author of these books does. Answer at length, in your own voice.";
    let expected = json!({"messages": [{"role": "system", "content": persona},
        {"role": "user", "content": "Who took ferry 2?"}, {"role": "assistant", "content": chapter(2).trim_end()}]});
    let expected = expected.to_string();
    assert!(train.lines().any(|line| line == expected), "{train}");
}
