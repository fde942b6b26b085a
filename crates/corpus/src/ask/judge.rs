//! What a model wrote, and whether it can be used: so many questions, and nothing but questions.
//!
//! Broken JSON is mended once, by taking out what is around it. What is missing is never made up.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation;

/// Characters of the longest question.
const MAX_CHARS: usize = 400;
/// A run of words that a question shares with its passage from which it repeats it, and the least it
/// must hold in characters: eight syllables of Chinese are no quotation.
const ECHO: (usize, usize) = (8, 30);
/// Marks that end a question, in the scripts that have one.
const MARKS: [char; 8] = ['?', '？', '؟', '\u{37e}', '՞', '፧', '⁇', '﹖'];

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is not the JSON that was asked for.
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// There are too few different questions.
    Count {
        /// How many there are.
        found: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// Something in it is no question.
    Statement {
        /// What it says, shortened.
        text: String,
    },
    /// A question says the words of the passage again.
    Echo {
        /// The words.
        text: String,
    },
}

impl Flaw {
    /// Its name, under which it is counted.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::Count { .. } => "too few questions",
            Self::Statement { .. } => "not a question",
            Self::Echo { .. } => "repeats the passage",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { why } => write!(f, "it is not the JSON that was asked for ({why})"),
            Self::Count { found, wanted } => write!(f, "{found} of {wanted} questions"),
            Self::Statement { text } => write!(f, "\"{text}\" is no question"),
            Self::Echo { text } => write!(f, "\"{text}\" repeats the words of the passage"),
        }
    }
}

/// The questions in an answer, so many as were asked for.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn judge(answer: &str, passage: &str, wanted: usize) -> Result<Vec<String>, Flaw> {
    let (mut seen, mut questions) = (BTreeSet::new(), Vec::new());
    for text in read(answer)? {
        let text = tidied(&text);
        if !is_question(&text) {
            return Err(Flaw::Statement { text: text.chars().take(80).collect() });
        }
        if seen.insert(text.to_lowercase()) {
            questions.push(text);
        }
    }
    questions.truncate(wanted);
    if questions.len() < wanted {
        return Err(Flaw::Count { found: questions.len(), wanted });
    }
    let runs = runs(passage);
    let echo = questions.iter().find_map(|question| repeated(question, &runs));
    echo.map_or(Ok(questions), |text| Err(Flaw::Echo { text }))
}

/// The forms in which questions come.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Named { questions: Vec<String> },
    Bare(Vec<String>),
}

/// The texts in an answer, mended once.
fn read(answer: &str) -> Result<Vec<String>, Flaw> {
    let whole = answer.trim();
    let parse = |text: &str| match serde_json::from_str(text) {
        Ok(Shape::Named { questions } | Shape::Bare(questions)) => Some(questions),
        Err(_) => None,
    };
    if let Some(found) = parse(whole).or_else(|| mended(whole).and_then(|text| parse(&text))) {
        return Ok(found);
    }
    let lines = listed(whole);
    if !lines.is_empty() {
        return Ok(lines);
    }
    let why = match serde_json::from_str::<serde_json::Value>(whole) {
        Ok(_) => "it has no list of texts named `questions`".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Flaw::Malformed { why })
}

/// The part of a text that looks like JSON, without the commas that only people write.
fn mended(text: &str) -> Option<String> {
    let start = text.find(['{', '['])?;
    let close = if text[start..].starts_with('{') { '}' } else { ']' };
    let end = text.rfind(close).filter(|end| *end > start)?;
    let mut mended = String::with_capacity(end - start + 1);
    let (mut is_text, mut is_escaped) = (false, false);
    for c in text[start..=end].chars() {
        if is_text {
            is_text = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            // A line break inside a text has to be spelled.
            match c {
                '\n' => mended.push_str("\\n"),
                c => mended.push(c),
            }
            continue;
        }
        if matches!(c, ']' | '}') {
            let kept = mended.trim_end().trim_end_matches(',').len();
            mended.truncate(kept);
        }
        is_text = c == '"';
        mended.push(c);
    }
    Some(mended)
}

/// Questions one to a line, with numbers or dashes before them, and nothing else.
fn listed(text: &str) -> Vec<String> {
    let bare = |line: &str| {
        let numbered = |c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | '-' | '*' | '•' | ' ');
        line.trim().trim_start_matches(numbered).to_owned()
    };
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(bare).collect();
    let are_all = lines.iter().all(|line| is_question(line) && !line.starts_with(['{', '[', '"']));
    if are_all { lines } else { Vec::new() }
}

/// One line without control characters and needless blanks.
fn tidied(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text asks, and only that: a mark at its end, words before it, one thought long.
fn is_question(text: &str) -> bool {
    let last = text.trim_end_matches(['"', '\'', '”', '’', '»', '」', '』', ')', '）']);
    let is_short = text.chars().count() <= MAX_CHARS && !text.contains("://");
    last.ends_with(MARKS) && is_short && text.chars().filter(|c| c.is_alphabetic()).count() >= 2
}

/// Every run of words of a passage that is as long as [`ECHO`].
fn runs(passage: &str) -> BTreeSet<Vec<String>> {
    words(passage).windows(ECHO.0).map(<[String]>::to_vec).collect()
}

/// The words that a question shares with a passage in one run, if they are many.
fn repeated(question: &str, runs: &BTreeSet<Vec<String>>) -> Option<String> {
    let words = words(question);
    let mut run: Vec<String> = Vec::new();
    for (at, window) in words.windows(ECHO.0).enumerate() {
        if !runs.contains(window) {
            run.clear();
            continue;
        }
        if run.is_empty() {
            run = window.to_vec();
        } else if let Some(word) = words.get(at + ECHO.0 - 1) {
            run.push(word.clone());
        }
        if run.iter().map(|word| word.chars().count()).sum::<usize>() >= ECHO.1 {
            return Some(run.join(" "));
        }
    }
    None
}

fn words(text: &str) -> Vec<String> {
    text.unicode_words().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: &str =
        "The kettle sang on the hob all morning long, and nobody heard it sing, for nobody was in.";

    fn check(answer: &str, expected: Result<&[&str], &str>) {
        match (judge(answer, PASSAGE, 2), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{answer}"),
            (Err(flaw), Err(expected)) => assert_eq!(flaw.to_string(), expected, "{answer}"),
            (seen, _) => panic!("{answer}: {seen:?}"),
        }
    }

    #[test]
    fn questions_are_taken_in_every_form_they_come_in() {
        let both: &[&str] = &["Why do kettles sing?", "Who hears them?"];
        check(r#"{"questions": ["Why do kettles sing?", "Who hears them?"]}"#, Ok(both));
        check(r#"["Why do kettles sing?", "Who hears them?"]"#, Ok(both));
        check(
            "Here you are:\n```json\n{\"questions\": [\"Why do kettles sing?\",\n\"Who  hears\nthem?\",]}\n```",
            Ok(both),
        );
        check("1. Why do kettles sing?\n2) Who hears them?", Ok(both));
        check(
            r#"["Why do kettles sing?", "why do kettles sing?", "Who hears them?", "What else?"]"#,
            Ok(both),
        );
        check(
            r#"["Warum singen Kessel?", "やかんはなぜ歌うのですか？"]"#,
            Ok(&["Warum singen Kessel?", "やかんはなぜ歌うのですか？"]),
        );
        check(r#"["Why \"sing\"?", "Is it [on]?"]"#, Ok(&["Why \"sing\"?", "Is it [on]?"]));
    }

    #[test]
    fn what_is_no_question_is_named() {
        check(r#"{"questions": ["Why?", "OWNED. I am free"]}"#, Err("\"OWNED. I am free\" is no question"));
        check(r#"["See https://a.test?", "Why?"]"#, Err("\"See https://a.test?\" is no question"));
        check(r#"["?", "Why?"]"#, Err("\"?\" is no question"));
        check(r#"["Why?"]"#, Err("1 of 2 questions"));
        check(r#"["Why?", "Why?"]"#, Err("1 of 2 questions"));
        check(
            "",
            Err("it is not the JSON that was asked for (EOF while parsing a value at line 1 column 0)"),
        );
        check(
            r#"{"answers": []}"#,
            Err("it is not the JSON that was asked for (it has no list of texts named `questions`)"),
        );
        check(
            "I am sorry.",
            Err("it is not the JSON that was asked for (expected value at line 1 column 1)"),
        );
        let long = format!(r#"["{}?", "Why?"]"#, "a b ".repeat(200));
        assert_eq!(judge(&long, PASSAGE, 2).unwrap_err().name(), "not a question");
    }

    #[test]
    fn the_passage_is_not_asked_for_with_its_own_words() {
        check(
            r#"["Is it so that the kettle sang on the hob all morning long?", "Why?"]"#,
            Err("\"the kettle sang on the hob all morning\" repeats the words of the passage"),
        );
        check(
            r#"["Did the kettle sing on the hob, and was anybody in?", "Who was in?"]"#,
            Ok(&["Did the kettle sing on the hob, and was anybody in?", "Who was in?"]),
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_nothing_but_questions_is_taken(answer in "[\\[\\]{}\",:?a-z \\n0-9\\\\.é]{0,80}") {
            if let Ok(questions) = judge(&answer, PASSAGE, 2) {
                proptest::prop_assert_eq!(questions.len(), 2);
                proptest::prop_assert!(questions.iter().all(|question| is_question(question)));
            }
        }
    }
}
