//! The shapes in which tweets are saved: one function each, and a line in [`ALL`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::Tweet;
use crate::when;

/// Accounts by their number, for shapes that keep them apart from tweets.
pub(super) type Users = BTreeMap<String, (String, String, Option<u64>)>;

/// One shape: the tweets that a value of it is, none where it is something else.
type Shape = fn(&Value, &Users) -> Vec<Tweet>;

const ALL: &[Shape] = &[archive, graphql, v1, v2, scraped, actor, pair];

/// The tweets a value is; what is inside it is asked for separately.
pub(super) fn tweets(value: &Value, users: &Users) -> Vec<Tweet> {
    ALL.iter().map(|shape| shape(value, users)).find(|tweets| !tweets.is_empty()).unwrap_or_default()
}

/// The accounts that API v2 lists beside the tweets.
pub(super) fn users(record: &Value) -> Users {
    let list = record["includes"]["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    let user = |user: &Value| {
        let followers = count(&user["public_metrics"]["followers_count"]);
        (id(&user["id"]), (text(user, "username"), text(user, "name"), followers))
    };
    list.iter().map(user).collect()
}

/// `{"tweet": {…}}` in `tweets.js`: the owner's own.
fn archive(value: &Value, _: &Users) -> Vec<Tweet> {
    let tweet = &value["tweet"];
    if !tweet["id_str"].is_string() || tweet["user"].is_object() {
        return Vec::new();
    }
    let mut found = fields(tweet);
    found.iter_mut().for_each(|tweet| tweet.is_own = true);
    found
}

/// API v1.1.
fn v1(value: &Value, _: &Users) -> Vec<Tweet> {
    let is_tweet = value["user"].is_object() && (value["id_str"].is_string() || value["id"].is_u64());
    if is_tweet { fields(value) } else { Vec::new() }
}

/// The fields of API v1.1, which an archive holds too.
fn fields(value: &Value) -> Vec<Tweet> {
    let Some(words) = value["full_text"].as_str().or_else(|| value["text"].as_str()) else {
        return Vec::new();
    };
    let number = if value["id_str"].is_string() { id(&value["id_str"]) } else { id(&value["id"]) };
    let user = &value["user"];
    vec![Tweet {
        id: number,
        parent: some(&value["in_reply_to_status_id_str"]).or_else(|| some(&value["in_reply_to_status_id"])),
        quoted: some(&value["quoted_status_id_str"]),
        handle: text(user, "screen_name"),
        names: vec![text(user, "name"), id(&user["id_str"])],
        at: when::parse(&text(value, "created_at")),
        text: words.to_owned(),
        likes: count(&value["favorite_count"]),
        reposts: count(&value["retweet_count"]),
        account: some(&user["id_str"]).or_else(|| some(&user["id"])),
        followers: count(&user["followers_count"]),
        is_repost: value.get("retweeted_status").is_some_and(Value::is_object) || words.starts_with("RT @"),
        has_media: is_some(&value["entities"]["media"]) || is_some(&value["extended_entities"]["media"]),
        has_url: is_some(&value["entities"]["urls"]),
        ..Tweet::default()
    }]
}

/// `{"rest_id", "legacy": {…}, "core": …}` as the service answers its own pages.
fn graphql(value: &Value, _: &Users) -> Vec<Tweet> {
    let legacy = &value["legacy"];
    let (Some(words), true) = (legacy["full_text"].as_str(), value["rest_id"].is_string()) else {
        return Vec::new();
    };
    let user = &value["core"]["user_results"]["result"];
    let name = |name: &str| {
        let old = text(&user["legacy"], name);
        if old.is_empty() { text(&user["core"], name) } else { old }
    };
    let long = value["note_tweet"]["note_tweet_results"]["result"]["text"].as_str();
    vec![Tweet {
        id: id(&value["rest_id"]),
        parent: some(&legacy["in_reply_to_status_id_str"]),
        quoted: some(&legacy["quoted_status_id_str"]),
        handle: name("screen_name"),
        names: vec![name("name"), id(&user["rest_id"])],
        at: when::parse(&text(legacy, "created_at")),
        text: long.unwrap_or(words).to_owned(),
        likes: count(&legacy["favorite_count"]),
        reposts: count(&legacy["retweet_count"]),
        replies: count(&legacy["reply_count"]),
        views: count(&value["views"]["count"]),
        account: some(&user["rest_id"]),
        conversation: some(&legacy["conversation_id_str"]),
        followers: count(&user["legacy"]["followers_count"]),
        is_repost: legacy.get("retweeted_status_result").is_some() || words.starts_with("RT @"),
        has_media: is_some(&legacy["entities"]["media"]),
        has_url: is_some(&legacy["entities"]["urls"]),
        ..Tweet::default()
    }]
}

/// API v2, whole answers and twarc's flat lines.
fn v2(value: &Value, users: &Users) -> Vec<Tweet> {
    let Some(words) =
        value["text"].as_str().filter(|_| value["author_id"].is_string() && value["id"].is_string())
    else {
        return Vec::new();
    };
    let author = id(&value["author_id"]);
    let (mut handle, mut name, mut followers) = users.get(&author).cloned().unwrap_or_default();
    if value["author"].is_object() {
        handle = text(&value["author"], "username");
        name = text(&value["author"], "name");
        followers = count(&value["author"]["public_metrics"]["followers_count"]);
    }
    let refers = |kind: &str| {
        let list = value["referenced_tweets"].as_array()?;
        list.iter().find(|other| other["type"] == kind).map(|other| id(&other["id"]))
    };
    let versions = value["edit_history_tweet_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = id(&value["id"]);
    let long = value["note_tweet"]["text"].as_str();
    vec![Tweet {
        parent: refers("replied_to"),
        quoted: refers("quoted"),
        names: vec![name, author.clone()],
        handle: if handle.is_empty() { author.clone() } else { handle },
        at: when::parse(&text(value, "created_at")),
        text: long.unwrap_or(words).to_owned(),
        likes: count(&value["public_metrics"]["like_count"]),
        reposts: count(&value["public_metrics"]["retweet_count"]),
        replies: count(&value["public_metrics"]["reply_count"]),
        views: count(&value["public_metrics"]["impression_count"]),
        account: Some(author),
        conversation: some(&value["conversation_id"]),
        followers,
        is_repost: refers("retweeted").is_some(),
        has_media: is_some(&value["attachments"]["media_keys"]),
        has_url: is_some(&value["entities"]["urls"]),
        is_old: versions.last().is_some_and(|last| id(last) != number),
        id: number,
        ..Tweet::default()
    }]
}

/// twscrape and snscrape.
fn scraped(value: &Value, _: &Users) -> Vec<Tweet> {
    let Some(words) = value["rawContent"].as_str().filter(|_| value["user"].is_object()) else {
        return Vec::new();
    };
    let user = &value["user"];
    let media = &value["media"];
    vec![Tweet {
        id: if value["id_str"].is_string() { id(&value["id_str"]) } else { id(&value["id"]) },
        parent: some(&value["inReplyToTweetIdStr"]).or_else(|| some(&value["inReplyToTweetId"])),
        quoted: some(&value["quotedTweet"]["id_str"]).or_else(|| some(&value["quotedTweet"]["id"])),
        handle: text(user, "username"),
        names: vec![text(user, "displayname"), id(&user["id"])],
        at: when::parse(&text(value, "date")),
        text: words.to_owned(),
        likes: count(&value["likeCount"]),
        reposts: count(&value["retweetCount"]),
        replies: count(&value["replyCount"]),
        views: count(&value["viewCount"]),
        account: some(&user["id_str"]).or_else(|| some(&user["id"])),
        conversation: some(&value["conversationIdStr"]).or_else(|| some(&value["conversationId"])),
        followers: count(&user["followersCount"]),
        is_repost: value["retweetedTweet"].is_object(),
        has_media: ["photos", "videos", "animated"].iter().any(|kind| is_some(&media[*kind]))
            || is_some(media),
        has_url: is_some(&value["links"]),
        ..Tweet::default()
    }]
}

/// Actors of Apify.
fn actor(value: &Value, _: &Users) -> Vec<Tweet> {
    let words = value["fullText"].as_str().or_else(|| value["text"].as_str());
    let Some(words) = words.filter(|_| value["author"].is_object() && value.get("likeCount").is_some())
    else {
        return Vec::new();
    };
    let author = &value["author"];
    let flag = |name: &str| value[name] == Value::Bool(true);
    vec![Tweet {
        id: id(&value["id"]),
        parent: some(&value["inReplyToId"]).or_else(|| some(&value["inReplyToStatusId"])),
        quoted: some(&value["quoteId"]),
        handle: text(author, "userName"),
        names: vec![text(author, "name"), id(&author["id"])],
        at: when::parse(&text(value, "createdAt")),
        text: words.to_owned(),
        likes: count(&value["likeCount"]),
        reposts: count(&value["retweetCount"]),
        replies: count(&value["replyCount"]),
        views: count(&value["viewCount"]),
        account: some(&author["id"]),
        conversation: some(&value["conversationId"]),
        followers: count(&author["followers"]),
        is_repost: flag("isRetweet"),
        has_media: is_some(&value["media"]) || is_some(&value["extendedEntities"]["media"]),
        has_url: is_some(&value["entities"]["urls"]),
        ..Tweet::default()
    }]
}

/// A tweet and a reply to it in one record.
fn pair(value: &Value, _: &Users) -> Vec<Tweet> {
    let (Some(asked), Some(answer)) = (value["tweet"].as_str(), value["reply"].as_str()) else {
        return Vec::new();
    };
    let tweet = Tweet {
        id: id(&value["tweet_id"]),
        handle: text(value, "tweet_author"),
        at: when::parse(&text(value, "tweet_created_at")),
        collected_at: some(&value["collected_at"]),
        text: asked.to_owned(),
        likes: count(&value["tweet_likes"]),
        reposts: count(&value["tweet_retweets"]),
        ..Tweet::default()
    };
    let delay = count(&value["reply_time_diff_seconds"]).and_then(|n| i64::try_from(n).ok());
    let reply = Tweet {
        id: id(&value["reply_id"]),
        parent: Some(tweet.id.clone()),
        handle: text(value, "reply_author"),
        at: when::parse(&text(value, "reply_created_at")).or_else(|| Some(tweet.at? + delay?)),
        collected_at: some(&value["collected_at"]),
        text: answer.to_owned(),
        likes: count(&value["reply_likes"]),
        followers: count(&value["reply_author_followers"]),
        has_media: value["reply_has_media"] == Value::Bool(true),
        has_url: answer.contains("http://") || answer.contains("https://"),
        ..Tweet::default()
    };
    vec![tweet, reply]
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// A number of a tweet or account as text, with all its digits.
fn id(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn some(value: &Value) -> Option<String> {
    Some(id(value)).filter(|id| !id.is_empty())
}

/// Whether a list or object holds something.
fn is_some(value: &Value) -> bool {
    match value {
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

/// A count as a number, or as pages show it: `1,204`, `5.2K`.
fn count(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => return number.as_u64(),
        Value::String(text) => text.replace(',', "").trim().to_uppercase(),
        _ => return None,
    };
    let (digits, unit) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 1e3),
        (at, 'M') => (&text[..at], 1e6),
        _ => (text.as_str(), 1.0),
    };
    let n: f64 = digits.parse().ok()?;
    (n >= 0.0 && n * unit < 1e15).then(|| (n * unit).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_are_read_as_pages_show_them() {
        let check = |value: Value, expected| assert_eq!(count(&value), expected, "{value}");
        check(json!(12), Some(12));
        check(json!("5.2K"), Some(5200));
        check(json!("1,204"), Some(1204));
        check(json!("3M"), Some(3_000_000));
        check(json!(null), None);
        check(json!("é"), None);
        check(json!(-1), None);
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        assert_eq!(id(&json!(1_649_191_520_250_245_121_u64)), "1649191520250245121");
        assert_eq!(id(&json!(null)), "");
    }
}
