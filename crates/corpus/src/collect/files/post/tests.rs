//! Posts and replies in miniature, written by us in the shapes of the services.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::super::tests::{assert_accounted, exchange, with_source};
use super::super::{Reading, chars, choose};
use super::tweet::preset::Preset;
use crate::Settings;
use crate::document::Body;

fn shown(reading: &Reading) -> String {
    let mut seen = String::new();
    for document in &reading.documents {
        match &document.body {
            Body::Text(text) => {
                let title = document.title.as_ref().map_or("", |title| title.text.as_str());
                write!(seen, "{title}: {text:?}").unwrap();
            }
            Body::Turns(turns) => seen += &exchange(turns),
        }
        seen += "\n";
    }
    let is_named = |why: &str| !why.contains("syntax") && !why.contains("columns");
    reading.tally.dropped.iter().filter(|(why, _)| is_named(why)).for_each(|(why, n)| {
        writeln!(seen, "{why}: {n}").unwrap();
    });
    reading.issues.iter().for_each(|i| writeln!(seen, "{:?}: {}", i.severity, i.detail).unwrap());
    seen
}

fn check_as(settings: &Settings, path: &str, format: &str, text: &str, expected: Expect) {
    with_source(path, text, settings, |source| {
        let (found, why) = choose(source);
        assert_eq!(found.name, format, "{why}");
        let reading = (found.read)(source);
        assert_accounted(&reading, chars(text));
        expected.assert_eq(&shown(&reading));
    });
}

fn check(voice: &str, path: &str, format: &str, text: &str, expected: Expect) {
    let settings = Settings { voice: vec![voice.to_owned()], ..Settings::default() };
    check_as(&settings, path, format, text, expected);
}

#[test]
fn an_archive_holds_its_owners_tweets() {
    check_as(
        &Settings::default(),
        "data/tweets.js",
        "tweets",
        r#"window.YTD.tweets.part0 = [
            {"tweet":{"id_str":"1","full_text":"Tea &amp; toast https://t.co/abc","created_at":"Wed Oct 10 20:19:24 +0000 2018"}},
            {"tweet":{"id_str":"2","full_text":"@me and jam","in_reply_to_status_id_str":"1","created_at":"Wed Oct 10 20:20:24 +0000 2018"}},
            {"tweet":{"id_str":"3","full_text":"RT @bob: not mine"}},
            {"tweet":{"id_str":"4","full_text":"@bob yes","in_reply_to_status_id_str":"99"}}]"#,
        expect![[r#"
            : "Tea & toast\n\nand jam"
            replies to posts that are not there: 3
        "#]],
    );
}

#[test]
fn replies_of_the_voice_stand_after_what_they_answer() {
    let tweet = |id: &str, who: &str, parent: &str, text: &str| {
        format!(
            "{{\"id_str\":\"{id}\",\"full_text\":\"{text}\",\"user\":{{\"screen_name\":\"{who}\"}},\"in_reply_to_status_id_str\":{parent},\
             \"created_at\":\"Wed Oct 10 20:1{id}:24 +0000 2018\"}}\n"
        )
    };
    let text = [
        tweet("1", "bob", "null", "Which kettle?"),
        tweet("2", "ann", "\"1\"", "@bob The loud one."),
        tweet("3", "cy", "\"2\"", "@ann Why?"),
        tweet("4", "ann", "\"3\"", "@cy It sings."),
        tweet("5", "ann", "\"3\"", "@cy And it whistles."),
        tweet("6", "eve", "\"1\"", "@bob Mine."),
        tweet("7", "ann", "null", "Good night."),
        "{\"id_str\":\"8\",\"full_text\":\"torn".to_owned(),
    ];
    check(
        "@Ann",
        "a.jsonl",
        "tweets",
        &text.concat(),
        expect![[r#"
        O "Which kettle?" / V "The loud one." / O "Why?" / V "It sings."
        O "Why?" / V "And it whistles."
        : "Good night."
        posts and replies around those of the voice: 5
        unreadable json: 31
        Part: EOF while parsing a string at line 1 column 31
    "#]],
    );
}

#[test]
fn tweets_in_the_shapes_of_others() {
    check(
        "ann",
        "v2.jsonl",
        "tweets",
        r#"{"data":[{"id":"2","author_id":"9","conversation_id":"1","text":"Tea.","referenced_tweets":[{"type":"replied_to","id":"1"}],"edit_history_tweet_ids":["2"]},
            {"id":"3","author_id":"9","conversation_id":"3","text":"Old","edit_history_tweet_ids":["3","4"]}],
            "includes":{"users":[{"id":"9","username":"ann"},{"id":"8","username":"bob"}],"tweets":[{"id":"1","author_id":"8","conversation_id":"1","text":"What?"}]}}"#,
        expect![[r#"
            O "What?" / V "Tea."
            older versions of tweets: 3
        "#]],
    );
    check(
        "ann",
        "scraped.jsonl",
        "tweets",
        "{\"id\":1,\"conversationId\":1,\"rawContent\":\"What?\",\"user\":{\"username\":\"bob\"},\"media\":{\"photos\":[]}}\n\
         {\"id\":2,\"conversationId\":1,\"rawContent\":\"@bob Tea.\",\"user\":{\"username\":\"ann\"},\"inReplyToTweetId\":1}\n",
        expect![[r#"
            O "What?" / V "Tea."
        "#]],
    );
    check(
        "ann",
        "page.json",
        "tweets",
        r#"{"data":{"tweet_results":[{"result":{"rest_id":"1","core":{"user_results":{"result":{"core":{"screen_name":"bob"}}}},"legacy":{"full_text":"What?","user_id_str":"8","id_str":"1"}}},
            {"result":{"tweet":{"rest_id":"2","core":{"user_results":{"result":{"legacy":{"screen_name":"ann"}}}},"legacy":{"full_text":"@bob Te…","user_id_str":"9","id_str":"2","in_reply_to_status_id_str":"1"},
            "note_tweet":{"note_tweet_results":{"result":{"text":"@bob Tea, at length."}}}}}}]}}"#,
        expect![[r#"
            O "What?" / V "Tea, at length."
        "#]],
    );
}

#[test]
fn a_preset_chooses_and_says_what_it_left_out() {
    let settings =
        Settings { voice: vec!["*".into()], tweets: Preset::PopularReplies, ..Settings::default() };
    let pair = |id: u32, likes: u32, followers: &str, reply: &str| {
        format!(
            "{{\"tweet_id\":1,\"tweet\":\"What makes a good kettle?\",\"tweet_author\":\"bob\",\"tweet_likes\":300,\"tweet_retweets\":20,\
             \"tweet_created_at\":\"2024-01-01T12:00:00Z\",\"reply_id\":{id},\"reply\":\"{reply}\",\"reply_author\":\"cy\",\"reply_likes\":{likes},\
             \"reply_author_followers\":{followers},\"reply_time_diff_seconds\":1800}}\n"
        )
    };
    let text = [
        pair(2, 50, "5000", "@bob One that knows when to be quiet, mostly."),
        pair(3, 2, "\"5.2K\"", "@bob One that knows when to be loud, mostly."),
        pair(4, 7, "90", "@bob A red one."),
    ];
    check_as(
        &settings,
        "pairs.jsonl",
        "tweets",
        &text.concat(),
        expect![[r#"
        O "What makes a good kettle?" / V "One that knows when to be quiet, mostly."
        posts that stand there twice: 50
        tweets the preset leaves out: 49
        Note: 2 of 6 tweets rejected: 1 followers, 1 length, 1 likes
    "#]],
    );
}

const THREAD: &str = r#"[{"kind":"Listing","data":{"children":[{"kind":"t3","data":{"id":"a","title":"Loud kettle","selftext":"It sings. Help?","author":"bob","subreddit":"tea","created_utc":1.7e9,"score":9}}]}},
    {"kind":"Listing","data":{"children":[
      {"kind":"t1","data":{"id":"b","parent_id":"t3_a","author":"ann","body":"Let it.","score":3,"created_utc":1.7e9,"replies":{"kind":"Listing","data":{"children":[
         {"kind":"t1","data":{"id":"c","parent_id":"t1_b","author":"bob","body":"[deleted]","score":1,"replies":""}},
         {"kind":"t1","data":{"id":"d","parent_id":"t1_b","author":"cy","body":"Why?","score":1,"replies":{"kind":"Listing","data":{"children":[
            {"kind":"t1","data":{"id":"e","parent_id":"t1_d","author":"ann","body":"It is happy.","score":1,"replies":""}}]}}}}]}}}},
      {"kind":"t1","data":{"id":"f","parent_id":"t3_a","author":"AutoModerator","body":"Read the rules.","score":1,"replies":""}},
      {"kind":"t1","data":{"id":"g","parent_id":"t3_a","author":"eve","body":"Sell it.","score":5,"replies":""}},
      {"kind":"more","data":{"count":7,"children":["x"]}}]}}]"#;

#[test]
fn a_thread_of_reddit_is_one_voice_or_the_best_comment() {
    check(
        "ann",
        "thread.json",
        "reddit",
        THREAD,
        expect![[r#"
        O "Loud kettle\n\nIt sings. Help?" / V "Let it." / O "Why?" / V "It is happy."
        messages of machines: 15
        posts and replies around those of the voice: 8
        Note: 7 comments are only named in it ("load more"), not there
    "#]],
    );
    check(
        "*",
        "thread.json",
        "reddit",
        THREAD,
        expect![[r#"
        O "Loud kettle\n\nIt sings. Help?" / V "Sell it."
        messages of machines: 15
        posts and replies around those of the voice: 23
        Note: 7 comments are only named in it ("load more"), not there
    "#]],
    );
    check(
        "nobody",
        "thread.json",
        "reddit",
        THREAD,
        expect![[r#"
        messages of machines: 15
        posts and replies around those of the voice: 57
        Note: 7 comments are only named in it ("load more"), not there
        Skipped: the voice says nothing in it; ann (2), bob (1), cy (1), eve (1) do
    "#]],
    );
}

#[test]
fn a_data_export_of_reddit_is_its_owners() {
    check_as(
        &Settings::default(),
        "posts.csv",
        "reddit",
        "id,permalink,date,ip,subreddit,gildings,title,url,body\nx1,https://x/1,2020-01-02 03:04:05 UTC,,tea,0,\"On, tea\",,\"It is\nwet.\"\nx2,https://x/2,,,tea,0,Gone,,[removed]\n",
        expect![[r#"
            On, tea: "It is\nwet."
            texts that were taken away: 4
        "#]],
    );
}

#[test]
fn replies_that_answer_each_other_in_a_circle_end() {
    check(
        "ann",
        "circle.jsonl",
        "tweets",
        "{\"id_str\":\"1\",\"full_text\":\"a\",\"user\":{\"screen_name\":\"ann\"},\"in_reply_to_status_id_str\":\"2\"}\n\
         {\"id_str\":\"2\",\"full_text\":\"b\",\"user\":{\"screen_name\":\"bob\"},\"in_reply_to_status_id_str\":\"1\"}\n",
        expect![[r#"
            posts and replies around those of the voice: 1
            replies to posts that are not there: 1
        "#]],
    );
}
