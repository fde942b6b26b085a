//! What a model was asked and what it wrote: the evidence, one reply a line.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Everything one model wrote for one evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// Name of the model, as the report shows it.
    pub model: String,
    /// Its replies, in any order; an empty text is a reply too.
    pub replies: Vec<Reply>,
}

/// One reply, named by document, id and seed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The question, unique within its document.
    pub id: String,
    /// The held-out document the question comes from; the unit of resampling.
    pub document: String,
    /// What the model was asked, without template.
    pub prompt: String,
    /// What it wrote, without template.
    pub text: String,
    /// What the author wrote here, unseen in training; none where the author wrote nothing.
    #[serde(default)]
    pub author: Option<String>,
    /// Why the reply ended.
    pub finish: Finish,
    /// Tokens the model wrote, the end token included.
    pub n_tokens: u64,
    /// Seed of the sampler for this reply.
    pub seed: u64,
    /// The sampler's settings in words, such as `temperature 0.7, top-p 0.9`.
    pub sampler: String,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model wrote its end token.
    End,
    /// The length limit cut it off.
    Length,
    /// A stop text appeared.
    Stop,
}

#[derive(Serialize)]
struct LineOut<'a> {
    model: &'a str,
    #[serde(flatten)]
    reply: &'a Reply,
}

#[derive(Deserialize)]
struct LineIn {
    model: String,
    #[serde(flatten)]
    reply: Reply,
}

impl Transcript {
    /// Writes one JSON object a line, each naming its model, in the order held.
    ///
    /// # Errors
    ///
    /// [`Error::NoReplies`], since a file of no lines could not name the model;
    /// [`Error::Json`] if a reply cannot be written.
    pub fn to_jsonl(&self) -> Result<String, Error> {
        if self.replies.is_empty() {
            return Err(Error::NoReplies);
        }
        let mut out = String::new();
        for reply in &self.replies {
            out += &serde_json::to_string(&LineOut { model: &self.model, reply })?;
            out.push('\n');
        }
        Ok(out)
    }

    /// Reads what [`Transcript::to_jsonl`] writes; blank lines and unknown fields are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] with the number of the first bad line, [`Error::MixedModels`]
    /// where the model changes, [`Error::NoReplies`] for a file of blank lines.
    pub fn from_jsonl(text: &str) -> Result<Self, Error> {
        let mut transcript: Option<Self> = None;
        for (line_idx, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let line_number = line_idx + 1;
            let row: LineIn =
                serde_json::from_str(line).map_err(|source| Error::Line { line: line_number, source })?;
            let whole =
                transcript.get_or_insert_with(|| Self { model: row.model.clone(), replies: Vec::new() });
            if row.model != whole.model {
                let expected = whole.model.clone();
                return Err(Error::MixedModels { line: line_number, found: row.model, expected });
            }
            whole.replies.push(row.reply);
        }
        transcript.ok_or(Error::NoReplies)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn reply(text: &str, seed: u64) -> Reply {
        Reply {
            id: "q1".into(),
            document: "letters/3".into(),
            prompt: "What now?".into(),
            text: text.into(),
            author: None,
            finish: Finish::End,
            n_tokens: 3,
            seed,
            sampler: "greedy".into(),
        }
    }

    #[test]
    fn a_line_is_one_flat_object() {
        let transcript = Transcript { model: "base".into(), replies: vec![reply("Two\nlines", u64::MAX)] };
        expect![[r#"
            {"model":"base","id":"q1","document":"letters/3","prompt":"What now?","text":"Two\nlines","author":null,"finish":"end","n_tokens":3,"seed":18446744073709551615,"sampler":"greedy"}
        "#]]
        .assert_eq(&transcript.to_jsonl().unwrap());
    }

    #[test]
    fn bad_files_say_where() {
        let good = Transcript { model: "base".into(), replies: vec![reply("a", 1)] }.to_jsonl().unwrap();
        let check = |text: &str, expected: &str| {
            let message = Transcript::from_jsonl(text).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        };
        check("", "transcript has no replies");
        check("\n \r\n", "transcript has no replies");
        check(&format!("{good}{{"), "transcript line 2: EOF");
        check(&format!("{good}\n{}", good.replace("base", "tuned")), "transcript line 3 is by model `tuned`");
        check(&good.replace("\"end\"", "\"gone\""), "transcript line 1: unknown variant");
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(texts in prop::collection::vec(any::<String>(), 1..5), author: Option<String>) {
            let mut replies: Vec<Reply> = texts.iter().map(|text| reply(text, 7)).collect();
            replies[0].author = author;
            let transcript = Transcript { model: texts[0].clone(), replies };
            prop_assert_eq!(Transcript::from_jsonl(&transcript.to_jsonl().unwrap()).unwrap(), transcript);
        }
    }
}
