//! Exact small cases, and the laws of copying against a slow search.

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::pair::pair;
use crate::{Finish, Reply, Transcript};

fn reply(id: &str, prompt: &str, text: &str, author: Option<&str>) -> Reply {
    Reply {
        id: id.into(),
        document: "letters".into(),
        prompt: prompt.into(),
        text: text.into(),
        author: author.map(Into::into),
        finish: Finish::End,
        n_tokens: 0,
        seed: 0,
        sampler: "greedy".into(),
    }
}

fn copying(prompt: &str, text: &str, author: Option<&str>, sources: &[&str], min_chars: usize) -> Copying {
    let transcript =
        |text: &str| Transcript { model: "m".into(), replies: vec![reply("1", prompt, text, author)] };
    let (base, tuned) = (transcript(""), transcript(text));
    let sources: Vec<Source<'_>> = sources.iter().map(|text| Source { document: "train", text }).collect();
    let threshold = Threshold { min_chars, quote_chars: 5 };
    measure(&pair(&base, &tuned).unwrap(), &sources, threshold, Resampling::default()).unwrap()
}

fn share(copying: &Copying) -> f64 {
    copying.share.tuned.map_or(0.0, |estimate| estimate.value)
}

fn longest(copying: &Copying) -> usize {
    copying.tuned.as_ref().map_or(0, |passage| passage.n_chars)
}

#[test]
fn a_copy_is_counted_in_characters() {
    let check = |prompt: &str, text: &str, sources: &[&str], expected_share: f64, expected_longest: usize| {
        let found = copying(prompt, text, None, sources, 6);
        assert!((share(&found) - expected_share).abs() < 1e-9, "{text:?}: {}", share(&found));
        assert_eq!(longest(&found), expected_longest, "{text:?}");
    };
    check("", "abcdefgh!?", &["xxabcdefghxx"], 80.0, 8);
    check("", "äöüßéè", &["...äöüßéè"], 100.0, 6);
    check("", "one \n two", &["it was one  two three"], 100.0, 7);
    check("", "abcde", &["abcde"], 0.0, 5);
    check("", "abcdef", &["abc", "def"], 0.0, 3);
    check("", "abcdefbcdefg", &["abcdef", "bcdefg"], 100.0, 6);
    check("", "xyz", &["abc"], 0.0, 0);
    check("", "", &["abc"], 0.0, 0);
    check("", "abc", &[], 0.0, 0);
    // Two overlapping copies are counted once.
    check("", "abcdefghi", &["abcdefg", "cdefghi"], 100.0, 7);
}

#[test]
fn what_the_prompt_quotes_is_no_copy() {
    let check = |prompt: &str, expected_share: f64, expected_longest: usize| {
        let found = copying(prompt, "abcdefghijklmnop", None, &["abcdefghijklmnop"], 6);
        assert!((share(&found) - expected_share).abs() < 1e-9, "{prompt:?}: {}", share(&found));
        assert_eq!(longest(&found), expected_longest, "{prompt:?}");
    };
    check("abcdefghijklmnop", 0.0, 0);
    check("why abcdefgh?", 50.0, 8);
    check("abcd", 100.0, 16);
    check("fghijk", 62.5, 10);
    check("abcdefghijkl", 0.0, 4);
}

#[test]
fn a_passage_says_where_it_stands() {
    let source = "It was late.\n\nThe  sea was grey and the boats were in. Nobody spoke.";
    let text = "Well: The sea was grey and the boats were out.";
    let found = copying("", text, Some("The sea."), &[source], 20);
    expect![[r#"
        Passage {
            document: "letters",
            id: "1",
            seed: 0,
            n_chars: 37,
            text: " The sea was grey and the boats were ",
            reply: Surroundings {
                before: "Well:",
                after: "out.",
            },
            source_document: "train",
            source_char_idx: 13,
            source: Surroundings {
                before: "It was late.",
                after: "in. Nobody spoke.",
            },
        }
    "#]]
    .assert_debug_eq(&found.tuned.unwrap());
    assert_eq!(found.author.unwrap().text, "The sea");
    assert_eq!(found.base, None);
}

#[test]
fn a_threshold_of_nothing_is_refused() {
    let empty = Transcript { model: "m".into(), replies: Vec::new() };
    let pairs = pair(&empty, &empty).unwrap();
    let threshold = Threshold { min_chars: 0, quote_chars: 5 };
    assert!(measure(&pairs, &[], threshold, Resampling::default()).is_err());
}

/// Characters of the longest substring of `text` in `source`, quoted ones not counted, by trying all.
fn brute_force(text: &[char], source: &[char], quoted: &[bool]) -> usize {
    let occurs = |part: &[char]| source.windows(part.len()).any(|window| window == part);
    let spans = (0..text.len()).flat_map(|start| (start + 1..=text.len()).map(move |end| (start, end)));
    spans
        .filter(|&(start, end)| occurs(&text[start..end]))
        .map(|(start, end)| quoted[start..end].iter().filter(|&&is_quoted| !is_quoted).count())
        .max()
        .unwrap_or(0)
}

proptest! {
    #[test]
    fn the_longest_span_is_the_longest(text in "[abé]{0,24}", source in "[abé]{0,40}", prompt in "[abé]{0,12}") {
        let found = copying(&prompt, &text, None, &[&source], 6);
        let chars: Vec<char> = text.chars().collect();
        let quoted = quoted(&chars, &prompt, 5);
        prop_assert_eq!(longest(&found), brute_force(&chars, &source.chars().collect::<Vec<_>>(), &quoted));
    }

    #[test]
    fn more_training_text_never_copies_less(text in "[ab ]{0,40}", sources in prop::collection::vec("[ab ]{0,40}", 1..4)) {
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let all = copying("", &text, None, &sources, 4);
        let some = copying("", &text, None, &sources[1..], 4);
        prop_assert!(share(&some) <= share(&all) && longest(&some) <= longest(&all));
    }

    #[test]
    fn a_higher_threshold_never_counts_more(text in "[ab ]{0,40}", source in "[ab ]{0,60}", prompt in "[ab ]{0,9}") {
        let at = |min_chars| share(&copying(&prompt, &text, None, &[&source], min_chars));
        prop_assert!(at(3) >= at(4) && at(4) >= at(8));
    }
}
