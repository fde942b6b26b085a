//! Markdown, piece by piece, safe to fill with texts nobody has read.

/// Characters of a text that a page shows.
const SHOWN_CHARS: usize = 1500;

/// A page being written.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// The finished page.
    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn heading(&mut self, level: usize, title: &str) {
        self.block(&format!("{} {title}", "#".repeat(level)));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.block(text);
    }

    pub(super) fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = items.into_iter().map(|item| format!("- {item}")).collect();
        if !lines.is_empty() {
            self.block(&lines.join("\n"));
        }
    }

    /// A table; the first row is its head.
    pub(super) fn table<const N: usize>(&mut self, rows: impl IntoIterator<Item = [String; N]>) {
        let line = |cells: [String; N]| format!("| {} |", cells.join(" | "));
        let mut lines: Vec<String> = rows.into_iter().map(line).collect();
        if lines.is_empty() {
            return;
        }
        lines.insert(1, format!("|{}", " --- |".repeat(N)));
        self.block(&lines.join("\n"));
    }

    /// A text by somebody else, quoted line by line.
    pub(super) fn quote(&mut self, text: &str) {
        let shown = clip(text.trim_end(), SHOWN_CHARS);
        let mut lines = shown.lines().map(line_of).peekable();
        let mut quoted = Vec::new();
        while let Some(line) = lines.next() {
            // Two spaces would break a line invisibly; a backslash does it in sight,
            // but only where another line of the same paragraph follows.
            let is_broken = !line.is_empty() && lines.peek().is_some_and(|next| !next.is_empty());
            let ending = if is_broken { "\\" } else { "" };
            quoted.push(format!("> {line}{ending}").trim_end().to_owned());
        }
        self.block(&quoted.join("\n"));
    }

    fn block(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// The first `n_chars` characters, and how many more there are.
pub(super) fn clip(text: &str, n_chars: usize) -> String {
    match text.char_indices().nth(n_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} ... ({} more characters)", &text[..end], text[end..].chars().count()),
    }
}

/// Foreign text within a line: no markup, no control characters, no line breaks.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' => out.push(' '),
            _ if is_hidden(c) => out.push('\u{fffd}'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~' | '$' => {
                out.extend(['\\', c])
            }
            _ => out.push(c),
        }
    }
    out
}

/// Foreign text for a screen: no control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that move a cursor or turn the direction of writing.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A foreign line: also no list, rule, heading or indented code at its start.
fn line_of(line: &str) -> String {
    let line = line.trim_start();
    let n_digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (start, rest) = line.split_at(n_digits);
    let marks = if n_digits > 0 { &['.', ')'][..] } else { &['-', '+', '='][..] };
    let guard = if rest.starts_with(marks) { "\\" } else { "" };
    format!("{start}{guard}{}", escape(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let check = |text: &str, expected: &str| {
            let mut page = Page::default();
            page.quote(text);
            assert_eq!(page.finish(), format!("{expected}\n"), "{text:?}");
        };
        check("plain words", "> plain words");
        check("![x](http://a)", "> !\\[x\\](http://a)");
        check("<img src=x>", "> \\<img src=x\\>");
        check("# big\n- item\n1. one\n===", "> \\# big\\\n> \\- item\\\n> 1\\. one\\\n> \\===");
        check("    code", "> code");
        check("a\n\nb>\nc", "> a\n>\n> b\\>\\\n> c");
        check("red \u{1b}[31m", "> red \u{fffd}\\[31m");
        check("", "");
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 2), "äö ... (2 more characters)");
    }
}
