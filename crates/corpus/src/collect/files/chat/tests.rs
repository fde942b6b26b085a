//! Exports in miniature, written by us in the shapes of the services.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::super::tests::{assert_accounted, exchange, rest, with_source};
use super::super::{Reading, chars, choose};
use crate::Settings;
use crate::document::Body;

fn shown(reading: &Reading) -> String {
    let mut seen = String::new();
    for document in &reading.documents {
        match &document.body {
            Body::Text(text) => write!(seen, "{text:?}").unwrap(),
            Body::Turns(turns) => seen += &exchange(turns),
        }
        writeln!(seen, " {}", document.date.as_deref().unwrap_or("-")).unwrap();
    }
    seen + &rest(reading)
}

fn check(path: &str, format: &str, text: &str, expected: Expect) {
    let settings = Settings { voice: vec!["Ann Lee".into()], ..Settings::default() };
    with_source(path, text, &settings, |source| {
        let (found, why) = choose(source);
        assert_eq!(found.name, format, "{why}");
        let reading = (found.read)(source);
        assert_accounted(&reading, chars(text));
        expected.assert_eq(&shown(&reading));
    });
}

#[test]
fn whatsapp_from_either_telephone() {
    check(
        "_chat.txt",
        "whatsapp",
        "[31/01/2024, 12:30:05] Bob: \u{200e}Messages and calls are end-to-end encrypted.\n[31/01/2024, 12:31:05] Bob: two\nlines\n\
         \u{200e}[31/01/2024, 12:32:00] Ann Lee: \u{200e}image omitted\n[31/01/2024, 12:32:05] Ann Lee: and: one\n",
        expect![[r#"
            O "two\nlines" / V "and: one" 2024-01-31T12:31:05Z
            blank space: 1
            format marks: 124
            media left out of the export: 59
        "#]],
    );
    check(
        "WhatsApp Chat with Bob.txt",
        "whatsapp",
        "1/31/24, 9:05 PM - Messages to this chat are encrypted\n1/31/24, 9:05\u{202f}PM - Bob: late?\n1/31/24, 9:06 PM - ann lee: never\n\
         2/1/24, 12:01 AM - Bob: <Media omitted>\n2/1/24, 12:02 AM - Bob: now?\n2/1/24, 12:03 AM - Ann Lee: <Media omitted>\n",
        expect![[r#"
            O "late?" / V "never" 2024-01-31T21:05:00Z
            format marks: 133
            media left out of the export: 31
            notices: 54
            talk the voice did not answer: 4
        "#]],
    );
}

#[test]
fn telegram_knows_its_owner_when_all_of_it_is_there() {
    let chat = r#"{"name":"Bob","type":"personal_chat","id":1,"messages":[
        {"id":1,"type":"service","date":"2024-01-31T12:00:00","text":"Bob joined"},
        {"id":2,"type":"message","date_unixtime":"1706702400","from":"Bob","from_id":"user7","text":"up?"},
        {"id":3,"type":"message","date_unixtime":"1706702460","from":"Ann Lee","from_id":"user9","text":["see ",{"type":"bold","text":"this"}]},
        {"id":4,"type":"message","date_unixtime":"1706702460","from":"Ann Lee","from_id":"user9","forwarded_from":"X","text":"not mine"}]}"#;
    check(
        "result.json",
        "telegram",
        chat,
        expect![[r#"
        O "up?" / V "see this" 2024-01-31T12:00:00Z
        forwarded messages: 8
        json syntax and other fields: 503
        notices: 10
    "#]],
    );
    let all = format!(
        r#"{{"personal_information":{{"user_id":9}},"chats":{{"list":[{}]}}}}"#,
        chat.replace("Ann Lee", "Eve")
    );
    check(
        "result.json",
        "telegram",
        &all,
        expect![[r#"
            O "up?" / V "see this" 2024-01-31T12:00:00Z
            forwarded messages: 8
            json syntax and other fields: 553
            notices: 10
        "#]],
    );
}

#[test]
fn discord_from_the_exporter_and_from_the_owner() {
    check(
        "c.json",
        "discord",
        r#"{"guild":{"id":"1"},"channel":{"id":"2"},"messages":[
            {"type":"Default","timestamp":"2024-01-31T12:00:00+00:00","content":"up?","author":{"id":"7","name":"bob","nickname":"Bob","isBot":false}},
            {"type":"Default","timestamp":"2024-01-31T12:00:01+00:00","content":"beep","author":{"id":"8","name":"bot","isBot":true}},
            {"type":"RecipientAdd","timestamp":"2024-01-31T12:00:02+00:00","content":"Added Eve.","author":{"id":"7","name":"bob","isBot":false}},
            {"type":"Reply","timestamp":"2024-01-31T12:01:00+00:00","content":"no","author":{"id":"9","name":"Ann Lee","nickname":"A.","isBot":false}}]}"#,
        expect![[r#"
            O "up?" / V "no" 2024-01-31T12:00:00Z
            json syntax and other fields: 621
            messages of machines: 4
            notices: 10
        "#]],
    );
    check(
        "messages.json",
        "discord",
        r#"[{"ID":2,"Timestamp":"2024-01-31 12:01:00","Contents":"then this","Attachments":""},
            {"ID":1,"Timestamp":"2024-01-31 12:00:00","Contents":"first this","Attachments":""}]"#,
        expect![[r#"
            "first this\nthen this" 2024-01-31T12:00:00Z
            json syntax and other fields: 162
        "#]],
    );
}

#[test]
fn slack_keeps_threads_together_and_reads_its_marks() {
    check(
        "general/2024-01-31.json",
        "slack",
        r#"[{"type":"message","user":"U7","ts":"1706702400.000100","text":"rain &amp; wind?","user_profile":{"real_name":"Bob"}},
            {"type":"message","subtype":"channel_join","user":"U7","ts":"1706702401.0","text":"<@U7> has joined"},
            {"type":"message","user":"U7","ts":"1706702402.0","thread_ts":"1706702402.0","text":"lunch?","user_profile":{"real_name":"Bob"}},
            {"type":"message","user":"U9","ts":"1706702403.0","text":"see <https://x.y|this>","user_profile":{"display_name":"Ann Lee"}},
            {"type":"message","bot_id":"B1","ts":"1706702404.0","text":"build failed"},
            {"type":"message","user":"U9","ts":"1706702405.0","thread_ts":"1706702402.0","text":"noon","user_profile":{"display_name":"Ann Lee"}}]"#,
        expect![[r#"
            O "rain & wind?" / V "see this" 2024-01-31T12:00:00Z
            O "lunch?" / V "noon" 2024-01-31T12:00:02Z
            json syntax and other fields: 690
            messages of machines: 12
            notices: 16
        "#]],
    );
}

#[test]
fn signal_in_its_three_shapes() {
    check(
        "main.jsonl",
        "signal",
        "{\"account\":{}}\n{\"recipient\":{\"id\":\"2\",\"contact\":{\"profileGivenName\":\"Bob\"}}}\n\
         {\"chatItem\":{\"chatId\":\"1\",\"authorId\":\"2\",\"dateSent\":\"1706702400000\",\"incoming\":{},\"standardMessage\":{\"text\":{\"body\":\"up?\"}}}}\n\
         {\"chatItem\":{\"chatId\":\"1\",\"authorId\":\"1\",\"dateSent\":\"1706702460000\",\"outgoing\":{},\"standardMessage\":{\"text\":{\"body\":\"no\"}}}}\n",
        expect![[r#"
            O "up?" / V "no" 2024-01-31T12:00:00Z
            json syntax and other fields: 323
        "#]],
    );
    check(
        "data.json",
        "signal",
        "{\"date\":\"2024-01-31 12:00:00\",\"sender\":\"Bob\",\"body\":\"up?\",\"quote\":\"\"}\n{\"date\":\"2024-01-31 12:01:00\",\"sender\":\"Me\",\"body\":\"no\",\"quote\":\"\"}\n",
        expect![[r#"
            O "up?" / V "no" 2024-01-31T12:00:00Z
            json syntax and other fields: 133
        "#]],
    );
    check(
        "rows.json",
        "signal",
        r#"[{"conversationId":"c","sent_at":1706702400000,"type":"incoming","source":"+1","body":"up?"},{"conversationId":"c","sent_at":1706702460000,"type":"outgoing","body":"no"}]"#,
        expect![[r#"
            O "up?" / V "no" 2024-01-31T12:00:00Z
            json syntax and other fields: 165
        "#]],
    );
}

#[test]
fn messenger_is_turned_round_and_mended() {
    check(
        "message_1.json",
        "messenger",
        r#"{"participants":[],"messages":[{"sender_name":"Ann Lee","timestamp_ms":1706702460000,"content":"caf\u00c3\u00a9"},
            {"sender_name":"Bob","timestamp_ms":1706702400000,"content":"where?"}]}"#,
        expect![[r#"
            O "where?" / V "café" 2024-01-31T12:00:00Z
            json syntax and other fields: 188
        "#]],
    );
}

#[test]
fn damaged_and_foreign_files_are_told() {
    check(
        "message_1.json",
        "messenger",
        r#"{"participants":[],"messages":[{"sender_name":"Cy","timestamp_ms":1706702460000,"content":"hello"}]}"#,
        expect![[r#"
            conversations without the voice: 5
            json syntax and other fields: 95
            Skipped: the voice says nothing in it; Cy (1) do
        "#]],
    );
    check(
        "message_1.json",
        "messenger",
        r#"{"participants":[],"messages":[{"sender_name":"Ann Lee","timestamp_ms":17067"#,
        expect![[r#"
            unreadable json: 76
            Part: EOF while parsing an object at line 1 column 76
        "#]],
    );
}

#[test]
fn chatgpt_by_the_branch_that_was_open() {
    check(
        "conversations.json",
        "chatgpt",
        r#"[{"title":"Tea","current_node":"d","mapping":{
            "a":{"parent":null,"children":["b"],"message":null},
            "b":{"parent":"a","children":["c","x"],"message":{"author":{"role":"user"},"create_time":1706702400.5,"content":{"content_type":"text","parts":["how long?"]}}},
            "x":{"parent":"b","children":[],"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["never"]}}},
            "c":{"parent":"b","children":["t"],"message":{"author":{"role":"assistant"},"create_time":1706702401,"content":{"content_type":"text","parts":["Four","minutes."]}}},
            "t":{"parent":"c","children":["d"],"message":{"author":{"role":"tool"},"content":{"content_type":"code","text":"print()"}}},
            "d":{"parent":"t","children":[],"message":{"author":{"role":"user"},"create_time":1706702402,"content":{"content_type":"text","parts":["and sugar?",{"asset_pointer":"x"}]}}}}}]"#,
        expect![[r#"
            O "Four\nminutes." / V "and sugar?" 2024-01-31T12:00:01Z
            json syntax and other fields: 884
            messages of machines: 7
            openings that answer nobody: 9
            other branches of a conversation: 5
        "#]],
    );
}
