//! Chat rows that nobody wrote, the same on every machine: 200 questions with answers, 30 to 280 words
//! together, of the words of the bundled letters as often as they stand there.

use std::fs;
use std::path::PathBuf;

use penname_ledger::{Seed, Stream, write};
use serde_json::{Value, json};

use crate::{Result, root};

const N_ROWS: usize = 200;
/// Fewest and most words of a row.
const WORDS: [u64; 2] = [30, 280];
/// Fewest and most words of a question, a fifth of its row in between.
const QUESTION: [u64; 2] = [6, 40];
/// Fewest and most words of a sentence.
const SENTENCE: [u64; 2] = [6, 16];

/// The rows as JSON lines with `messages`.
///
/// # Errors
/// When the letters cannot be read or the rows cannot be written.
pub(super) fn written() -> Result<PathBuf> {
    let folder = root().join("bench/work");
    let path = folder.join("rows.jsonl");
    let words = words()?;
    let mut stream = Seed(1).stream("bench/rows");
    let lines: String = (0..N_ROWS).map(|_| format!("{}\n", row(&words, &mut stream))).collect();
    write::folder(&folder)?;
    write::bytes(&path, lines.as_bytes())?;
    Ok(path)
}

/// The words of the letters, in lower case.
fn words() -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("examples/letters"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "txt"));
    files.sort();
    let mut words = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)?;
        let plain = text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphabetic()));
        let plain = plain.filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()));
        words.extend(plain.map(str::to_lowercase));
    }
    if words.is_empty() { Err("examples/letters has no words".into()) } else { Ok(words) }
}

fn row(words: &[String], stream: &mut Stream) -> Value {
    let n_words = between(WORDS, stream);
    let n_question = (n_words / 5).clamp(QUESTION[0], QUESTION[1]);
    let question = sentences(words, n_question, stream);
    let answer = sentences(words, n_words - n_question, stream);
    let question = format!("{}?", question.trim_end_matches('.'));
    let turn = |role: &str, text: String| json!({ "role": role, "content": text });
    json!({ "messages": [turn("user", question), turn("assistant", answer)] })
}

/// Sentences of so many words in all.
fn sentences(words: &[String], n_words: u64, stream: &mut Stream) -> String {
    let (mut told, mut left) = (Vec::new(), n_words);
    while left > 0 {
        let length = between(SENTENCE, stream).min(left);
        let drawn = (0..length).map(|_| words[stream.below(words.len() as u64) as usize].as_str());
        let mut sentence = drawn.collect::<Vec<_>>().join(" ");
        sentence[..1].make_ascii_uppercase();
        told.push(sentence + ".");
        left -= length;
    }
    told.join(" ")
}

fn between([least, most]: [u64; 2], stream: &mut Stream) -> u64 {
    least + stream.below(most - least + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_long_as_they_should_be_and_always_the_same() {
        let words = words().unwrap();
        let rows = |seed: u64| -> Vec<Value> {
            let mut stream = Seed(seed).stream("bench/rows");
            (0..50).map(|_| row(&words, &mut stream)).collect()
        };
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
        for row in rows(1) {
            let text = |idx: usize| row["messages"][idx]["content"].as_str().unwrap().to_owned();
            let n_words = (text(0) + " " + &text(1)).split_whitespace().count() as u64;
            assert!((WORDS[0]..=WORDS[1]).contains(&n_words), "{n_words}");
            assert!(text(0).ends_with('?') && text(1).ends_with('.'));
        }
    }
}
