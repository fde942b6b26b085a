//! What a line of a conversation means.

/// What can be typed.
pub(super) const HELP: &str = "\
/compare base   let the base model answer the same
/retry          answer again, with another draw
/undo           take back the last question and its answer
/reset          begin the conversation anew
/system TEXT    instructions before the conversation
/set NAME VALUE temperature, top_k, top_p, min_p, repetition_penalty, max_tokens or seed
/template       show the template the voice was trained with
/help           this list
/bye            leave; Ctrl-D does too";

/// See the [module](self).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Nothing,
    Say(String),
    Leave,
    Help,
    Compare,
    Retry,
    Undo,
    Reset,
    System(String),
    Template,
    Set(String, String),
    Unknown(String),
}

/// Takes a line apart.
pub(super) fn read(typed: &str) -> Line {
    let typed = typed.trim();
    if typed.is_empty() {
        return Line::Nothing;
    }
    let Some(command) = typed.strip_prefix('/') else { return Line::Say(typed.to_owned()) };
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match (word, rest) {
        ("bye" | "quit" | "exit", "") => Line::Leave,
        ("help", _) => Line::Help,
        ("compare", "" | "base") => Line::Compare,
        ("retry", "") => Line::Retry,
        ("undo", "") => Line::Undo,
        ("reset", "") => Line::Reset,
        ("system", text) if !text.is_empty() => Line::System(text.to_owned()),
        ("template", "") => Line::Template,
        ("set", pair) => match pair.split_once(char::is_whitespace) {
            Some((name, value)) => Line::Set(name.to_owned(), value.trim().to_owned()),
            None => Line::Unknown(typed.to_owned()),
        },
        _ => Line::Unknown(typed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_say() {
        let check = |typed, expected| assert_eq!(read(typed), expected, "{typed}");
        check("  ", Line::Nothing);
        check(" hello ", Line::Say("hello".into()));
        check("/compare base", Line::Compare);
        check("/compare", Line::Compare);
        check("/set top_k 5", Line::Set("top_k".into(), "5".into()));
        check("/set top_k", Line::Unknown("/set top_k".into()));
        check("/system be brief", Line::System("be brief".into()));
        check("/nonsense", Line::Unknown("/nonsense".into()));
        check("/bye", Line::Leave);
    }
}
