//! Posts and the replies to them, as trees: what the voice posted, and what it answered to whom.
//!
//! A reply of the voice becomes a dialogue from the root of its tree down to it. What the voice
//! posted to nobody is a text, and so is a thread of its own. Each of its words is used once.
//! Where everybody is the voice, each post is paired with replies to it.
//!
//! It knows nothing of any service: `reddit` and [`tweet`] make `Node`s.

pub(super) mod reddit;
pub mod tweet;

use std::collections::{BTreeMap, BTreeSet};

use super::talk::{Voices, missing};
use super::{Reading, Source, chars};
use crate::document::{Body, Document, Kind, Reception, Speaker, Title, Turn};
use crate::when;

/// Reason for replies to what is not in the file.
const UNASKED: &str = "replies to posts that are not there";
/// Reason for everything the voice neither wrote nor answered.
const AROUND: &str = "posts and replies around those of the voice";
/// Replies to replies beyond which a tree is taken for a circle.
const MAX_DEPTH: usize = 1000;

/// One post or reply.
#[derive(Debug, Clone, Default)]
struct Node {
    id: String,
    /// What it answers, where it answers something.
    parent: Option<String>,
    who: String,
    also: Vec<String>,
    /// Whether the export says that its owner wrote it.
    is_own: bool,
    at: Option<i64>,
    title: Option<String>,
    text: String,
    /// How well it was liked, where the source says.
    score: Option<i64>,
    /// Followers of who wrote it.
    followers: Option<u64>,
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
    source: &'a Source<'a>,
    nodes: Vec<Node>,
    parents: Vec<Option<usize>>,
    is_voice: Vec<bool>,
    used: BTreeSet<usize>,
}

/// Makes documents of posts. Of two with one name the later counts.
fn tell(source: &Source<'_>, nodes: Vec<Node>, pairs: Pairs, reading: &mut Reading) {
    let nodes = latest(nodes, reading);
    let voices = Voices::of(source.settings);
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
        reading.issues.extend(missing(source.path, names, voices.is_empty()));
    }
    let mut forest = Forest { source, parents, is_voice, used: BTreeSet::new(), nodes };
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
                (std::cmp::Reverse(self.nodes[*idx].score.unwrap_or(0)), self.nodes[*idx].at, *idx)
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
        Reception { score: node.score, followers: node.followers, delay_s }
    }

    /// The name of a tree: that of its root, which for the part of a tree is what it answers.
    fn thread(&self, root: usize) -> String {
        let root = &self.nodes[root];
        root.parent.clone().unwrap_or_else(|| root.id.clone())
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
        let mut document = Document::new(self.source.path, reading.documents.len(), kind, title, body);
        document.date = way.last().and_then(|idx| self.nodes[*idx].at).map(when::show);
        document.reception = way.last().map(|idx| self.reception(*idx));
        document.thread =
            way.first().and_then(|idx| self.way(*idx).last().copied()).map(|root| self.thread(root));
        self.used.extend(way);
        reading.documents.push(document);
    }
}

#[cfg(test)]
mod tests;
