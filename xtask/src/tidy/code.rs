//! Rust source without its comments and literals, so that rules about words find only code.

/// Replaces comments, strings and characters by blanks; lines stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let n_bytes = literal_len(rest, before).max(comment_len(rest));
        let (taken, keep) = if n_bytes == 0 { (first.len_utf8(), true) } else { (n_bytes, false) };
        let piece = &rest[..taken];
        out.extend(piece.chars().map(|c| if keep || c == '\n' { c } else { ' ' }));
        before = piece.chars().last().unwrap_or(' ');
        rest = &rest[taken..];
    }
    out
}

/// Length of the comment that `text` begins with, zero if it begins with none.
fn comment_len(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of the string or character that `text` begins with, zero if it begins with none.
fn literal_len(text: &str, before: char) -> usize {
    let in_word = before.is_alphanumeric() || before == '_';
    if let Some(raw) = text.strip_prefix('r').filter(|_| !in_word || before == 'b') {
        let n_marks = raw.bytes().take_while(|&b| b == b'#').count();
        if raw[n_marks..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(n_marks));
            let body = 2 + n_marks;
            return text[body..].find(&close).map_or(text.len(), |at| body + at + close.len());
        }
    }
    match text.as_bytes()[0] {
        b'"' => quoted_len(text, b'"'),
        b'\'' => character_len(text),
        _ => 0,
    }
}

/// A character has its closing quote right behind; a lifetime has none.
fn character_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => quoted_len(text, b'\''),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn quoted_len(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Byte positions at which `word` stands by itself.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !is_part(code[..at].chars().next_back()) && !is_part(code[at + word.len()..].chars().next())
    })
}

/// The line, from 1, of a byte position.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let check = |text: &str, expected: &str| assert_eq!(code_only(text), expected, "{text}");
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x\"y", z)"#, "f(      , z)");
        check(r##"f(r#"x"y"#, b"z")"##, "f(        , b   )");
        check("'a' 'b x: &'c str", "    'b x: &'c str");
        check(r"'\'' '\\' x", "          x");
        check("attr\"x\"", "attr   ");
        check("\"open", "     ");
    }

    #[test]
    fn words_stand_alone() {
        let found: Vec<usize> = words("unsafe_code unsafe {unsafe} not_unsafe", "unsafe").collect();
        assert_eq!(found, [12, 20]);
    }
}
