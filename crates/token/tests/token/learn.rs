//! Vocabularies learned from writing.

use std::path::PathBuf;

use penname_token::learn;
use penname_token::sentencepiece::{Kind, Model};
use penname_token::{Error, Tokenizer};

/// The bundled letters, a file each.
fn letters() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/letters");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn pieces(size: usize) -> Model {
    let letters = letters();
    let texts: Vec<&str> = letters.iter().map(String::as_str).collect();
    learn::pieces(&texts, size).unwrap().vocabulary
}

#[test]
fn pieces_stand_where_llama2c_looks_for_them() {
    let model = pieces(600);
    let vocabulary = model.vocabulary();
    assert_eq!(vocabulary.pieces.len(), 600);
    let text = |id: usize| vocabulary.pieces[id].text.as_str();
    assert_eq!([0, 1, 2, 3, 258].map(text), ["<unk>", "<s>", "</s>", "<0x00>", "<0xFF>"]);
    let learned = &vocabulary.pieces[259..];
    assert!(learned.iter().zip(0..).all(|(piece, rank)| piece.score == -(rank as f32)));
    assert_eq!(learned[0].text.chars().count(), 2, "the first merge is of two characters");
    let is_sound = |text: &str| {
        let one = text.chars().count() == 1;
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let late_space = text.chars().skip(1).any(|c| c == '▁') && text.chars().any(|c| c != '▁');
        one || (digits == 0 && !late_space && text.chars().count() <= 16)
    };
    assert!(learned.iter().all(|piece| piece.kind == Kind::Normal && is_sound(&piece.text)));
}

#[test]
fn pieces_spell_their_own_text_shorter_than_bytes_and_any_other_too() {
    let model = pieces(600);
    let letters = letters();
    let (n_ids, n_bytes) = letters
        .iter()
        .fold((0, 0), |(ids, bytes), text| (ids + model.encode(text).len(), bytes + text.len()));
    assert!(n_ids * 2 < n_bytes, "{n_ids} ids for {n_bytes} bytes");
    for text in [letters[0].as_str(), "日本 и ещё 🖋\n\t\"x\"", "  a  b  "] {
        assert_eq!(model.decode(&model.encode(text)), text);
    }
}

#[test]
fn the_order_of_texts_does_not_matter() {
    let mut letters = letters();
    let texts: Vec<&str> = letters.iter().map(String::as_str).collect();
    let (one, bytes) = (learn::pieces(&texts, 400).unwrap(), learn::bytes(&texts, 400).unwrap());
    letters.reverse();
    let texts: Vec<&str> = letters.iter().map(String::as_str).collect();
    let (other, other_bytes) = (learn::pieces(&texts, 400).unwrap(), learn::bytes(&texts, 400).unwrap());
    assert_eq!(one.vocabulary.to_bytes(), other.vocabulary.to_bytes());
    assert_eq!(bytes.vocabulary.hash(), other_bytes.vocabulary.hash());
}

#[test]
fn bytes_spell_everything_and_know_their_ends() {
    let letters = letters();
    let texts: Vec<&str> = letters.iter().map(String::as_str).collect();
    let tokenizer = learn::bytes(&texts, 500).unwrap().vocabulary;
    assert_eq!(tokenizer.vocab_size(), 500);
    assert_eq!((tokenizer.special_ids().bos, tokenizer.eos_ids()), (Some(0), &[0][..]));
    for text in [letters[3].as_str(), "日本 и ещё 🖋 \u{4}\u{0}"] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()), text);
        assert_eq!(tokenizer.n_lost(text), 0);
    }
    assert!(tokenizer.encode(&letters[3]).unwrap().len() * 2 < letters[3].len());
    let again = Tokenizer::from_json(tokenizer.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.hash(), tokenizer.hash());
}

#[test]
fn too_little_text_gives_fewer_pieces_and_says_so() {
    let learned = learn::pieces(&["a rose is a rose is a rose"], 4096).unwrap();
    let n_pieces = learned.vocabulary.vocabulary().pieces.len();
    assert!(n_pieces < 300);
    assert_eq!(learned.choices[0].what, "size of the vocabulary");
    assert_eq!(learned.choices[0].value, n_pieces.to_string());
    assert!(matches!(learn::pieces(&[""], 4096), Err(Error::Learn { .. })));
    assert!(matches!(learn::pieces(&["x"], 100), Err(Error::VocabularySize { found: 100, .. })));
    assert!(matches!(learn::bytes(&["x"], 100), Err(Error::VocabularySize { found: 100, .. })));
}

#[test]
fn rare_characters_are_left_to_bytes() {
    let many: String = (0x4e00..0x4e00 + 300).filter_map(char::from_u32).collect();
    let learned = learn::pieces(&[&many, "一一一一 二二"], 400).unwrap();
    let choice = &learned.choices[0];
    assert_eq!((choice.what.as_str(), choice.value.as_str()), ("characters with a piece", "70 of 301"));
    assert_eq!(learned.vocabulary.decode(&learned.vocabulary.encode(&many)), many);
}
