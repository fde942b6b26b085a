//! What writing is broken in, and what becomes of it: one test a sort of damage, through the whole flow.

use super::*;
use penname_corpus::document::Document;
use penname_corpus::settings::Validate;
use penname_corpus::validate::personal::Action;

/// The one file, prepared; all of it is learned.
fn prepared(content: &[u8]) -> Prepared {
    prepared_as("a.txt", content, &Settings::default())
}

fn prepared_as(name: &str, content: &[u8], settings: &Settings) -> Prepared {
    let prepared = run(&[(name, content)], settings).unwrap();
    assert!(prepared.account.is_balanced());
    prepared
}

/// What is left of a text; its first sentence may have become the prompt.
fn text(content: impl AsRef<[u8]>) -> String {
    let prepared = prepared(content.as_ref());
    prepared.documents.iter().flat_map(Document::texts).collect::<Vec<_>>().join("|")
}

fn check(content: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(text(content), expected);
}

#[test]
fn marks_of_byte_order_go_wherever_they_stand() {
    check(b"\xef\xbb\xbfThe kettle.\n\n\xef\xbb\xbfIt sang.", "The kettle.\n\nIt sang.");
    let utf16: Vec<u8> = "\u{feff}The kettle sang.".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(utf16, "The kettle sang.");
}

#[test]
fn legacy_encodings_are_named_with_how_sure_it_is() {
    let prepared = prepared(b"The caf\xe9 of L\xe9on, \x93d\xe9j\xe0 vu\x94.");
    let encoding = prepared.documents[0].encoding.as_ref().unwrap();
    assert_eq!(encoding.name, "windows-1252");
    assert!(encoding.confidence > 0.6 && encoding.confidence <= 1.0);
}

#[test]
fn mojibake_is_repaired_over_the_whole_file() {
    check("Itâ€™s a cafÃ©, â€œnaÃ¯veâ€\u{9d}.\nâ€” so", "It’s a café, “naïve”.\n— so");
    check("It‚Äôs a caf√© ‚Äî ‚Äúso‚Äù", "It’s a café — “so”");
    let prepared = prepared("Itâ€™s so.".as_bytes());
    assert!(
        prepared.cuts.iter().any(|cut| cut.rule == "mojibake" && cut.sample == "â€™" && cut.becomes == "’")
    );
    // In JSON it may hide in escapes, where the file as a whole shows nothing.
    let json = br#"{"messages":[{"role":"user","content":"so?"},{"role":"assistant","content":"it\u00e2\u0080\u0099s \u00e2\u0080\u0094 so"}]}"#;
    let prepared = prepared_as("a.jsonl", json, &Settings::default());
    assert_eq!(voice(&prepared.train), "it’s — so");
}

#[test]
fn text_that_is_mostly_lost_is_left_out() {
    let json = |answer: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":"so?"}},{{"role":"assistant","content":"{answer}"}}]}}"#
        )
    };
    let good = json(&"the kettle sang ".repeat(8));
    let bad = json(r"\ud83d kettle \ud83d");
    let prepared = prepared_as("a.jsonl", format!("{good}\n{bad}\n").as_bytes(), &Settings::default());
    let fates: Vec<&Fate> = prepared.documents.iter().map(|document| &document.fate).collect();
    assert_eq!(fates[0], &Fate::Train);
    assert!(matches!(fates[1], Fate::Dropped(why) if why == "rejected: damage"), "{fates:?}");
}

#[test]
fn controls_colours_and_line_ends_go() {
    check("The\0 \x1b[31mkettle\x1b[0m\r\nsang.\rSo\u{2028}it is.", "The kettle\nsang.\nSo\nit is.");
    let json = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\u{2028}c\"}]}\n";
    assert_eq!(voice(&prepared_as("a.jsonl", json.as_bytes(), &Settings::default()).train), "b\nc");
}

#[test]
fn what_takes_no_room_goes_unless_it_means_something() {
    check("ket\u{200b}tle so\u{ad}ft wo\u{2060}rd", "kettle soft word");
    check("👩\u{200d}👧 می\u{200c}خواهم 👍🏽 🇫🇷 ✌\u{fe0f}", "👩\u{200d}👧 می\u{200c}خواهم 👍🏽 🇫🇷 ✌\u{fe0f}");
    check("\u{202e}ab\u{202c} \u{2067}אב\u{2069} שלום", "ab \u{2067}אב\u{2069} שלום");
}

#[test]
fn piled_accents_are_cut() {
    check(format!("z{}algo", "\u{301}".repeat(40)), "ź\u{301}algo");
}

#[test]
fn emoji_are_counted_as_one_and_never_cut() {
    let settings =
        Settings { validate: Validate { max_chars: Some(3), ..Validate::default() }, ..Settings::default() };
    let prepared = prepared_as("a.txt", "👩‍👧👍🏽🇫🇷".as_bytes(), &settings);
    assert_eq!(voice(&prepared.train), "👩‍👧👍🏽🇫🇷");
}

#[test]
fn empty_texts_are_told() {
    let files: &[(&str, &[u8])] = &[("a.txt", b"The kettle sang."), ("b.txt", b" \n\t\n"), ("c.txt", b"")];
    let settings = Settings { max_bad_share: 1.0, ..Settings::default() };
    let prepared = run(files, &settings).unwrap();
    let empty: Vec<&str> =
        prepared.issues.iter().filter(|i| i.code == Code::Empty).map(|i| i.path.as_str()).collect();
    assert_eq!(empty, ["b.txt", "c.txt"]);
}

#[test]
fn a_giant_without_an_end_is_cut_at_words() {
    let giant: String = (0..200_000).map(|n| format!("word{n} ")).collect();
    let prepared = prepared(giant.as_bytes());
    let longest =
        prepared.train.iter().map(|e| voice(std::slice::from_ref(e)).split_whitespace().count()).max();
    assert!(longest.unwrap() <= 900, "{longest:?}");
}

#[test]
fn the_same_over_and_over_is_left_out() {
    let files: &[(&str, &[u8])] = &[
        ("a.txt", b"The kettle sang on the hob."),
        ("b.txt", &b"lol ".repeat(10_000)),
        ("c.txt", &b"asdf".repeat(2000)),
    ];
    let prepared = run(files, &Settings::default()).unwrap();
    let choice = prepared.choices.iter().find(|choice| choice.what == "rejected").unwrap();
    assert!(choice.value.ends_with(" repetition") && !choice.value.contains(','), "{}", choice.value);
    for document in &prepared.documents {
        assert_eq!(document.fate == Fate::Train, document.path == "a.txt", "{}", document.path);
    }
}

#[test]
fn entities_are_decoded_once() {
    check("Fish &amp;amp; chips&nbsp;&#x1F600; &amp; so", "Fish &amp;amp; chips 😀 & so");
}

#[test]
fn a_reply_before_its_tweet_is_left_out() {
    let tweet = |id: &str, parent: &str, at: &str, text: &str| {
        format!(
            r#"{{"id_str":"{id}","full_text":"{text}","created_at":"{at}","in_reply_to_status_id_str":{parent},"user":{{"screen_name":"u{id}"}}}}"#
        )
    };
    let lines = [
        tweet("1", "null", "Wed Oct 10 20:19:24 +0000 2018", "does the kettle sing?"),
        tweet("2", "\"1\"", "Wed Oct 10 20:29:24 +0000 2018", "it does, and how it does"),
        tweet("3", "\"1\"", "Wed Oct 10 20:09:24 +0000 2018", "a clock was wrong about this one"),
    ];
    let settings = Settings { voice: vec!["*".into()], ..Settings::default() };
    let prepared = prepared_as("a.jsonl", lines.join("\n").as_bytes(), &settings);
    assert_eq!(voice(&prepared.train), "it does, and how it does");
    assert!(prepared.account.dropped.contains_key("rejected: timing"), "{}", prepared.account);
}

#[test]
fn personal_data_is_told_masked_or_left_out() {
    let content =
        b"QUESTION: May I have it?\nANSWER: Write to o.peck@example.org or call +44 20 7946 0958.\n\n\
                    QUESTION: And so?\nANSWER: And so it is.\n";
    let with = |personal| {
        let validate = Validate { personal, ..Validate::default() };
        prepared_as("a.txt", content, &Settings { validate, ..Settings::default() })
    };
    let told = with(Action::Flag);
    let choice = told.choices.iter().find(|choice| choice.what == "personal data").unwrap();
    assert_eq!(choice.value, "1 email, 1 phone");
    assert_eq!(told.documents[0].flags, ["personal data: email", "personal data: phone"]);
    assert!(voice(&with(Action::Mask).train).contains("Write to [email 1] or call [phone 1]."));
    assert_eq!(voice(&with(Action::Drop).train), "And so it is.");
}

#[test]
fn what_was_left_because_it_may_be_the_voice_is_told() {
    let prepared = prepared("It was sooooo good, so “good”.".as_bytes());
    let would: Vec<_> = prepared.would.iter().map(|cut| (cut.rule.as_str(), cut.times)).collect();
    assert_eq!(would, [("elongation", 1), ("quotes", 2)]);
    assert!(prepared.documents[0].texts().next().unwrap().contains("sooooo"));
    let mut settings = Settings::default();
    settings.clean.profile.insert(String::new(), "tweets".to_owned());
    let tweets = prepared_as("a.txt", "It was sooooo good.".as_bytes(), &settings);
    assert_eq!(tweets.documents[0].texts().next(), Some("It was so good."));
}

#[test]
fn a_model_of_toxicity_is_never_replaced() {
    let validate = Validate { toxicity: Some("nowhere.json < 0.3".parse().unwrap()), ..Validate::default() };
    let error = run(&[("a.txt", b"So it is.")], &Settings { validate, ..Settings::default() }).unwrap_err();
    assert!(matches!(error, Error::NoScorer { .. }), "{error}");
}
