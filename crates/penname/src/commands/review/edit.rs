//! Changing the words of an example: in the person's editor, or line by line.

use std::process::Command;

use penname_ledger::write;
use penname_token::{Example, Message};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};

/// What stands between turns in the editor.
const MARK: &str = "=== ";

/// The turns as they were changed; nothing if they were not, or the change was given up.
///
/// # Errors
/// When the editor cannot be run, or left something else than the turns.
pub(super) fn changed(
    desk: &Desk,
    example: &Example,
    lines: &mut DefaultEditor,
) -> Result<Option<Vec<Message>>, Failure> {
    let messages = match &desk.environment.editor {
        Some(program) => in_editor(program, example)?,
        None => by_lines(desk, example, lines)?,
    };
    Ok(messages.filter(|messages| *messages != example.messages))
}

/// The turns as one text, which the person's editor changes.
fn in_editor(program: &std::ffi::OsStr, example: &Example) -> Result<Option<Vec<Message>>, Failure> {
    let folder = std::env::temp_dir().join(format!("penname-review-{}", std::process::id()));
    write::folder(&folder)?;
    let path = folder.join("example.txt");
    write::bytes(&path, as_text(&example.messages).as_bytes())?;
    let asked = format!("`{}` was to change an example", program.display());
    // `EDITOR` may hold words of its own, such as `code --wait`.
    let words: Vec<String> = program.to_string_lossy().split_whitespace().map(str::to_owned).collect();
    let Some((name, words)) = words.split_first() else { return Ok(None) };
    let status = Command::new(name).args(words).arg(&path).status();
    let text = std::fs::read_to_string(&path);
    write::remove_folder(&folder)?;
    let failed = |why: String| Failure::new(Kind::Device, why).while_doing(asked.clone());
    if !status.map_err(|error| failed(error.to_string()))?.success() {
        return Ok(None);
    }
    let text = text.map_err(|error| failed(error.to_string()))?;
    match as_messages(&text, &example.messages) {
        Some(messages) => Ok(Some(messages)),
        None => Err(failed(format!("the lines that begin with `{MARK}` are not those that were there"))
            .hint("change what stands between them")),
    }
}

fn as_text(messages: &[Message]) -> String {
    messages.iter().map(|message| format!("{MARK}{}\n{}\n", message.role.name(), message.content)).collect()
}

/// Reads the turns back; nothing if they are not the same turns.
fn as_messages(text: &str, before: &[Message]) -> Option<Vec<Message>> {
    let mut messages: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix(MARK) {
            Some(role) => messages.push((role.trim().to_owned(), String::new())),
            None => messages.last_mut()?.1.extend([line, "\n"]),
        }
    }
    let same = messages.len() == before.len()
        && messages.iter().zip(before).all(|((role, _), message)| role == message.role.name());
    let changed = messages.into_iter().zip(before).map(|((_, content), message)| {
        // An editor ends the last line; the text may not have.
        let content = content.trim_end_matches('\n').to_owned();
        let content =
            if content == message.content.trim_end_matches('\n') { message.content.clone() } else { content };
        Message { content, ..message.clone() }
    });
    same.then(|| changed.collect())
}

/// Every turn of the voice, typed anew; an empty line leaves one as it is.
fn by_lines(
    desk: &Desk,
    example: &Example,
    lines: &mut DefaultEditor,
) -> Result<Option<Vec<Message>>, Failure> {
    desk.screen
        .note("set EDITOR to change texts in a program of yours; here each turn of the voice is one line");
    let mut messages = example.messages.clone();
    for message in messages.iter_mut().filter(|message| message.is_trained()) {
        let offered = if message.content.contains('\n') { "" } else { message.content.as_str() };
        match lines.readline_with_initial("new words, or Enter to leave them > ", (offered, "")) {
            Ok(typed) if typed.trim().is_empty() => {}
            Ok(typed) => message.content = typed,
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(None),
            Err(error) => return Err(Failure::of(Kind::Device, &error)),
        }
    }
    Ok(Some(messages))
}

#[cfg(test)]
mod tests {
    use super::*;
    use penname_token::Role;

    #[test]
    fn turns_come_back_as_they_were_or_changed() {
        let before = [Message::new(Role::User, "Why?\n\nTell."), Message::new(Role::Assistant, "Because.\n")];
        let text = as_text(&before);
        assert_eq!(as_messages(&text, &before).unwrap(), before);
        let changed = as_messages(&text.replace("Because.", "Because of\n=it."), &before).unwrap();
        assert_eq!(changed[1].content, "Because of\n=it.");
        assert_eq!(as_messages(&text.replace("=== user", "=== system"), &before), None);
        assert_eq!(as_messages("nothing of it", &before), None);
    }
}
