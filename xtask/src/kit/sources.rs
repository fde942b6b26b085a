//! Sources as people have them: logs, blogs, trees, threads, tweets and PDF files of others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use penname_corpus::collect::files::post::tweet::preset::Preset;
use penname_corpus::document::{Body, Speaker};
use penname_corpus::issue::{Code, Severity};
use penname_corpus::{Document, Prepared, Settings, prepare};
use penname_ledger::event::Silent;
use penname_ledger::{Seed, Stopwatch, write};
use serde_json::Value;

use super::{Inputs, Verdict};
use crate::{Result, root};

/// Settings for one voice; nothing is held out, so that all of it can be counted.
fn voice(name: &str) -> Settings {
    let mut settings = Settings { voice: vec![name.to_owned()], max_bad_share: 1.0, ..Settings::default() };
    settings.split.share = 0.0;
    settings.dedupe.near = false;
    settings
}

/// Prepares, and insists that every character is accounted for.
fn prepared(path: &Path, settings: &Settings) -> Result<Prepared> {
    let prepared = prepare(path, settings, Seed(7), &Silent)?;
    let percent: f64 = prepared.account.rows().iter().map(|row| row.percent).sum();
    if !prepared.account.is_balanced() || (percent - 100.0).abs() > 1e-9 {
        return Err(format!("the account of `{}` adds up to {percent} %", path.display()).into());
    }
    Ok(prepared)
}

fn n_turns(documents: &[Document], speaker: Speaker) -> usize {
    let turns = documents.iter().filter_map(|document| match &document.body {
        Body::Turns(turns) => Some(turns),
        Body::Text(_) => None,
    });
    turns.flatten().filter(|turn| turn.speaker == speaker).count()
}

/// A folder for what a check takes apart.
fn scratch(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/kit/sources").join(name);
    write::folder(&folder)?;
    Ok(folder)
}

/// Logs of three rooms: the turns of the one who says most, and nobody else's.
pub(super) fn rooms(inputs: &Inputs) -> Verdict {
    let mut told = Vec::new();
    for (file, name) in [
        ("channel-two.dev.raw.txt", "Rachel"),
        ("rust.0.ascii.txt", "est31"),
        ("ubuntu-meeting.0.ascii.txt", "ogra"),
    ] {
        let path = inputs.kit(&format!("chat/{file}"))?;
        let prepared = prepared(&path, &voice(name))?;
        let text = fs::read_to_string(&path)?;
        let spoken: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.split_once(&format!("<{name}> ")))
            .map(|(_, said)| said.trim())
            .collect();
        let mut n = 0;
        for message in prepared.train.iter().flat_map(|example| &example.messages).filter(|m| m.is_trained())
        {
            for line in message.content.lines().filter(|line| !line.trim().is_empty()) {
                n += 1;
                let known = |said: &&str| collapsed(said) == collapsed(line);
                if !spoken.iter().any(known) {
                    return Err(format!("`{line}` is trained as {name}'s, who did not say it").into());
                }
            }
        }
        if n == 0 {
            return Err(format!("nothing of {name} is trained").into());
        }
        told.push(format!("{name}: {n} of {} lines in {} dialogues", spoken.len(), prepared.train.len()));
    }
    Ok(told.join("; "))
}

fn collapsed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A blog whose readers' comments lie in the front matter: not one sentence of theirs is trained.
pub(super) fn blog(inputs: &Inputs) -> Verdict {
    let folder = inputs.kit("blogs/judytuna")?;
    let prepared = prepared(&folder, &voice("judytuna"))?;
    let all = prepared.train.iter().chain(&prepared.held_out).flat_map(|example| &example.messages);
    let trained: String = all.map(|message| collapsed(&message.content) + "\n").collect();
    let mut own = String::new();
    for path in files(&folder)? {
        let text = fs::read_to_string(&path)?;
        own += &parted(&text)
            .map_or_else(String::new, |(_, post)| collapsed(&without_tags(&unquoted(post))) + "\n");
    }
    let (mut n_files, mut n_sentences, mut n_quoted) = (0, 0, 0);
    for path in files(&folder)? {
        let text = fs::read_to_string(&path)?;
        let Some((front, _)) = parted(&text) else { continue };
        let Some(comments) = front.split("\ncomments:\n").nth(1) else { continue };
        n_files += 1;
        for sentence in sentences(comments) {
            n_sentences += 1;
            // A reader may quote this post or another; those are the author's words.
            if own.contains(&sentence) {
                n_quoted += 1;
            } else if trained.contains(&sentence) {
                return Err(format!("a reader's words of `{}` are used: {sentence}", path.display()).into());
            }
        }
    }
    if n_sentences < 1000 {
        return Err(format!("only {n_sentences} sentences of readers were found").into());
    }
    let dropped = prepared.account.dropped.get("readers' comments").copied().unwrap_or(0);
    let n = prepared.documents.len();
    Ok(format!(
        "{n} documents; {n_sentences} sentences of readers in {n_files} posts, none used, {n_quoted} quote a post; \
         {dropped} characters of comments in the account"
    ))
}

/// The front matter of a post, and the post.
fn parted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("---\n")?.split_once("\n---\n")
}

/// A post without the paragraphs that are set apart as quotations.
fn unquoted(post: &str) -> String {
    let mut is_quoted = false;
    let is_own = |line: &&str| {
        is_quoted = line.starts_with('>') || (is_quoted && !line.trim().is_empty());
        !is_quoted
    };
    post.lines().filter(is_own).collect::<Vec<_>>().join("\n")
}

/// A post without its HTML and the targets of its links.
fn without_tags(post: &str) -> String {
    let mut out = String::with_capacity(post.len());
    let mut rest = post;
    while let Some(at) = rest.find(['<', ']']) {
        out.push_str(&rest[..at]);
        let close = if rest[at..].starts_with("](") { ')' } else { '>' };
        let is_tag = close == ')' || rest[at..].starts_with('<');
        let end = rest[at..].find(close).filter(|_| is_tag).map_or(at + 1, |end| at + end + 1);
        rest = &rest[end..];
    }
    out + rest
}

/// Sentences of comments long enough to be nobody else's by accident. An address is no sentence: two
/// people may point to one page.
fn sentences(comments: &str) -> Vec<String> {
    let inner = comments.lines().filter(|line| line.starts_with("      "));
    let pieces = inner.flat_map(|line| line.split(['<', '>', '.', '!', '?']));
    let sentences = pieces.filter(|piece| piece.split_whitespace().count() >= 4).map(collapsed);
    sentences.filter(|sentence| sentence.len() >= 32).collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Trees of Open Assistant and dialogues of ShareGPT: every turn of a thread is kept.
pub(super) fn dialogues(inputs: &Inputs) -> Verdict {
    let trees = inputs.kit("conversations/en_100_tree.jsonl")?;
    let prepared_trees = prepared(&trees, &voice("assistant"))?;
    let mut longest = 0;
    for line in fs::read_to_string(&trees)?.lines() {
        let tree: Value = serde_json::from_str(line)?;
        longest += main_thread(&tree["prompt"]);
    }
    let found = n_turns(&prepared_trees.documents, Speaker::Voice)
        + n_turns(&prepared_trees.documents, Speaker::Other);
    if found != longest {
        return Err(format!("{found} turns of trees, expected {longest}").into());
    }
    let pairs = inputs.kit("conversations/fastchat_dummy_conversation.json")?;
    let prepared_pairs = prepared(&pairs, &voice("assistant"))?;
    let list: Vec<Value> = serde_json::from_str(&fs::read_to_string(&pairs)?)?;
    let expected: usize = list.iter().filter_map(|one| one["conversations"].as_array()).map(Vec::len).sum();
    let turns = n_turns(&prepared_pairs.documents, Speaker::Voice)
        + n_turns(&prepared_pairs.documents, Speaker::Other);
    if turns != expected {
        return Err(format!("{turns} turns of dialogues, expected {expected}").into());
    }
    let ranked = prepared_trees.account.dropped.get("replies ranked lower").copied().unwrap_or(0);
    Ok(format!(
        "{found} turns in {} trees, {ranked} characters ranked lower; {turns} turns in {} dialogues",
        prepared_trees.documents.len(),
        prepared_pairs.documents.len()
    ))
}

/// Turns down a tree where each reply is the one that was ranked first.
fn main_thread(node: &Value) -> usize {
    let replies = node["replies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let best = replies.iter().min_by_key(|reply| reply["rank"].as_u64().unwrap_or(u64::MAX));
    1 + best.map_or(0, main_thread)
}

/// Answers of Reddit, taken out of recordings: posts with their best comments, and one voice.
pub(super) fn threads(inputs: &Inputs) -> Verdict {
    let folder = scratch("threads")?;
    for path in files(&inputs.kit("reddit/listings")?)? {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let recording: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let answers = recording["interactions"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (idx, answer) in answers.iter().enumerate() {
            let body = answer["response"]["body"]["string"].as_str().unwrap_or_default();
            if body.contains("\"Listing\"") || body.contains("\"things\"") {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                write::bytes(&folder.join(format!("{stem}-{idx}.json")), body.as_bytes())?;
            }
        }
    }
    let everybody = prepared(&folder, &voice("*"))?;
    let more = everybody.issues.iter().filter(|issue| issue.code == Code::More).count();
    let author = most(&everybody.documents, &folder)?;
    let one = prepared(&folder, &voice(&author))?;
    let n = n_turns(&one.documents, Speaker::Voice);
    if everybody.documents.is_empty() || more == 0 || n == 0 {
        return Err(format!(
            "{} pairs, {more} files with stubs, {n} turns of {author}",
            everybody.documents.len()
        )
        .into());
    }
    Ok(format!(
        "{} posts with their best comment; {more} files name comments they do not hold; {n} turns of {author} in {} documents",
        everybody.documents.len(),
        one.documents.len()
    ))
}

/// Who commented most.
fn most(_: &[Document], folder: &Path) -> Result<String> {
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for path in files(folder)? {
        let text = fs::read_to_string(path)?;
        for piece in text.split("\"author\": \"").skip(1) {
            let name = piece.split('"').next().unwrap_or_default().to_owned();
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.remove("[deleted]");
    let best = counts.into_iter().max_by_key(|(_, n)| *n);
    Ok(best.ok_or("no author in any answer")?.0)
}

/// Tweets as the service and two programs write them: replies stand after what they answer.
pub(super) fn tweets(inputs: &Inputs) -> Verdict {
    let (mut told, mut pairs) = (Vec::new(), 0);
    for folder in ["twitter/graphql", "twitter/api-v2"] {
        let path = inputs.kit(folder)?;
        let everybody = prepared(&path, &voice("*"))?;
        let torn = everybody.issues.iter().filter(|issue| issue.code == Code::Json).count();
        let strange = everybody.issues.iter().find(|issue| issue.code == Code::Shape);
        if let Some(issue) = strange {
            return Err(format!("`{}` is not understood: {}", issue.path, issue.detail).into());
        }
        pairs += everybody.documents.len();
        told.push(format!("{folder}: {} pairs, {torn} torn records", everybody.documents.len()));
    }
    let settings = Settings { tweets: Preset::PopularReplies, ..voice("*") };
    let rejected = match prepare(&inputs.kit("twitter/graphql")?, &settings, Seed(7), &Silent) {
        Ok(prepared) => {
            prepared.issues.iter().filter(|issue| issue.code == Code::Preset).map(|i| i.detail.clone()).next()
        }
        Err(penname_corpus::Error::Nothing { .. }) => Some("nothing of it is left by the preset".to_owned()),
        Err(error) => return Err(error.into()),
    };
    let page = inputs.kit("twitter/graphql/raw_tweet_replies.json")?;
    let one = prepared(&page, &voice("*"))?;
    if pairs == 0 || one.documents.is_empty() {
        return Err(format!("{pairs} pairs, {} of them on the page of replies", one.documents.len()).into());
    }
    told.push(format!("the page of replies: {} pairs", one.documents.len()));
    told.extend(rejected);
    Ok(told.join("; "))
}

/// Books and odd files in PDF: each is read or gets a reason, none takes longer than it may.
pub(super) fn pdfs(inputs: &Inputs) -> Verdict {
    let (mut n_read, mut n_told, mut slowest) = (0, 0, 0.0f64);
    let mut silent = Vec::new();
    for folder in ["pdf/books", "pdf/odd"] {
        for path in files(&inputs.kit(folder)?)? {
            let mut settings = voice("x");
            settings.dedupe.exact = false;
            let watch = Stopwatch::start();
            let (read, told) = match prepare(&path, &settings, Seed(7), &Silent) {
                Ok(prepared) => (true, prepared.issues),
                Err(penname_corpus::Error::Nothing { .. } | penname_corpus::Error::TooManyBad { .. }) => {
                    (false, penname_corpus::collect::collect(&path, &settings, &Silent)?.issues)
                }
                Err(error) => return Err(error.into()),
            };
            slowest = slowest.max(watch.seconds());
            let is_told = told.iter().any(|issue| issue.severity == Severity::Bad && issue.detail.len() > 12);
            match (read, is_told) {
                (true, _) => n_read += 1,
                (false, true) => n_told += 1,
                (false, false) => silent.push(path.display().to_string()),
            }
            if folder == "pdf/books" && !read {
                return Err(format!("`{}` is not read: {told:?}", path.display()).into());
            }
            let reason = told.first().map_or("read", |issue| issue.detail.as_str());
            crate::screen::tell(&format!("{}: {reason}", path.display()));
        }
    }
    if !silent.is_empty() || slowest > 50.0 {
        return Err(format!("without a verdict: {silent:?}; the slowest took {slowest:.1} s").into());
    }
    Ok(format!("{n_read} read, {n_told} told why not; the slowest took {slowest:.1} s"))
}
