//! Tweets: the owner's archive and every shape in which others save them.
//!
//! Which fields hold what is a matter of `shape`; which tweets are wanted, of [`preset`]. A tweet
//! may stand anywhere in a record, and stands there more than once in the answers of the service.

pub mod preset;
mod shape;

use serde_json::Value;

use self::preset::Preset;
use super::super::json::records;
use super::super::xml::unescape;
use super::super::{Claim, Format, Reading, Source, chars, claim};
use super::{Gathered, Node, Posts, place, read_alone};
use crate::Settings;
use crate::document::Reception;
use crate::issue::{Code, Issue, Severity};

/// Bytes of a file looked at.
const SNIFFED: usize = 1 << 16;
/// Reason for tweets that only pass on another.
const REPOST: &str = "reposts";

pub(in super::super) const FORMAT: Format = Format {
    name: "tweets",
    about: "`tweets.js` of the owner's archive; tweets as JSON of API v1.1 and v2, GraphQL, twscrape, twarc and Apify; \
            pairs of tweet and reply",
    needs: "`corpus.voice` (`*` pairs each tweet with its replies); nothing for an archive",
    yields: "tweets",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

/// How the owner's archive begins.
pub(super) const ARCHIVE: &str = "window.YTD.";
/// Fields by which other files of tweets are known: all of a row.
pub(super) const FIELDS: &[&[&str]] = &[
    &["\"full_text\"", "\"id_str\""],
    &["\"rawContent\"", "\"conversationId\""],
    &["\"conversation_id\"", "\"author_id\""],
    &["\"tweet_results\""],
    &["\"conversationId\"", "\"likeCount\""],
    &["\"in_reply_to_status_id", "\"screen_name\""],
    &["\"tweet_id\"", "\"reply_id\"", "\"reply\""],
];

fn claims(source: &Source<'_>) -> Option<Claim> {
    let head = source.head(SNIFFED).trim_start();
    let has = |words: &&[&str]| words.iter().all(|word| head.contains(word));
    if head.starts_with(ARCHIVE) && head.contains("tweet") {
        return claim(110, "it is an archive of tweets");
    }
    let is_known = FIELDS.iter().any(has);
    (head.starts_with(['{', '[']) && is_known).then(|| claim(110, "its fields are those of tweets")).flatten()
}

/// A tweet, whatever file it comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tweet {
    id: String,
    parent: Option<String>,
    quoted: Option<String>,
    handle: String,
    names: Vec<String>,
    is_own: bool,
    at: Option<i64>,
    /// When it was fetched, as the record says.
    collected_at: Option<String>,
    text: String,
    likes: Option<u64>,
    reposts: Option<u64>,
    replies: Option<u64>,
    views: Option<u64>,
    followers: Option<u64>,
    /// The number of the account.
    account: Option<String>,
    /// The tweet with which the conversation began.
    conversation: Option<String>,
    is_repost: bool,
    has_media: bool,
    has_url: bool,
    /// Whether a later version of it exists.
    is_old: bool,
}

fn read(source: &Source<'_>) -> Reading {
    read_alone(source, gathered)
}

/// The tweets of a file.
pub(super) fn gathered(source: &Source<'_>) -> Gathered {
    let mut reading = Reading::default();
    let mut tweets = Vec::new();
    for record in records(source.text) {
        match &record.value {
            Ok(value) => gather(value, &mut tweets),
            Err(why) => {
                reading.tally.drop("unreadable json", chars(&source.text[record.range.clone()]));
                let issue = Issue::new(source.path, Code::Json, Severity::Part, why.as_str());
                reading.issues.push(issue.at(record.line));
            }
        }
    }
    Gathered { posts: Posts::Tweets(tweets), reading, n_chars: chars(source.text) }
}

/// The tweets of all files as posts, those marked that the preset leaves out.
pub(super) fn chosen(
    settings: &Settings,
    paths: &[String],
    tweets: Vec<(usize, Tweet)>,
    reading: &mut Reading,
) -> Vec<Node> {
    let (files, tweets): (Vec<usize>, Vec<Tweet>) = tweets.into_iter().unzip();
    let rejected = preset::rejected(&settings.tweets, &tweets);
    reading.issues.extend(preset::told(&place(paths), &settings.tweets, &rejected, tweets.len()));
    let nodes = tweets.into_iter().zip(rejected).zip(files);
    nodes.map(|((tweet, reasons), file)| Node { file, ..node(tweet, reasons.is_empty()) }).collect()
}

/// The conversations that a text of tweets begins and that are wanted: those of tweets that answer
/// nobody and break no rule of the preset.
pub(in crate::collect) fn conversations(text: &str, preset: Preset) -> Vec<String> {
    let is_begun = |tweet: &Tweet| {
        tweet.parent.is_none() && !tweet.is_repost && !tweet.id.is_empty() && preset.wants(tweet)
    };
    all(text).into_iter().filter(is_begun).map(|tweet| tweet.conversation.unwrap_or(tweet.id)).collect()
}

/// The numbers of the tweets in a text.
pub(in crate::collect) fn names(text: &str) -> Vec<String> {
    all(text).into_iter().map(|tweet| tweet.id).filter(|id| !id.is_empty()).collect()
}

fn all(text: &str) -> Vec<Tweet> {
    let mut tweets = Vec::new();
    records(text)
        .iter()
        .filter_map(|record| record.value.as_ref().ok())
        .for_each(|value| gather(value, &mut tweets));
    tweets
}

/// Finds tweets in a record, however deep, without recursion: answers of the service nest far.
fn gather(record: &Value, tweets: &mut Vec<Tweet>) {
    let users = shape::users(record);
    let mut open = vec![record];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(list) => open.extend(list.iter().rev()),
            Value::Object(fields) => {
                tweets.extend(shape::tweets(value, &users));
                let inner = fields.values().rev().filter(|value| value.is_object() || value.is_array());
                open.extend(inner);
            }
            _ => {}
        }
    }
}

fn node(tweet: Tweet, is_wanted: bool) -> Node {
    let aside = match () {
        () if tweet.is_repost => Some(REPOST),
        () if tweet.is_old => Some("older versions of tweets"),
        () if !is_wanted => Some("tweets the preset leaves out"),
        () => None,
    };
    Node {
        file: 0,
        text: if tweet.is_repost { String::new() } else { plain(&tweet.text, tweet.parent.is_some()) },
        id: tweet.id,
        parent: tweet.parent.or(tweet.quoted),
        who: tweet.handle,
        also: tweet.names,
        is_own: tweet.is_own,
        at: tweet.at,
        collected_at: tweet.collected_at,
        title: None,
        url: None,
        reception: Reception {
            score: tweet.likes.map(|likes| i64::try_from(likes).unwrap_or(i64::MAX)),
            reposts: tweet.reposts,
            replies: tweet.replies,
            views: tweet.views,
            followers: tweet.followers,
            delay_s: None,
        },
        account: tweet.account,
        thread: tweet.conversation,
        aside,
    }
}

/// The words of a tweet: entities decoded, without the names that a reply is addressed to by the
/// service and the link at the end that stands for a picture or a quotation.
fn plain(text: &str, is_reply: bool) -> String {
    let text = unescape(text);
    let mut words = text.trim();
    while is_reply && words.starts_with('@') {
        let end = words.find(char::is_whitespace).unwrap_or(words.len());
        words = words[end..].trim_start();
    }
    while let Some(at) = words.rfind("https://t.co/") {
        if words[at..].contains(char::is_whitespace) {
            break;
        }
        words = words[..at].trim_end();
    }
    words.to_owned()
}
