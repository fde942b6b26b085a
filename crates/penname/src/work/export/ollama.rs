//! A Modelfile beside the model's GGUF, for `ollama create`.
//!
//! Ollama does not run a Jinja template but one of its own language. It is made of the pieces that the
//! trained template puts around messages; a template that does more than that is refused.

use std::fmt::Write as _;
use std::path::Path;

use penname_ledger::write;
use penname_model::{Checkpoint, Storage};
use penname_token::template::Turns;

use super::source::Source;
use super::{Format, Made, Opened, beside, gguf};
use crate::failure::{Failure, Kind};

pub(super) const FORMAT: Format = Format {
    name: "ollama",
    about: "the GGUF with a Modelfile beside it, for `ollama create`",
    storages: gguf::FORMAT.storages,
    needs_pairs: false,
    write,
    open,
};

const FILE: &str = "Modelfile";

const USE: &str = "```text
ollama create NAME -f Modelfile
ollama run NAME
```";

fn write(source: &Source, storage: Storage, dir: &Path) -> Result<Made, Failure> {
    let modelfile = modelfile(source)?;
    gguf::write_file(source, storage, &dir.join(gguf::FILE))?;
    write::bytes(&dir.join(FILE), modelfile.as_bytes())?;
    let card = beside::write_card(source, dir, "A whole model for Ollama.", USE)?;
    Ok(Made { files: vec![gguf::FILE.to_owned(), FILE.to_owned(), card] })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    Opened::model(source, Checkpoint::open(dir.join(gguf::FILE))?)
}

fn modelfile(source: &Source) -> Result<String, Failure> {
    let turns = source.renderer.template().turns().map_err(|error| {
        Failure::from(error).hint("export `gguf` instead: its readers run the template itself")
    })?;
    let mut text =
        format!("# {}, made by penname from {}\nFROM ./{}\n", source.name, source.origin, gguf::FILE);
    let bos = match source.renderer.tokenizer().special_ids() {
        ids if ids.add_bos => source.renderer.tokenizer().token_text(ids.bos),
        _ => String::new(),
    };
    let _infallible = writeln!(text, "TEMPLATE \"\"\"{}\"\"\"", template(&turns, &bos));
    if let Some(persona) = &source.persona {
        if persona.contains("\"\"\"") {
            let message = "the persona holds three quotes in a row, which end a text in a Modelfile";
            return Err(Failure::new(Kind::Usage, message).hint("train with another `voice.persona`"));
        }
        let _infallible = writeln!(text, "SYSTEM \"\"\"{persona}\"\"\"");
    }
    for (name, value) in parameters(source) {
        let _infallible = writeln!(text, "PARAMETER {name} {value}");
    }
    Ok(text)
}

fn parameters(source: &Source) -> Vec<(&'static str, String)> {
    let how = &source.write;
    let mut all = vec![
        ("temperature", beside::decimal(how.temperature).to_string()),
        ("top_k", how.top_k.to_string()),
        ("top_p", beside::decimal(how.top_p).to_string()),
        ("min_p", beside::decimal(how.min_p).to_string()),
        ("repeat_penalty", beside::decimal(how.repetition_penalty).to_string()),
        ("num_predict", how.max_tokens.to_string()),
        ("num_ctx", source.config.context.min(8192).to_string()),
    ];
    let tokenizer = source.renderer.tokenizer();
    all.extend(source.stop_ids.iter().map(|&id| ("stop", literal(&tokenizer.token_text(Some(id))))));
    all
}

/// The template in Ollama's language. The engine itself writes the token that begins a text.
fn template(turns: &Turns, bos: &str) -> String {
    let first = |text: &str| piece(text.strip_prefix(bos).unwrap_or(text));
    let around =
        |[before, after]: &[String; 2]| format!("{}{{{{ .Content }}}}{}", piece(before), piece(after));
    let system = format!("{}{{{{ .Content }}}}{}", first(&turns.system[0]), piece(&turns.system[1]));
    let bare = match first(&turns.bare).as_str() {
        "" => String::new(),
        bare => format!("{{{{ if ne (index .Messages 0).Role \"system\" }}}}{bare}{{{{ end }}}}"),
    };
    format!(
        "{bare}{{{{ range .Messages }}}}{{{{ if eq .Role \"system\" }}}}{system}{{{{ else if eq .Role \"user\" }}}}{}\
         {{{{ else if eq .Role \"assistant\" }}}}{}{{{{ end }}}}{{{{ end }}}}{}",
        around(&turns.user),
        around(&turns.assistant),
        piece(&turns.prompt)
    )
}

/// A text that stands for itself, spaces and line breaks included.
fn piece(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{{{{ {} }}}}", literal(text)) }
}

/// A text in quotes, as Go reads them.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stand_for_themselves() {
        let turns = Turns {
            bare: "<s>Hello\n".to_owned(),
            system: ["<s>S \"".to_owned(), "\"\n".to_owned()],
            user: ["U: ".to_owned(), "\n".to_owned()],
            assistant: ["A: ".to_owned(), "</s>".to_owned()],
            prompt: "A:".to_owned(),
        };
        expect_test::expect![[
            r#"{{ if ne (index .Messages 0).Role "system" }}{{ "Hello\n" }}{{ end }}{{ range .Messages }}{{ if eq .Role "system" }}{{ "S \"" }}{{ .Content }}{{ "\"\n" }}{{ else if eq .Role "user" }}{{ "U: " }}{{ .Content }}{{ "\n" }}{{ else if eq .Role "assistant" }}{{ "A: " }}{{ .Content }}{{ "</s>" }}{{ end }}{{ end }}{{ "A:" }}"#
        ]]
        .assert_eq(&template(&turns, "<s>"));
    }
}
