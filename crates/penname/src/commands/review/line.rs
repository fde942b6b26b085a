//! What is typed under an example.

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Keep,
    Drop,
    Edit,
    Next,
    Back,
    Undo,
    /// The beginning of a flag's name.
    Flag(String),
    Help,
    Leave,
    Unknown(String),
}

pub(super) const HELP: &str = "\
  k  keep it as it is            d  drop it: it is not learned
  e  change its words            n  next one, nothing decided (also Enter)
  b  back to the one before      u  undo the latest decision
  f  tick a flag, by the beginning of its name
  q  leave; what was decided is kept";

/// Reads a line: a word or its first letter.
pub(super) fn read(typed: &str) -> Line {
    let typed = typed.trim();
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    match word.to_lowercase().as_str() {
        "" | "n" | "next" | "s" | "skip" => Line::Next,
        "k" | "y" | "keep" => Line::Keep,
        "d" | "drop" => Line::Drop,
        "e" | "edit" => Line::Edit,
        "b" | "back" => Line::Back,
        "u" | "undo" => Line::Undo,
        "f" | "flag" => Line::Flag(rest.trim().to_lowercase()),
        "?" | "h" | "help" => Line::Help,
        "q" | "quit" => Line::Leave,
        _ => Line::Unknown(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_letters_are_understood() {
        assert_eq!((read("k"), read(" KEEP "), read("")), (Line::Keep, Line::Keep, Line::Next));
        assert_eq!(read("f Personal d"), Line::Flag("personal d".to_owned()));
        assert_eq!(read("x"), Line::Unknown("x".to_owned()));
    }
}
