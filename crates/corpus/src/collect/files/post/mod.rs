//! Posts and the replies to them, as trees: what the voice posted, and what it answered to whom.
//!
//! A reply of the voice becomes a dialogue from the root of its tree down to it. What the voice
//! posted to nobody is a text, and so is a thread of its own. Each of its words is used once.
//! Where everybody is the voice, each post is paired with replies to it.
//!
//! It knows nothing of any service: `reddit` and [`tweet`] make `Node`s. Those of all files of one
//! folder are told together (`tell_files`), because a post is often saved in one file and its
//! replies in another.

pub(super) mod reddit;
pub mod tweet;

use std::collections::{BTreeMap, BTreeSet};

use super::talk::{Voices, missing};
use super::{Format, Reading, Source, chars, json};
use crate::Settings;
use crate::document::{Asked, Body, Document, Kind, Reception, Speaker, Title, Turn};
use crate::provenance::{Author, Piece, Provenance};
use crate::when;

/// Reason for replies to what is not in the file.
const UNASKED: &str = "replies to posts that are not there";
/// Reason for everything the voice neither wrote nor answered.
const AROUND: &str = "posts and replies around those of the voice";
/// Replies to replies beyond which a tree is taken for a circle.
const MAX_DEPTH: usize = 1000;

/// The posts of one file, before those of the other files are known.
#[derive(Debug, Default)]
pub(in crate::collect) struct Gathered {
    posts: Posts,
    /// What was lost and found so far.
    reading: Reading,
    n_chars: u64,
}

/// Posts, as far as they are understood from one file alone.
#[derive(Debug)]
enum Posts {
    Nodes(Vec<Node>, Pairs),
    /// Whether a reply is wanted depends on the tweet it answers.
    Tweets(Vec<tweet::Tweet>),
}

impl Default for Posts {
    fn default() -> Self {
        Self::Nodes(Vec::new(), Pairs::Each)
    }
}

/// Takes the posts out of a file of a format.
type Gather = fn(&Source<'_>) -> Gathered;

/// How the posts of a format are taken out, where its files are told together.
pub(in crate::collect) fn gatherer(format: &Format) -> Option<Gather> {
    match format.name {
        name if name == tweet::FORMAT.name => Some(tweet::gathered),
        name if name == reddit::FORMAT.name => Some(reddit::gathered),
        _ => None,
    }
}

/// Words one of which stands in the head of every file that a format of posts claims.
pub(in crate::collect) fn marks() -> impl Iterator<Item = &'static str> {
    let rows = tweet::FIELDS.iter().chain(reddit::FIELDS);
    rows.filter_map(|row| row.first().copied()).chain(std::iter::once(tweet::ARCHIVE))
}

/// Reads one file for itself.
fn read_alone(source: &Source<'_>, gather: Gather) -> Reading {
    tell_files(source.settings, vec![(source.path.to_owned(), gather(source))])
}

/// Makes documents of the posts of several files, by their paths.
pub(in crate::collect) fn tell_files(settings: &Settings, files: Vec<(String, Gathered)>) -> Reading {
    let (mut reading, mut nodes, mut tweets) = (Reading::default(), Vec::new(), Vec::new());
    let (mut paths, mut given, mut pairs) = (Vec::new(), 0, Pairs::Each);
    for (idx, (path, gathered)) in files.into_iter().enumerate() {
        paths.push(path);
        given += gathered.n_chars;
        reading.tally.merge(&gathered.reading.tally);
        reading.issues.extend(gathered.reading.issues);
        match gathered.posts {
            Posts::Tweets(list) => tweets.extend(list.into_iter().map(|tweet| (idx, tweet))),
            Posts::Nodes(list, of) => {
                pairs = of;
                nodes.extend(list.into_iter().map(|node| Node { file: idx, ..node }));
            }
        }
    }
    nodes.extend(tweet::chosen(settings, &paths, tweets, &mut reading));
    tell(settings, &paths, nodes, pairs, &mut reading);
    let held: u64 = reading.documents.iter().map(|document| document.given).sum();
    let after = held + reading.tally.dropped_chars();
    reading.tally.settle(json::SYNTAX, given + reading.tally.added, after);
    reading
}

/// One post or reply.
#[derive(Debug, Clone, Default)]
struct Node {
    /// Which of the files it is in.
    file: usize,
    id: String,
    /// What it answers, where it answers something.
    parent: Option<String>,
    /// The conversation it says it belongs to.
    thread: Option<String>,
    who: String,
    also: Vec<String>,
    /// Whether the export says that its owner wrote it.
    is_own: bool,
    at: Option<i64>,
    /// When it was fetched, as its file says.
    collected_at: Option<String>,
    title: Option<String>,
    text: String,
    /// How it was received, as far as the source says; the delay follows from the tree.
    reception: Reception,
    /// The number of the account.
    account: Option<String>,
    /// Where it can be seen.
    url: Option<String>,
    /// Why it is only looked at and never learned, if so.
    aside: Option<&'static str>,
}

/// Which replies to a post are paired with it where everybody is the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairs {
    /// The one that was liked best.
    Best,
    /// Every one.
    Each,
}

/// A file's posts.
struct Forest<'a> {
    paths: &'a [String],
    /// Documents made of each file.
    n_made: Vec<usize>,
    nodes: Vec<Node>,
    parents: Vec<Option<usize>>,
    is_voice: Vec<bool>,
    used: BTreeSet<usize>,
}

/// Makes documents of posts. Of two with one name the later counts.
fn tell(settings: &Settings, paths: &[String], nodes: Vec<Node>, pairs: Pairs, reading: &mut Reading) {
    let nodes = latest(nodes, reading);
    let voices = Voices::of(settings);
    let is_voice: Vec<bool> = nodes
        .iter()
        .map(|node| node.aside.is_none() && (node.is_own || voices.has(&node.who, &node.also)))
        .collect();
    let by_id: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(idx, n)| (n.id.as_str(), idx)).collect();
    let up = |(idx, node): (usize, &Node)| {
        node.parent.as_deref().and_then(|id| by_id.get(id).copied()).filter(|parent| *parent != idx)
    };
    let parents = nodes.iter().enumerate().map(up).collect();
    if !is_voice.contains(&true) {
        let names = nodes.iter().filter(|node| node.aside.is_none()).map(|node| node.who.as_str());
        let place = place(paths);
        reading.issues.extend(missing(&place, names, voices.is_empty()));
    }
    let n_made = vec![0; paths.len()];
    let mut forest = Forest { paths, n_made, parents, is_voice, used: BTreeSet::new(), nodes };
    let is_everybody = voices.is_everybody() && !forest.nodes.iter().any(|node| node.is_own);
    match is_everybody {
        true => forest.pairs(pairs, reading),
        false => forest.voice(reading),
    }
    for (idx, node) in forest.nodes.iter().enumerate().filter(|(idx, _)| !forest.used.contains(idx)) {
        let reason = match node.aside {
            Some(reason) => reason,
            None if !is_everybody && forest.is_voice[idx] && node.parent.is_some() => UNASKED,
            None => AROUND,
        };
        reading.tally.drop(reason, chars(&node.text) + node.title.as_deref().map_or(0, chars));
    }
}

/// What several files are called together: their folder.
fn place(paths: &[String]) -> String {
    match paths {
        [path] => path.clone(),
        paths => {
            let first = paths.first().map_or("", String::as_str);
            first[..first.rfind('/').map_or(0, |at| at + 1)].to_owned()
        }
    }
}

/// Leaves one node of each name, the last.
fn latest(nodes: Vec<Node>, reading: &mut Reading) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes {
        match seen.get(&node.id) {
            Some(idx) if !node.id.is_empty() => {
                let old = std::mem::replace(&mut kept[*idx], node);
                reading.tally.drop("posts that stand there twice", chars(&old.text));
            }
            _ => {
                seen.insert(node.id.clone(), kept.len());
                kept.push(node);
            }
        }
    }
    kept
}

impl Forest<'_> {
    /// What one voice wrote: its replies as dialogues, its posts as texts.
    fn voice(&mut self, reading: &mut Reading) {
        let mut answered = BTreeSet::new();
        for idx in (0..self.nodes.len()).filter(|idx| self.is_voice[*idx]) {
            answered.extend(self.way(idx).into_iter().skip(1));
        }
        let mut leaves: Vec<usize> =
            (0..self.nodes.len()).filter(|idx| self.is_voice[*idx] && !answered.contains(idx)).collect();
        leaves.sort_by_key(|idx| (self.nodes[*idx].at, *idx));
        for leaf in leaves {
            let mut way = self.way(leaf);
            way.reverse();
            // Words of the voice that an earlier dialogue holds are not learned again.
            let after = way.iter().rposition(|idx| self.is_voice[*idx] && self.used.contains(idx));
            let way = &way[after.map_or(0, |at| at + 1)..];
            let own = way.iter().take_while(|idx| self.is_voice[**idx]).count();
            if own > 0 && (after.is_none() && self.nodes[way[0]].parent.is_none()) {
                self.text(&way[..own], reading);
            }
            self.dialogue(&way[own..], reading);
        }
    }

    /// From a node up to its root.
    fn way(&self, idx: usize) -> Vec<usize> {
        std::iter::successors(Some(idx), |at| self.parents[*at]).take(MAX_DEPTH).collect()
    }

    fn pairs(&mut self, pairs: Pairs, reading: &mut Reading) {
        let mut replies: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for idx in (0..self.nodes.len()).filter(|idx| self.is_voice[*idx]) {
            if let Some(parent) = self.parents[idx] {
                replies.entry(parent).or_default().push(idx);
            }
        }
        for (parent, mut replies) in replies {
            // Replies to replies are talk among readers where only the best is wanted.
            if pairs == Pairs::Best && self.parents[parent].is_some() {
                continue;
            }
            replies.sort_by_key(|idx| {
                let score = self.nodes[*idx].reception.score.unwrap_or(0);
                (std::cmp::Reverse(score), self.nodes[*idx].at, *idx)
            });
            replies.truncate(if pairs == Pairs::Best { 1 } else { usize::MAX });
            for reply in replies {
                self.turns(&[parent, reply], |idx| idx == reply, reading);
            }
        }
    }

    fn dialogue(&mut self, way: &[usize], reading: &mut Reading) {
        if !way.is_empty() {
            let is_voice = self.is_voice.clone();
            self.turns(way, |idx| is_voice[idx], reading);
        }
    }

    fn turns(&mut self, way: &[usize], is_voice: impl Fn(usize) -> bool, reading: &mut Reading) {
        let turn = |idx: &usize| {
            let node = &self.nodes[*idx];
            let text = match &node.title {
                Some(title) if node.text.is_empty() => title.clone(),
                Some(title) => format!("{title}\n\n{}", node.text),
                None => node.text.clone(),
            };
            let speaker = if is_voice(*idx) { Speaker::Voice } else { Speaker::Other };
            Turn { speaker, text }
        };
        let turns: Vec<Turn> = way.iter().map(turn).filter(|turn| !turn.text.trim().is_empty()).collect();
        let is_asked = turns.first().is_some_and(|turn| turn.speaker == Speaker::Other);
        if is_asked && turns.iter().any(|turn| turn.speaker == Speaker::Voice) {
            self.push(way, Kind::Dialogue, None, Body::Turns(turns), reading);
        }
    }

    fn reception(&self, idx: usize) -> Reception {
        let node = &self.nodes[idx];
        let asked = self.parents[idx].and_then(|parent| self.nodes[parent].at);
        let delay_s = node.at.zip(asked).map(|(at, asked)| at - asked);
        Reception { delay_s, ..node.reception.clone() }
    }

    /// The name of the conversation a post belongs to: as it says itself, or that of its root, which
    /// for the part of a tree is what it answers.
    fn thread(&self, idx: usize) -> String {
        let said = self.nodes[idx].thread.clone();
        said.unwrap_or_else(|| {
            let root = &self.nodes[self.way(idx).last().copied().unwrap_or(idx)];
            root.parent.clone().unwrap_or_else(|| root.id.clone())
        })
    }

    /// A post of the voice, with what it added itself.
    fn text(&mut self, way: &[usize], reading: &mut Reading) {
        let texts: Vec<&str> = way.iter().map(|idx| self.nodes[*idx].text.as_str()).collect();
        let text = texts.join("\n\n");
        if text.trim().is_empty() {
            return;
        }
        let title = self.nodes[way[0]].title.clone().filter(|title| !title.trim().is_empty());
        let kind = if title.is_some() { Kind::Post } else { Kind::Text };
        let title = title.map(|text| Title { text, given: true });
        self.push(way, kind, title, Body::Text(text), reading);
    }

    fn push(&mut self, way: &[usize], kind: Kind, title: Option<Title>, body: Body, reading: &mut Reading) {
        let file = way.last().map_or(0, |idx| self.nodes[*idx].file);
        let position = self.n_made[file];
        self.n_made[file] += 1;
        let mut document = Document::new(&self.paths[file], position, kind, title, body);
        document.date = way.last().and_then(|idx| self.nodes[*idx].at).map(when::show);
        document.reception = way.last().map(|idx| self.reception(*idx));
        document.thread = way.last().map(|idx| self.thread(*idx));
        document.provenance = self.provenance(way);
        document.asked = way
            .last()
            .and_then(|idx| self.parents[*idx])
            .map(|asked| Asked { provenance: self.provenance(&[asked]), reception: self.reception(asked) });
        self.used.extend(way);
        reading.documents.push(document);
    }
}

impl Forest<'_> {
    /// What is known of a post beside its words, and of those that stand before it.
    fn provenance(&self, way: &[usize]) -> Provenance {
        let Some((last, before)) = way.split_last() else { return Provenance::default() };
        let node = &self.nodes[*last];
        let Piece { native_id, author, url } = node.piece();
        let (created_at, parent) = (node.at.map(when::show), node.parent.clone());
        let collected_at = node.collected_at.clone();
        let mut provenance =
            Provenance { native_id, author, created_at, collected_at, parent, url, within: Vec::new() };
        before.iter().for_each(|idx| provenance.holds(self.nodes[*idx].piece()));
        for name in way.iter().flat_map(|idx| &self.nodes[*idx].also).filter(|name| !name.trim().is_empty()) {
            provenance.holds(Piece::by(name));
        }
        provenance
    }
}

impl Node {
    fn piece(&self) -> Piece {
        let author = Author { name: self.who.clone(), id: self.account.clone() };
        Piece {
            native_id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            author: (!author.name.is_empty()).then_some(author),
            url: self.url.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
