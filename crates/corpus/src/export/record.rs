//! Shapes of one JSON object an example: conversations, instructions, finished text.

use penname_token::{Example, Message, Role};
use serde_json::{Value, json};

use super::{Form, LINES, Records, Render, Shape};

/// Why an example has no place where a record holds one question and one answer.
const SEVERAL: &str = "dialogues of several turns";
const NO_SYSTEM: &str = "examples with a persona, for which the shape has no place";

pub(super) const MESSAGES: Shape = Shape {
    name: "messages",
    about: "{\"messages\": [{\"role\", \"content\"}, …]}, JSON lines; OpenAI, TRL, Axolotl, Unsloth, mlx-lm",
    form: Form::Records(Records { of: |example| one(messages(example)), ..LINES }),
};

pub(super) const DIALOGUES: Shape = Shape {
    name: "dialogues",
    about: "[{\"role\", \"content\"}, …], a list a line",
    form: Form::Records(Records {
        of: |example| one(Value::Array(example.messages.iter().map(turn).collect())),
        ..LINES
    }),
};

pub(super) const SHARE_GPT: Shape = Shape {
    name: "sharegpt",
    about: "{\"conversations\": [{\"from\", \"value\"}, …]}, JSON lines; Axolotl, LLaMA-Factory, Unsloth",
    form: Form::Records(Records { of: |example| one(share_gpt(example)), ..LINES }),
};

pub(super) const ALPACA: Shape = Shape {
    name: "alpaca",
    about: "{\"instruction\", \"input\", \"output\"}, JSON lines; one question and one answer",
    form: Form::Records(Records {
        of: |example| {
            let (system, asked, answer) = single(example)?;
            let mut record = json!({ "instruction": asked, "input": "", "output": answer });
            if let Some(system) = system {
                record["system"] = json!(system);
            }
            one(record)
        },
        ..LINES
    }),
};

pub(super) const COMPLETION: Shape = Shape {
    name: "completion",
    about: "{\"prompt\", \"completion\"}, JSON lines; one question and one answer",
    form: Form::Records(Records {
        of: |example| match single(example)? {
            (None, asked, answer) => one(json!({ "prompt": asked, "completion": answer })),
            (Some(_), ..) => Err(NO_SYSTEM.to_owned()),
        },
        ..LINES
    }),
};

pub(super) const TEXT: Shape = Shape {
    name: "text",
    about: "{\"text\"}, JSON lines; finished text, written as the template of the voice writes it",
    form: Form::Text,
};

fn one(record: Value) -> Result<Vec<String>, String> {
    Ok(vec![record.to_string()])
}

/// The text of an example.
pub(super) fn text(example: &Example, render: Option<Render<'_>>) -> Result<Vec<String>, String> {
    let render = render.ok_or("examples without a template")?;
    one(json!({ "text": render(&example.messages)? }))
}

/// An answer that is not to be learned has the weight 0, as OpenAI's files have it.
fn messages(example: &Example) -> Value {
    let turn = |message: &Message| {
        let mut turn = turn(message);
        if message.role == Role::Assistant && !message.is_trained() {
            turn["weight"] = json!(0);
        }
        turn
    };
    json!({ "messages": example.messages.iter().map(turn).collect::<Vec<_>>() })
}

fn turn(message: &Message) -> Value {
    json!({ "role": message.role.name(), "content": message.content })
}

fn share_gpt(example: &Example) -> Value {
    let turn = |message: &Message| {
        let from = match message.role {
            Role::System => "system",
            Role::User => "human",
            Role::Assistant => "gpt",
        };
        json!({ "from": from, "value": message.content })
    };
    json!({ "conversations": example.messages.iter().map(turn).collect::<Vec<_>>() })
}

/// The persona, the question and the answer of an example that has one of each at most.
fn single(example: &Example) -> Result<(Option<&str>, &str, &str), String> {
    let (system, rest) = match example.messages.as_slice() {
        [first, rest @ ..] if first.role == Role::System => (Some(first.content.as_str()), rest),
        rest => (None, rest),
    };
    match rest {
        [asked, answer] if asked.role == Role::User && answer.role == Role::Assistant => {
            Ok((system, &asked.content, &answer.content))
        }
        [answer] if answer.role == Role::Assistant => Ok((system, "", &answer.content)),
        _ => Err(SEVERAL.to_owned()),
    }
}
