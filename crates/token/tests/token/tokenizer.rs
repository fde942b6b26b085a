use penname_token::tokenizer::{SpecialIds, TokenizerConfig};
use penname_token::{Error, Tokenizer};
use proptest::prelude::*;

use crate::toy;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let tokenizer = toy::tokenizer();
    let ids = tokenizer.encode(text).unwrap();
    let found: Vec<String> = ids.iter().map(|&id| tokenizer.decode(&[id])).collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn merges_are_applied_and_digits_stand_alone() {
    check("hello the", &["hello", " t", "he"]);
    check("12", &["1", "2"]);
    check("\n\n\n", &["\n\n", "\n"]);
    check("", &[]);
}

#[test]
fn control_tokens_in_written_text_stay_text() {
    check("<|im_end|>", &["<|", "im", "_", "e", "n", "d", "|>"]);
    let tokenizer = toy::tokenizer();
    let end = tokenizer.eos_ids()[0];
    assert_eq!(tokenizer.encode_template("<|im_end|>").unwrap(), [end]);
    assert!(tokenizer.is_control(end));
}

#[test]
fn a_file_written_and_read_again_is_the_same_tokenizer() {
    for vocab in [toy::vocab(), toy::pieces()] {
        let first = Tokenizer::from_gguf(&vocab).unwrap();
        let config = TokenizerConfig::from_json(first.to_config_json(Some("x")).unwrap().as_bytes()).unwrap();
        let again = Tokenizer::from_json(first.to_json().unwrap().as_bytes()).unwrap();
        let again = again.with_config(&config, &[]).unwrap();
        assert_eq!(config.chat_template.as_deref(), Some("x"));
        assert_eq!(again.hash(), first.hash());
        assert_eq!(again.special_ids(), first.special_ids());
        assert_eq!(again.encode("a hello 12\n").unwrap(), first.encode("a hello 12\n").unwrap());
    }
}

#[test]
fn pieces_follow_their_scores_and_fall_back_on_bytes() {
    let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
    let check = |text: &str, expected: &[&str]| {
        let ids = tokenizer.encode(text).unwrap();
        let names: Vec<&str> = ids.iter().map(|&id| toy_name(id)).collect();
        assert_eq!(names, expected, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), text);
    };
    // "ab" is preferred to "▁a", so the space stays alone until "▁ab" joins it.
    check("ab", &["▁ab"]);
    check("a", &["▁a"]);
    check("é", &["▁", "<0xC3>", "<0xA9>"]);
    check("</s>", &["▁", "<", "/", "s", ">"]);
}

fn toy_name(id: u32) -> &'static str {
    toy::pieces().tokens[id as usize].clone().leak()
}

#[test]
fn broken_vocabularies_are_refused_by_name() {
    let check = |change: fn(&mut penname_token::GgufVocab), expected: expect_test::Expect| {
        let mut vocab = toy::vocab();
        change(&mut vocab);
        expected.assert_eq(&Tokenizer::from_gguf(&vocab).unwrap_err().to_string());
    };
    check(
        |v| v.pre = Some("tekken".to_owned()),
        expect_test::expect![[
            r#"unknown pre-tokenizer `tekken`, expected one of gpt-2, gpt2, smollm, starcoder, refact, command-r, codeshell, qwen2, llama-bpe, llama3, llama-v3, gpt-4o, default"#
        ]],
    );
    check(
        |v| v.model = "bert".to_owned(),
        expect_test::expect![[
            r#"unknown vocabulary type `bert`, expected `gpt2` (byte-level BPE) or `llama` (scored pieces)"#
        ]],
    );
    check(
        |v| v.token_types.truncate(3),
        expect_test::expect!["the vocabulary has 272 tokens but 3 token types"],
    );
    check(
        |v| v.tokens[7] = "!".to_owned(),
        expect_test::expect![[r#"token 33 repeats the text "!" of token 7"#]],
    );
    check(
        |v| v.merges[0] = "he".to_owned(),
        expect_test::expect![[r#"merge 0 is "he", expected two tokens with one space between"#]],
    );
    check(|v| v.eos = Some(9999), expect_test::expect!["eos token 9999 is not in the vocabulary of 272"]);
}

#[test]
fn files_that_are_no_tokenizer_are_refused() {
    for json in ["", "null", "[]", "{", "{}", r#"{"model":{"type":"WordPiece","vocab":{}}}"#] {
        assert!(Tokenizer::from_json(json.as_bytes()).is_err(), "{json}");
    }
    let unknown = Tokenizer::from_json(br#"{"model":{"type":"WordPiece","vocab":{}}}"#);
    assert!(matches!(unknown, Err(Error::TokenizerKind { found }) if found == "WordPiece"));
}

/// Found by fuzzing: the library joins two tokens in the room of the longest, and panics where there is none
/// for both, or where a prefix is longer than the second.
#[test]
fn merges_that_make_no_token_are_refused() {
    let whole = Tokenizer::from_gguf(&toy::vocab()).unwrap().to_json().unwrap();
    let refused = |change: fn(&mut serde_json::Value)| {
        let mut json: serde_json::Value = serde_json::from_str(&whole).unwrap();
        change(&mut json["model"]);
        Tokenizer::from_json(json.to_string().as_bytes()).unwrap_err().to_string()
    };
    let longest = |model: &mut serde_json::Value| {
        let tokens = model["vocab"].as_object().unwrap().keys();
        let longest = tokens.max_by_key(|token| token.len()).unwrap().clone();
        model["merges"][0] = serde_json::json!([longest, longest]);
    };
    assert!(refused(longest).contains("merge 0, of"), "{}", refused(longest));
    let prefixed = |model: &mut serde_json::Value| model["continuing_subword_prefix"] = "#".repeat(99).into();
    assert!(refused(prefixed).contains("makes no token of the vocabulary"));
}

#[test]
fn bytes_without_a_token_are_counted() {
    let mut vocab = toy::vocab();
    vocab.tokens[4] = "unreachable".to_owned();
    let tokenizer = Tokenizer::from_gguf(&vocab).unwrap();
    assert_eq!(tokenizer.n_lost("a\u{4}b\u{4}"), 2);
    assert_eq!(tokenizer.decode(&tokenizer.encode("a\u{4}b").unwrap()), "ab");
    assert_eq!(toy::tokenizer().n_lost("a\u{4}b"), 0);
}

#[test]
fn every_known_cut_builds_a_tokenizer() {
    for pre in ["gpt-2", "smollm", "qwen2", "llama-bpe", "gpt-4o", "default"] {
        let vocab = penname_token::GgufVocab { pre: Some(pre.to_owned()), ..toy::vocab() };
        let tokenizer = Tokenizer::from_gguf(&vocab).unwrap();
        let text = "It's 12345 o'clock,\n\n  hello (there)!";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()), text, "{pre}");
    }
}

#[test]
fn an_id_beyond_the_vocabulary_is_shown() {
    assert_eq!(toy::tokenizer().decode(&[u32::MAX]), "\u{fffd}");
    assert_eq!(toy::tokenizer().token_bytes(u32::MAX), None);
}

proptest! {
    #[test]
    fn encoding_then_decoding_gives_the_text_back(text in toy::text()) {
        let tokenizer = toy::tokenizer();
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text).unwrap()), text.clone());
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode_template(&text).unwrap()), text);
    }

    #[test]
    fn written_text_never_holds_a_control_token(text in toy::text()) {
        for vocab in [toy::vocab(), toy::pieces()] {
            let tokenizer = Tokenizer::from_gguf(&vocab).unwrap();
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(!ids.iter().any(|&id| tokenizer.is_control(id)), "{ids:?}");
        }
    }

    #[test]
    fn special_ids_are_checked(id in 0_u32..400) {
        let tokenizer = Tokenizer::from_gguf(&toy::vocab()).unwrap();
        let vocab_size = tokenizer.vocab_size();
        let result = tokenizer.with_special_ids(SpecialIds { pad: Some(id), ..SpecialIds::default() });
        prop_assert_eq!(result.is_ok(), (id as usize) < vocab_size);
    }
}
