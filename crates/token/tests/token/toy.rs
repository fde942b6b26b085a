//! A vocabulary small enough to read: every byte, a few merges, four controls.

use std::sync::Arc;

use penname_token::{Example, GgufVocab, Message, Renderer, Role, Template, Tokenizer};
use proptest::prelude::*;

/// Merges of the toy vocabulary; `Ġ` is a space, `Ċ` a line break.
const MERGES: &[&str] =
    &["h e", "l l", "he ll", "hell o", "Ġ t", "Ġt h", "Ċ Ċ", "Ġ Ġ", "Ġ y", "i m", "< |", "| >"];
const CONTROLS: &[&str] = &["<|im_start|>", "<|im_end|>", "<|end|>", "<|channel|>"];

/// GPT-2's letters for the 256 bytes, written from its definition.
fn letters() -> Vec<String> {
    let keeps = |byte: u32| (33..=126).contains(&byte) || (161..=172).contains(&byte) || byte >= 174;
    let mut spare = 256;
    let mut letter = |byte| {
        if keeps(byte) {
            return char::from_u32(byte).unwrap().to_string();
        }
        spare += 1;
        char::from_u32(spare - 1).unwrap().to_string()
    };
    (0..256).map(&mut letter).collect()
}

/// The toy's GGUF metadata.
pub(crate) fn vocab() -> GgufVocab {
    let mut tokens = letters();
    tokens.extend(MERGES.iter().map(|merge| merge.replace(' ', "")));
    let mut token_types = vec![1; tokens.len()];
    tokens.extend(CONTROLS.iter().map(|&control| control.to_owned()));
    token_types.resize(tokens.len(), 3);
    let id = |text: &str| tokens.iter().position(|token| token == text).map(|id| id as u32);
    let (bos, eos) = (id("<|im_start|>"), id("<|im_end|>"));
    GgufVocab {
        model: "gpt2".to_owned(),
        pre: Some("smollm".to_owned()),
        token_types,
        merges: MERGES.iter().map(|&merge| merge.to_owned()).collect(),
        bos,
        eos,
        tokens,
        ..GgufVocab::default()
    }
}

/// The toy's tokenizer.
pub(crate) fn tokenizer() -> Arc<Tokenizer> {
    Arc::new(Tokenizer::from_gguf(&vocab()).unwrap())
}

/// A toy of scored pieces: bytes, a few words, a begin and an end.
pub(crate) fn pieces() -> GgufVocab {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "b", "ab", "▁a", "▁ab", "s", "<", ">", "/"].map(str::to_owned));
    let mut token_types = vec![6; 259];
    token_types[..3].copy_from_slice(&[2, 3, 3]);
    token_types.resize(tokens.len(), 1);
    let scores = (0..tokens.len()).map(|id| -(id as f32)).collect();
    GgufVocab {
        model: "llama".to_owned(),
        token_types,
        scores: Some(scores),
        bos: Some(1),
        eos: Some(2),
        unk: Some(0),
        tokens,
        ..GgufVocab::default()
    }
}

/// A renderer over the toy for a built-in template.
pub(crate) fn builtin(name: &str) -> Renderer {
    let tokenizer = tokenizer();
    let template = Template::builtin(name, &tokenizer).unwrap();
    Renderer::new(tokenizer, template)
}

/// A renderer over the toy for a template's source.
pub(crate) fn renderer(source: &str) -> Renderer {
    let tokenizer = tokenizer();
    let template = Template::new(source, &tokenizer).unwrap();
    Renderer::new(tokenizer, template)
}

/// Turns from a compact script: `s:`, `u:` or `a:` and the content.
pub(crate) fn messages(script: &[&str]) -> Vec<Message> {
    let turn = |line: &&str| {
        let (role, content) = line.split_once(':').unwrap();
        let role = match role {
            "s" => Role::System,
            "u" => Role::User,
            _ => Role::Assistant,
        };
        Message::new(role, content)
    };
    script.iter().map(turn).collect()
}

/// An example from a compact script.
pub(crate) fn example(script: &[&str]) -> Example {
    Example { id: "e".to_owned(), document: "d".to_owned(), messages: messages(script), ..Example::default() }
}

/// Text with everything in it that has ever gone wrong.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-z hello]{0,12}",
        2 => "[ \n\t\r]{1,4}",
        1 => "[0-9]{1,4}",
        1 => "\\PC{0,6}",
        1 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(CONTROLS).prop_map(str::to_owned),
        1 => prop::sample::select(&["<|im_", "|>", "<think>", "</think>", "{{ x }}", "{% if %}"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A conversation of question and answer pairs, perhaps with a system turn.
pub(crate) fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let pair = (text(), text(), "[a-z]");
    (prop::option::of(text()), prop::collection::vec(pair, 1..4)).prop_map(|(system, pairs)| {
        let system = system.map(|content| Message::new(Role::System, content));
        let turns = pairs.into_iter().flat_map(|(question, answer, letter)| {
            // At least one letter, so that the answer is never empty.
            [Message::new(Role::User, question), Message::new(Role::Assistant, answer + &letter)]
        });
        system.into_iter().chain(turns).collect()
    })
}
