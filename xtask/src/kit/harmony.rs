//! Conversations in Harmony, against those that gpt-oss' own library wrote.
//!
//! The system block is the published template's; the turns are those of our built-in one, which ends
//! instructions as the library does (the published template puts a blank line there). Conversations with
//! thoughts and tools have no place in a voice and are named as left out.

use std::fs;
use std::path::Path;

use penname_token::{Message, Role, Template, Tokenizer};

use super::{Inputs, Verdict};
use crate::{Result, root};

/// Where the library's texts are in the kit.
pub(super) const GOLDENS: &str = "goldens/harmony/test-data";

const PUBLISHED: &str = "templates/llama.cpp/openai-gpt-oss-120b.jinja";
/// The day on which the library's text with a date was written.
const DAY: &str = "2025-06-28T12:00:00.000Z";
const DATE: &str = "Current date: 2025-06-28\n";
const END: &str = "<|end|>";

const CAPITAL: &str = "What is the capital of the largest country in the world?";
const ROBOT: &str = "Answer the user's questions like a robot.";

/// How the system block of a text compares.
enum System {
    /// It is the published one, with this effort.
    Published(&'static str),
    /// It has other channels or another date, which the published template cannot be told.
    Other,
    /// There is none.
    None,
}

/// A text of the library: its file, its system block, its turns.
type Case = (&'static str, System, &'static [(Role, &'static str)]);

const CASES: [Case; 12] = [
    ("no_tools", System::Published("medium"), &[]),
    ("simple_convo", System::Published("medium"), &[(Role::User, "What is 2 + 2?")]),
    ("simple_convo_low_effort", System::Published("low"), &[(Role::System, ROBOT), (Role::User, CAPITAL)]),
    (
        "simple_convo_medium_effort",
        System::Published("medium"),
        &[(Role::System, ROBOT), (Role::User, CAPITAL)],
    ),
    ("simple_convo_high_effort", System::Published("high"), &[(Role::System, ROBOT), (Role::User, CAPITAL)]),
    ("simple_convo_low_effort_no_instruction", System::Published("low"), &[(Role::User, CAPITAL)]),
    ("simple_convo_medium_effort_no_instruction", System::Published("medium"), &[(Role::User, CAPITAL)]),
    ("simple_convo_high_effort_no_instruction", System::Published("high"), &[(Role::User, CAPITAL)]),
    ("reasoning_system_message", System::Other, &[(Role::User, "What is 2 + 2?")]),
    (
        "reasoning_system_message_no_instruction",
        System::Other,
        &[(Role::User, "What is the best place to eat candy in the world?")],
    ),
    ("reasoning_system_message_with_dates", System::Other, &[(Role::User, "What is 42 * pi?")]),
    (
        "dropping_cot_by_default",
        System::None,
        &[
            (Role::User, "What is 2 + 2?"),
            (Role::Assistant, "2 + 2 equals 4."),
            (Role::User, "What about 9 / 2?"),
        ],
    ),
];

/// Every text of the library that a voice could have written.
pub(super) fn renderings(inputs: &Inputs) -> Verdict {
    let goldens = inputs.kit(GOLDENS)?;
    let published = fs::read_to_string(inputs.kit(PUBLISHED)?)?;
    let tokenizer = Tokenizer::from_json(&fs::read(root().join("golden/templates/tokenizer.json"))?)?;
    let ours = Template::builtin("harmony", &tokenizer)?;
    for (name, system, turns) in &CASES {
        let golden = fs::read_to_string(goldens.join(format!("test_{name}.txt")))?;
        let (block, rest) = match system {
            System::None => ("", golden.as_str()),
            _ => golden.split_at(golden.find(END).ok_or("no system block")? + END.len()),
        };
        if let System::Published(effort) = system {
            let template = Template::new(&published, &tokenizer)?.with_date(DAY.parse()?);
            let template = template.with_variable("reasoning_effort", *effort);
            let written = template.render(&[Message::new(Role::User, "?")], true)?;
            let written = &written[..written.find(END).ok_or("no system block")? + END.len()];
            let is_dated = block.contains(DATE);
            let written = if is_dated { written.to_owned() } else { written.replace(DATE, "") };
            equal(name, &written, block)?;
        }
        let messages: Vec<Message> = turns.iter().map(|(role, text)| Message::new(*role, *text)).collect();
        equal(name, &ours.render(&messages, true)?, rest.trim_end_matches('\n'))?;
    }
    let n_files = fs::read_dir(&goldens)?.count();
    Ok(format!("{} of {n_files} texts equal; the others have thoughts, tools or ids alone", CASES.len()))
}

fn equal(name: &str, found: &str, expected: &str) -> Result<()> {
    if found == expected { Ok(()) } else { Err(format!("{name} is {found:?}, expected {expected:?}").into()) }
}

/// Ids that the library was given, which are those of their own text.
pub(super) fn ids(tokenizer: &Tokenizer, goldens: &Path) -> Result<String> {
    let mut n_ids = 0;
    for name in ["simple_reasoning_response", "simple_tool_call"] {
        let golden = fs::read_to_string(goldens.join(format!("test_{name}.txt")))?;
        let expected =
            golden.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<u32>, _>>()?;
        let text = tokenizer.decode(&expected);
        let found = tokenizer.encode_template(&text)?;
        if found != expected {
            return Err(format!("{name}: {text:?} has ids {found:?}, expected {expected:?}").into());
        }
        n_ids += found.len();
    }
    Ok(format!("{n_ids} ids of Harmony's library"))
}
