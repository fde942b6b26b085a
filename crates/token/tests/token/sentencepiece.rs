//! Vocabularies of pieces against what the `sentencepiece` library makes of the same files, and files
//! that lie.

use std::path::PathBuf;

use penname_token::Tokenizer;
use penname_token::sentencepiece::{Flaw, Kind, Model, Piece};
use proptest::prelude::*;
use serde_json::Value;

use crate::toy;

fn golden(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/sentencepiece");
    std::fs::read(folder.join(file)).unwrap()
}

fn model(name: &str) -> Model {
    Model::from_bytes(&golden(&format!("{name}.model"))).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn ids_and_texts_are_the_library_s() {
    let expected: Value = serde_json::from_slice(&golden("expected.json")).unwrap();
    for name in ["bpe", "whole", "unigram"] {
        let model = model(name);
        for case in expected[name]["encode"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            assert_eq!(model.encode(text), ids(&case["ids"]), "{name} {text:?}");
        }
        for case in expected[name]["decode"].as_array().unwrap() {
            let some = ids(&case["ids"]);
            assert_eq!(model.decode(&some), case["text"].as_str().unwrap(), "{name} {some:?}");
        }
    }
}

#[test]
fn a_file_written_is_the_same_model() {
    for name in ["bpe", "whole", "unigram"] {
        let model = model(name);
        let again = Model::from_bytes(&model.to_bytes()).unwrap();
        assert_eq!(again.vocabulary(), model.vocabulary(), "{name}");
        assert_eq!(again.to_bytes(), model.to_bytes(), "{name}");
    }
}

#[test]
fn llama2c_s_file_holds_the_same_pieces() {
    let model = model("bpe");
    let bin = model.to_llama2c().unwrap();
    let again = Model::from_llama2c(&bin).unwrap();
    assert_eq!(again.vocabulary().pieces, model.vocabulary().pieces);
    assert_eq!(again.to_llama2c().unwrap(), bin);
    let text = "Dear friend, 1984 naïve 日本 and  two";
    assert_eq!(again.encode(text), model.encode(text));
    // The end is where run.c looks for it, and a piece's space is a space.
    assert!(bin.windows(9).any(|bytes| bytes == b"\x06\0\0\0\n</s>"[..9].as_ref()));
    assert!(matches!(
        self::model("unigram").to_llama2c(),
        Err(Flaw::Unsupported { setting: "model_type", .. })
    ));
}

#[test]
fn a_tokenizer_of_pieces_keeps_its_promises() {
    let tokenizer = Tokenizer::from_sentencepiece(model("bpe")).unwrap();
    let ids = tokenizer.special_ids();
    assert_eq!((ids.bos, &ids.eos[..], ids.unk, ids.add_bos), (Some(1), &[2][..], Some(0), true));
    for text in ["Dear friend", " two  spaces", "é\n日本", "</s> is text"] {
        let found = tokenizer.encode(text).unwrap();
        assert_eq!(found, model("bpe").encode(text));
        assert_eq!(tokenizer.decode(&found), text);
        assert!(!found.iter().any(|&id| tokenizer.is_control(id)));
    }
    assert_eq!(tokenizer.n_lost("日本"), 0);
    // What goes on gains no space.
    let whole = tokenizer.encode_template("Dear</s>friend").unwrap();
    assert_eq!(tokenizer.decode(&whole), "Dear</s> friend");
    let json = Tokenizer::from_json(tokenizer.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(json.hash(), tokenizer.hash());
    assert_eq!(json.encode("Dear friend").unwrap(), tokenizer.encode("Dear friend").unwrap());
}

#[test]
fn what_no_piece_spells_is_counted() {
    for name in ["whole", "unigram"] {
        let tokenizer = Tokenizer::from_sentencepiece(model(name)).unwrap();
        assert_eq!(tokenizer.n_lost("日a本"), 6, "{name}");
        assert_eq!(tokenizer.n_lost("friend"), 0, "{name}");
        assert!(tokenizer.to_json().is_ok(), "{name}");
    }
}

#[test]
fn pieces_in_gguf_and_in_their_own_file_agree() {
    let tokenizer = Tokenizer::from_gguf(&toy::pieces()).unwrap();
    let model = tokenizer.sentencepiece().unwrap();
    assert_eq!(model.encode("ab"), tokenizer.encode("ab").unwrap());
    let again = Tokenizer::from_sentencepiece(Model::from_bytes(&model.to_bytes()).unwrap()).unwrap();
    assert_eq!(again.hash(), tokenizer.hash());
}

fn vocabulary_with(change: impl FnOnce(&mut Vec<Piece>)) -> Result<Model, Flaw> {
    let mut vocabulary = model("whole").vocabulary().clone();
    change(&mut vocabulary.pieces);
    Model::new(vocabulary)
}

#[test]
fn unsound_vocabularies_are_refused_by_name() {
    let check = |change: fn(&mut Vec<Piece>), expected: &str| {
        assert_eq!(vocabulary_with(change).unwrap_err().to_string(), expected);
    };
    check(|p| p[9].text = p[8].text.clone(), "piece 9 repeats the text \"▁t\" of piece 8");
    check(|p| p[9].text.clear(), "piece 9 has no text");
    check(|p| p[9].score = f32::NAN, "piece 9 has a score that is no number");
    check(|p| p[9].kind = Kind::Unknown, "has 2 pieces for the unknown, expected 1");
    check(|p| p[9].kind = Kind::Byte, "piece 9 is no byte, though it says so");
    check(|p| p.truncate(2), "eos is piece 2 of 2");
    check(|p| p.clear(), "has no pieces");
    let mut vocabulary = model("bpe").vocabulary().clone();
    vocabulary.pieces[100].text = "<0xZZ>".to_owned();
    vocabulary.pieces[100].kind = Kind::Normal;
    let expected = Flaw::MissingByte { byte: 97 };
    assert_eq!(Model::new(vocabulary).unwrap_err(), expected);
}

#[test]
fn rules_that_lie_change_nothing_or_are_refused() {
    let mut vocabulary = model("whole").vocabulary().clone();
    for rules in [&b"\x01"[..], &[255; 8], &[4, 0, 0, 0, 1, 2, 3], &[0, 0, 0, 0, 65]] {
        vocabulary.normalization.rules = rules.to_vec();
        assert!(matches!(Model::new(vocabulary.clone()), Err(Flaw::Rules { .. })), "{rules:?}");
    }
    // What is written for one character would make a text hundreds of times as long.
    let long = [&4_u32.to_le_bytes()[..], &[0; 4], "long ".repeat(52).as_bytes()].concat();
    vocabulary.normalization.rules = long;
    let error = Model::new(vocabulary.clone()).unwrap_err().to_string();
    assert!(error.contains("longer than 256 bytes"), "{error}");
    // A table of one unit that leads out of itself, and one whose text is not there.
    for unit in [u32::MAX, 1 << 8 | 0x41, 0xffff_fc41] {
        vocabulary.normalization.rules = [&4_u32.to_le_bytes()[..], &unit.to_le_bytes(), b"x\0"].concat();
        let model = Model::new(vocabulary.clone()).unwrap();
        model.encode("A plain text, é and 日本");
    }
}

#[test]
fn files_cut_short_anywhere_are_read_or_refused() {
    let whole = golden("whole.model");
    for len in 0..whole.len() {
        if let Ok(model) = Model::from_bytes(&whole[..len]) {
            model.encode("Dear friend");
        }
    }
    let bin = model("bpe").to_llama2c().unwrap();
    for len in 0..bin.len() {
        if let Ok(model) = Model::from_llama2c(&bin[..len]) {
            model.encode("Dear friend");
        }
    }
    assert!(Model::from_bytes(b"").is_err() && Model::from_bytes(b"{\"a\": 1}").is_err());
    let huge = [&7_u32.to_le_bytes()[..], &[0; 4], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(Model::from_llama2c(&huge), Err(Flaw::Unsupported { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn harmed_files_are_read_or_refused(
        harms in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        name in prop::sample::select(&["bpe", "whole", "unigram"][..]),
        text in toy::text(),
    ) {
        let mut bytes = golden(&format!("{name}.model"));
        for (at, byte) in harms {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(model) = Model::from_bytes(&bytes) {
            let found = model.encode(&text);
            model.decode(&found);
            prop_assert!(Model::from_bytes(&model.to_bytes()).is_ok());
        }
    }

    #[test]
    fn text_returns_where_bytes_are_fallen_back_on(text in toy::text()) {
        let model = model("bpe");
        prop_assert_eq!(model.decode(&model.encode(&text)), text.clone());
        let went_on = model.decode(&model.encode_on(&text));
        prop_assert_eq!(went_on.trim_start(), text.trim_start());
    }
}
