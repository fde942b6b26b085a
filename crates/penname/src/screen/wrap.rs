//! Text in the width there is, and nothing in it that could command a terminal.

/// Columns a text takes on a terminal. An estimate: terminals disagree about emoji.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

fn width(c: char) -> usize {
    match u32::from(c) {
        0..0x20 | 0x7f..0xa0 => 0,
        0x300..0x370 | 0x200b..0x2010 | 0xfe00..0xfe10 => 0,
        0x1100..0x1160 | 0x2e80..0xa4d0 | 0xac00..0xd7a4 | 0xf900..0xfb00 => 2,
        0xfe30..0xfe70 | 0xff00..0xff61 | 0xffe0..0xffe7 => 2,
        0x1f300..0x1fb00 | 0x20000..0x3fffe => 2,
        _ => 1,
    }
}

/// The text with control characters shown instead of obeyed. Line breaks and tabs stay.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if text.chars().all(shown) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if shown(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// Breaks lines at spaces so that they fit; what follows a break is indented. A word longer than a
/// line stays whole, so that paths can be copied.
pub(crate) fn wrap(text: &str, columns_wide: usize, indent: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrap_line(line, columns_wide, indent)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, columns_wide: usize, indent: usize) -> String {
    if columns(line) <= columns_wide {
        return line.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for (idx, word) in line.split(' ').enumerate() {
        let wide = columns(word);
        if idx > 0 && used + 1 + wide > columns_wide && used > indent {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if idx > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += wide;
    }
    out
}

/// The text cut to this many columns, with an ellipsis where something is gone, on one line.
pub(crate) fn shorten(text: &str, columns_wide: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if columns(&line) <= columns_wide {
        return line;
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in line.chars() {
        if used + width(c) + 1 > columns_wide {
            break;
        }
        used += width(c);
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_hang() {
        let check = |text, expected: &str| assert_eq!(wrap(text, 12, 2), expected);
        check("short", "short");
        check("one two three four", "one two\n  three four");
        check("  keeps its indent", "  keeps its\n  indent");
        check("a-word-longer-than-a-line", "a-word-longer-than-a-line");
        check("see /a/very/long/path/indeed ok", "see\n  /a/very/long/path/indeed\n  ok");
        check("日本語 日本語 x", "日本語\n  日本語 x");
    }

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\n\tc\u{9b}"), "a\\u{1b}[2Jb\n\tc\\u{9b}");
        assert_eq!(harmless("plain é"), "plain é");
    }

    #[test]
    fn shortening_shows_that_it_did() {
        let check = |text, expected: &str| assert_eq!(shorten(text, 6), expected);
        check("short", "short");
        check("longer one", "longe…");
        check("a\nb", "a b");
        check("日本語日本", "日本…");
    }
}
