use penname_token::TextStream;
use proptest::prelude::*;

use crate::toy;

/// What a stream gives out for the bytes of a text, one by one, and at the end.
fn stream(text: &str, stops: &[&str]) -> (Vec<String>, Option<String>) {
    let tokenizer = toy::tokenizer();
    let mut stream = TextStream::new(&tokenizer, stops.iter().map(|&stop| stop.to_owned()));
    // The toy's first 256 ids are the bytes.
    let mut parts: Vec<String> = text.bytes().map(|byte| stream.push(u32::from(byte))).collect();
    parts.push(stream.finish());
    (parts, stream.stopped().map(str::to_owned))
}

#[track_caller]
fn check(text: &str, stops: &[&str], expected: &[&str], stopped: Option<&str>) {
    let (parts, found) = stream(text, stops);
    assert_eq!(parts, expected, "{text:?}");
    assert_eq!(found.as_deref(), stopped);
}

#[test]
fn characters_come_whole() {
    check("aé", &[], &["a", "", "é", ""], None);
    check("🙂", &[], &["", "", "", "🙂", ""], None);
}

#[test]
fn stop_strings_are_held_back_and_cut() {
    check("ab\nQ:", &["\nQ:"], &["a", "b", "", "", "", ""], Some("\nQ:"));
    check("a\nb", &["\nQ:"], &["a", "", "\nb", ""], None);
    check("a\n", &["\nQ:"], &["a", "", "\n"], None);
    // The first line break turns out to belong to nothing, the second to the stop.
    check("\n\nQ", &["\nQ"], &["", "\n", "", ""], Some("\nQ"));
    check("abc", &[""], &["a", "b", "c", ""], None);
}

#[test]
fn bytes_that_are_no_text_are_shown_and_nothing_follows_a_stop() {
    let tokenizer = toy::tokenizer();
    let mut stream = TextStream::new(&tokenizer, ["b".to_owned()]);
    let given: String = [0xe2, 0x61, 0xe2].map(|byte| stream.push(byte)).concat();
    assert_eq!(given, "\u{fffd}a");
    assert_eq!(stream.push(u32::from(b'b')), "\u{fffd}");
    assert_eq!((stream.push(u32::from(b'a')), stream.finish()), (String::new(), String::new()));
}

#[test]
fn control_tokens_have_no_text() {
    let tokenizer = toy::tokenizer();
    let mut stream = TextStream::new(&tokenizer, []);
    assert_eq!(stream.push(tokenizer.eos_ids()[0]), "");
    assert_eq!(stream.push(u32::MAX), "\u{fffd}");
}

proptest! {
    #[test]
    fn the_parts_make_the_text_up_to_the_first_stop(text in "[abé🙂\n]{0,20}", stop in "[abé\n]{1,3}") {
        let (parts, stopped) = stream(&text, &[&stop]);
        let end = text.find(&stop);
        prop_assert_eq!(parts.concat(), &text[..end.unwrap_or(text.len())]);
        prop_assert_eq!(stopped.is_some(), end.is_some());
    }
}
