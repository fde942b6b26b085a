//! Chat rows that nobody wrote, the same on every machine: 200 questions with answers, 30 to 280 words
//! together, of whole sentences of the bundled letters in any order.
//!
//! Words in any order would not do: `penname train` refuses what is no language to its base.

use std::fs;
use std::path::PathBuf;

use penname_ledger::{Seed, Stream, write};
use serde_json::{Value, json};

use crate::{Result, root};

const N_ROWS: usize = 200;
/// Fewest and most words of a row.
const WORDS: [usize; 2] = [30, 280];
/// Fewest and most words of a question, a fifth of its row in between.
const QUESTION: [usize; 2] = [6, 40];
/// What is shorter is a greeting or a name.
const LEAST_OF_SENTENCE: usize = 4;

/// Sentences of the letters' questions and answers.
#[derive(Debug, Default)]
struct Sentences {
    questions: Vec<String>,
    answers: Vec<String>,
}

/// The rows as JSON lines with `messages`.
///
/// # Errors
/// When the letters cannot be read or the rows cannot be written.
pub(super) fn written() -> Result<PathBuf> {
    let folder = root().join("bench/work");
    let path = folder.join("rows.jsonl");
    let sentences = sentences()?;
    let mut stream = Seed(1).stream("bench/rows");
    let lines: String = (0..N_ROWS).map(|_| format!("{}\n", row(&sentences, &mut stream))).collect();
    write::folder(&folder)?;
    write::bytes(&path, lines.as_bytes())?;
    Ok(path)
}

fn sentences() -> Result<Sentences> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("examples/letters"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "txt"));
    files.sort();
    let mut all = Sentences::default();
    for file in files {
        for pair in fs::read_to_string(file)?.split("QUESTION:") {
            if let Some((question, answer)) = pair.split_once("ANSWER:") {
                all.questions.extend(split(question));
                all.answers.extend(split(answer));
            }
        }
    }
    let is_empty = all.questions.is_empty() || all.answers.is_empty();
    if is_empty { Err("examples/letters has no sentences".into()) } else { Ok(all) }
}

/// The sentences of a text: a word that ends with a full stop or its like ends one.
fn split(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let sentences = words.split_inclusive(|word| word.ends_with(['.', '?', '!']));
    sentences.filter(|words| words.len() >= LEAST_OF_SENTENCE).map(|words| words.join(" ")).collect()
}

fn row(sentences: &Sentences, stream: &mut Stream) -> Value {
    let [least, most] = WORDS;
    let wanted = least + stream.below((most - least + 1) as u64) as usize;
    let question = told(&sentences.questions, (wanted / 5).clamp(QUESTION[0], QUESTION[1]), most, stream);
    let left = |n: usize| n.saturating_sub(n_words(&question));
    let answer = told(&sentences.answers, left(wanted), left(most), stream);
    let turn = |role: &str, text: String| json!({ "role": role, "content": text });
    json!({ "messages": [turn("user", question), turn("assistant", answer)] })
}

/// Sentences, drawn until there are at least so many words, and never more than `most`.
fn told(sentences: &[String], wanted: usize, most: usize, stream: &mut Stream) -> String {
    let mut text = String::new();
    while n_words(&text) < wanted.max(1) {
        let sentence = &sentences[stream.below(sentences.len() as u64) as usize];
        let is_room = n_words(&text) + n_words(sentence) <= most;
        if !is_room && !text.is_empty() {
            break;
        }
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(sentence);
    }
    text
}

fn n_words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_long_as_they_should_be_and_always_the_same() {
        let sentences = sentences().unwrap();
        let rows = |seed: u64| -> Vec<Value> {
            let mut stream = Seed(seed).stream("bench/rows");
            (0..N_ROWS).map(|_| row(&sentences, &mut stream)).collect()
        };
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
        let length = |row: &Value| -> usize {
            (0..2).map(|idx| n_words(row["messages"][idx]["content"].as_str().unwrap())).sum()
        };
        let lengths: Vec<usize> = rows(1).iter().map(length).collect();
        assert!(lengths.iter().all(|n| (WORDS[0]..=WORDS[1]).contains(n)), "{lengths:?}");
        assert!((130..185).contains(&(lengths.iter().sum::<usize>() / N_ROWS)), "{lengths:?}");
    }

    #[test]
    fn a_name_is_no_sentence() {
        assert_eq!(split("Mind the doors, dear. Is it so? - O. Peck"), ["Mind the doors, dear."]);
    }
}
