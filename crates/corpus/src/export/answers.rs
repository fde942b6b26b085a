//! Shapes of labelled questions and answers, as projects for GPT-2 and small models of their own have
//! them, and the same as a table.
//!
//! A dialogue gives one record for each answer with what was asked before it. A persona stands in none
//! of them: it is put before every example again wherever the text is read.
//!
//! The labels are found by those who read them at the beginning of a line. A text that begins a line with
//! one would be taken apart there, so it is left out.

use penname_token::{Example, Role};

use super::{Form, Records, Shape};

/// Why a text cannot stand between labels.
const FORGED: &str = "texts that begin a line with a label";
/// Why an example has nothing to ask.
const UNASKED: &str = "texts that nobody asked for";

pub(super) const LONG: Shape = Shape {
    name: "question-answer",
    about: "QUESTION: …, a blank line, ANSWER: …, a blank line; plain text",
    form: Form::Records(Records { extension: "txt", head: "", between: "", tail: "", of: long }),
};

pub(super) const SHORT: Shape = Shape {
    name: "q-a",
    about: "Q: …, on the next line A: …, blank lines between; plain text",
    form: Form::Records(Records { extension: "txt", head: "", between: "\n\n", tail: "", of: short }),
};

pub(super) const TABLE: Shape = Shape {
    name: "table",
    about: "question,answer; a table with a line of names, for spreadsheets",
    form: Form::Records(Records {
        extension: "csv",
        head: "question,answer\n",
        between: "",
        tail: "",
        of: table,
    }),
};

fn long(example: &Example) -> Result<Vec<String>, String> {
    labelled(example, ["QUESTION:", "ANSWER:"], |asked, answer| {
        format!("QUESTION: {asked}\n\nANSWER: {answer}\n\n")
    })
}

fn short(example: &Example) -> Result<Vec<String>, String> {
    labelled(example, ["Q:", "A:"], |asked, answer| format!("Q: {asked}\nA: {answer}"))
}

fn table(example: &Example) -> Result<Vec<String>, String> {
    Ok(pairs(example)?.iter().map(|(asked, answer)| format!("{},{}\n", cell(asked), cell(answer))).collect())
}

fn labelled(
    example: &Example,
    labels: [&str; 2],
    write: fn(&str, &str) -> String,
) -> Result<Vec<String>, String> {
    let pairs = pairs(example)?;
    let is_forged = |text: &str| {
        text.lines().skip(1).any(|line| {
            let line = line.trim_start().to_ascii_uppercase();
            labels.iter().any(|label| line.starts_with(label))
        })
    };
    match pairs.iter().any(|(asked, answer)| is_forged(asked) || is_forged(answer)) {
        true => Err(FORGED.to_owned()),
        false => Ok(pairs.iter().map(|(asked, answer)| write(asked, answer)).collect()),
    }
}

/// Each answer with what was asked right before it.
fn pairs(example: &Example) -> Result<Vec<(&str, &str)>, String> {
    let turns: Vec<_> = example.messages.iter().filter(|message| message.role != Role::System).collect();
    let pairs: Vec<(&str, &str)> = turns
        .windows(2)
        .filter(|two| two[0].role == Role::User && two[1].role == Role::Assistant)
        .map(|two| (two[0].content.trim(), two[1].content.trim()))
        .collect();
    if pairs.is_empty() { Err(UNASKED.to_owned()) } else { Ok(pairs) }
}

/// A field as RFC 4180 has it: always between quotation marks, so that nobody has to guess.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
