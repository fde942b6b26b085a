//! Text cut into the words that pieces are learned inside of.
//!
//! A piece never reaches across a line, from one word into the next, from letters into punctuation,
//! or across a digit. The space before a word belongs to it; more spaces are a word of their own.

use crate::sentencepiece::SPACE;

/// Sorts of characters that are not mixed in a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Space,
    Letter,
    Digit,
    Other,
    /// Left to bytes.
    Rare,
}

/// The words of a text, spaces written as [`SPACE`]. Characters that are not `kept` part words.
pub(super) fn words(text: &str, kept: impl Fn(char) -> bool) -> Vec<String> {
    let mut words = Words::default();
    for line in text.lines() {
        words.push(SPACE, Sort::Space);
        for c in line.chars() {
            let c = if c == ' ' { SPACE } else { c };
            words.push(c, if kept(c) { sort(c) } else { Sort::Rare });
        }
        words.close();
    }
    words.done
}

fn sort(c: char) -> Sort {
    match c {
        SPACE => Sort::Space,
        c if c.is_numeric() => Sort::Digit,
        c if c.is_alphabetic() => Sort::Letter,
        _ => Sort::Other,
    }
}

#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
    last: Option<Sort>,
}

impl Words {
    fn push(&mut self, c: char, sort: Sort) {
        match (self.last, sort) {
            (Some(last), sort) if last == sort && sort != Sort::Digit => {}
            // One space goes with the word after it.
            (Some(Sort::Space), Sort::Letter | Sort::Other) => self.keep_one_space(),
            _ => self.close(),
        }
        self.last = Some(sort);
        if sort != Sort::Rare {
            self.word.push(c);
        }
    }

    fn keep_one_space(&mut self) {
        self.word.pop();
        self.close();
        self.word.push(SPACE);
    }

    fn close(&mut self) {
        if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_pieces_end() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(words(text, |c| c != 'ж'), expected, "{text:?}");
        };
        check("The cat", &["▁The", "▁cat"]);
        check("don't stop!", &["▁don", "'", "t", "▁stop", "!"]);
        check("in 1984, \"so\"", &["▁in", "▁", "1", "9", "8", "4", ",", "▁\"", "so", "\""]);
        check("   deep", &["▁▁▁", "▁deep"]);
        check("a  ", &["▁a", "▁▁"]);
        check("one\n\ntwo", &["▁one", "▁", "▁two"]);
        check("aжb", &["▁a", "b"]);
        check("", &[]);
    }
}
