//! Built-in templates of the families, against the ids that `transformers` gives the same conversations.
//! `golden/templates/make.py` made them and says how.

use penname_token::tokenizer::TokenizerConfig;
use penname_token::{Example, Message, Renderer, Role, Template, Tokenizer, template};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/templates").join(name))
        .unwrap()
}

/// A renderer for a built-in template over the small vocabulary, whose texts end with `eos`.
fn renderer(name: &str, eos: &str, thinking: bool) -> Renderer {
    let config = TokenizerConfig {
        bos: Some("<|begin_of_text|>".to_owned()),
        eos: Some(eos.to_owned()),
        ..TokenizerConfig::default()
    };
    let tokenizer = Tokenizer::from_json(&read("tokenizer.json")).unwrap().with_config(&config, &[]).unwrap();
    let template = Template::builtin(name, &tokenizer).unwrap();
    Renderer::new(tokenizer, template.with_variable("enable_thinking", thinking))
}

fn conversation(value: &Value) -> Vec<Message> {
    let role = |name: &str| match name {
        "system" => Role::System,
        "user" => Role::User,
        _ => Role::Assistant,
    };
    let turn =
        |turn: &Value| Message::new(role(turn["role"].as_str().unwrap()), turn["content"].as_str().unwrap());
    value.as_array().unwrap().iter().map(turn).collect()
}

fn example(messages: Vec<Message>) -> Example {
    Example { id: "e".to_owned(), document: "d".to_owned(), messages, ..Example::default() }
}

#[test]
fn ids_are_those_of_transformers() {
    let expected: Value = serde_json::from_slice(&read("expected.json")).unwrap();
    let mut seen = BTreeSet::new();
    for row in expected["rows"].as_array().unwrap() {
        let name = row["template"].as_str().unwrap();
        let thinking = row["thinking"].as_bool().unwrap();
        let renderer = renderer(name, row["eos"].as_str().unwrap(), thinking);
        let messages =
            conversation(&expected["conversations"][row["conversation"].as_u64().unwrap() as usize]);
        let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
        let found = match messages.last().unwrap().role {
            Role::Assistant => renderer.render(&example(messages)).unwrap().ids,
            Role::User | Role::System => renderer.prompt(&messages).unwrap(),
        };
        let texts = [&found, &ids].map(|ids| renderer.tokenizer().decode(ids));
        assert_eq!(found, ids, "{name} {thinking}: {:?}, expected {:?}", texts[0], texts[1]);
        seen.insert(name.to_owned());
    }
    let all: BTreeSet<_> = template::builtin::ALL.iter().map(|builtin| builtin.name.to_owned()).collect();
    assert_eq!(seen, all, "a template without expected ids");
}

/// What is learned of an answer.
fn learned(name: &str, eos: &str, thinking: bool) -> String {
    let renderer = renderer(name, eos, thinking);
    let messages = vec![Message::new(Role::User, "Why?"), Message::new(Role::Assistant, "Because.")];
    let sequence = renderer.render(&example(messages)).unwrap();
    let spans = sequence.explain(renderer.tokenizer());
    spans.into_iter().filter(|span| span.trained).map(|span| span.text).collect()
}

/// An empty thought that the prompt supplies costs nothing; one that it leaves to the answer does.
#[test]
fn thoughts_are_learned_where_the_prompt_leaves_them_out() {
    assert_eq!(learned("qwen3", "<|im_end|>", false), "Because.<|im_end|>");
    assert_eq!(learned("qwen3", "<|im_end|>", true), "<think>\n\n</think>\n\nBecause.<|im_end|>");
    let leads = [false, true].map(|thinking| renderer("qwen3", "<|im_end|>", thinking).lead().to_owned());
    assert_eq!(leads, ["", "<think>\n\n</think>\n\n"]);
}

/// The channel is what the answer opens itself, whatever it is called in the template in hand.
#[test]
fn channels_are_derived_from_the_template() {
    assert_eq!(learned("harmony", "<|return|>", false), "<|channel|>final<|message|>Because.<|return|>");
    let renderer = renderer("harmony", "<|return|>", false);
    assert_eq!(renderer.lead(), "<|channel|>final<|message|>");
    // What ends a message in the middle of a text is not the end of a reply.
    assert_eq!(renderer.stop_ids(), [renderer.tokenizer().token_id("<|return|>").unwrap()]);
}

/// The files that people trained on before, to the byte, but for what ends an answer: without it, no end
/// is ever learned.
#[test]
fn letters_are_laid_out_as_in_files() {
    let pairs = [
        ("Why does the kettle sing?", "It is paid to."),
        ("D\u{fc}rfen Bienen das?\nUnd wo?", "Ja.\n\nAuf dem Balkon,  t\u{e4}glich."),
    ];
    let turns =
        |pair: &(&str, &str)| [Message::new(Role::User, pair.0), Message::new(Role::Assistant, pair.1)];
    let check = |name: &str, expected: &str| {
        let renderer = renderer(name, "<|endoftext|>", false);
        let file: String =
            pairs.iter().map(|pair| renderer.template().render(&turns(pair), false).unwrap()).collect();
        assert_eq!(file, expected, "{name}");
        let talk: Vec<Message> = pairs.iter().flat_map(turns).collect();
        assert_eq!(renderer.template().render(&talk, false).unwrap(), expected, "{name}, one conversation");
        // What the model sees are the same bytes.
        let ids = renderer.render(&example(talk)).unwrap().ids;
        assert_eq!(renderer.tokenizer().decode(&ids), expected, "{name}");
    };
    check(
        "question-answer",
        "QUESTION: Why does the kettle sing?\n\nANSWER: It is paid to.<|endoftext|>\n\n\
         QUESTION: D\u{fc}rfen Bienen das?\nUnd wo?\n\nANSWER: Ja.\n\nAuf dem Balkon,  t\u{e4}glich.<|endoftext|>\n\n",
    );
    check(
        "q-a",
        "Q: Why does the kettle sing?\nA: It is paid to.<|endoftext|>\n\n\
         Q: D\u{fc}rfen Bienen das?\nUnd wo?\nA: Ja.\n\nAuf dem Balkon,  t\u{e4}glich.<|endoftext|>\n\n",
    );
}
