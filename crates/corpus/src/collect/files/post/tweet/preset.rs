//! Which tweets and replies are wanted: rules in a table, all of them asked, each with its name, so
//! that it can be said of which there were how many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Tweet, plain};
use crate::issue::{Code, Issue, Severity};

/// A named set of rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Every tweet.
    #[default]
    All,
    /// Replies that did well under tweets that did well, by accounts of middling size, neither at
    /// once nor late, in words alone.
    PopularReplies,
}

impl Preset {
    /// Whether a tweet that answers nobody is one whose replies are wanted.
    pub(super) fn wants(self, tweet: &Tweet) -> bool {
        self == Self::All || !TWEETS.iter().any(|rule| (rule.breaks)(tweet, None))
    }
}

/// One rule: its name, and whether a tweet breaks it.
struct Rule {
    name: &'static str,
    /// What is asked of a reply and the tweet it answers.
    breaks: fn(&Tweet, Option<&Tweet>) -> bool,
}

/// Rules for tweets that are answered.
const TWEETS: &[Rule] = &[
    Rule { name: "likes", breaks: |tweet, _| is_outside(tweet.likes, 200, 2000) },
    Rule { name: "reposts", breaks: |tweet, _| is_outside(tweet.reposts, 10, 500) },
    Rule { name: "repost", breaks: |tweet, _| tweet.is_repost },
    Rule { name: "quote", breaks: |tweet, _| tweet.quoted.is_some() },
];

/// Rules for replies.
const REPLIES: &[Rule] = &[
    Rule { name: "likes", breaks: |reply, _| is_outside(reply.likes, 5, 1000) },
    Rule { name: "followers", breaks: |reply, _| is_outside(reply.followers, 500, 100_000) },
    Rule { name: "timing", breaks: |reply, tweet| !is_timely(reply, tweet) },
    Rule { name: "length", breaks: |reply, _| is_outside(Some(length(reply)), 30, 280) },
    Rule { name: "media", breaks: |reply, _| reply.has_media },
    Rule { name: "url", breaks: |reply, _| reply.has_url },
    Rule {
        name: "tweet",
        breaks: |_, tweet| tweet.is_none_or(|tweet| TWEETS.iter().any(|rule| (rule.breaks)(tweet, None))),
    },
];

/// Whether a number is known and outside of two others. What is not known is not held against it.
fn is_outside(n: Option<u64>, low: u64, high: u64) -> bool {
    n.is_some_and(|n| n < low || n > high)
}

fn length(tweet: &Tweet) -> u64 {
    plain(&tweet.text, tweet.parent.is_some()).graphemes(true).count() as u64
}

/// Five minutes to a day after the tweet. A reply before its tweet is a fault of a clock.
fn is_timely(reply: &Tweet, tweet: Option<&Tweet>) -> bool {
    match (reply.at, tweet.and_then(|tweet| tweet.at)) {
        (Some(reply), Some(tweet)) => (300..=86_400).contains(&(reply - tweet)),
        _ => true,
    }
}

/// The names of the rules that each tweet breaks; none for those that are answered.
pub(super) fn rejected(preset: &Preset, tweets: &[Tweet]) -> Vec<Vec<&'static str>> {
    if *preset == Preset::All {
        return vec![Vec::new(); tweets.len()];
    }
    let by_id: BTreeMap<&str, &Tweet> = tweets.iter().map(|tweet| (tweet.id.as_str(), tweet)).collect();
    let broken = |tweet: &Tweet| match &tweet.parent {
        Some(parent) => {
            let asked = by_id.get(parent.as_str()).copied();
            REPLIES.iter().filter(|rule| (rule.breaks)(tweet, asked)).map(|rule| rule.name).collect()
        }
        None => Vec::new(),
    };
    tweets.iter().map(broken).collect()
}

/// How many were rejected and why, in words: `23 of 40 rejected: 15 timing, 8 length`.
pub(super) fn told(path: &str, preset: &Preset, rejected: &[Vec<&'static str>], n: usize) -> Option<Issue> {
    let n_rejected = rejected.iter().filter(|reasons| !reasons.is_empty()).count();
    if *preset == Preset::All || n_rejected == 0 {
        return None;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    rejected.iter().flatten().for_each(|reason| *counts.entry(reason).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
    let reasons: Vec<_> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    let detail = format!("{n_rejected} of {n} tweets rejected: {}", reasons.join(", "));
    Some(Issue::new(path, Code::Preset, Severity::Note, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_asked_and_counted() {
        let tweet =
            Tweet { id: "1".into(), likes: Some(300), reposts: Some(20), at: Some(0), ..Tweet::default() };
        let reply = |at: i64, text: &str| Tweet {
            id: at.to_string(),
            parent: Some("1".into()),
            at: Some(at),
            likes: Some(7),
            followers: Some(900),
            text: text.into(),
            ..Tweet::default()
        };
        let good = "@x a reply of thirty letters and more";
        let mut url = reply(1000, good);
        url.has_url = true;
        url.followers = Some(7);
        let tweets = [tweet, reply(400, good), reply(-5, good), reply(500, "@x too short"), url];
        let rejected = rejected(&Preset::PopularReplies, &tweets);
        assert_eq!(rejected, [vec![], vec![], vec!["timing"], vec!["length"], vec!["followers", "url"]]);
        let told = told("p", &Preset::PopularReplies, &rejected, 5).unwrap().detail;
        assert_eq!(told, "3 of 5 tweets rejected: 1 followers, 1 length, 1 timing, 1 url");
        assert!(super::rejected(&Preset::All, &tweets).iter().all(Vec::is_empty));
    }
}
