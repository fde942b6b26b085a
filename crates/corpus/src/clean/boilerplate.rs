//! Lines that a page puts around every text: buttons to share it, calls to subscribe.
//!
//! Whole lines only, and only such as nobody writes; a sentence that speaks of subscribing stays.

use super::{Cleaner, Effect, Scope, Traits, lines};
use crate::edit::Edit;

const NAME: &str = "boilerplate";

/// Longest line looked at, in bytes.
const MAX_LINE: usize = 120;

/// Whole lines, in lower case, without marks at the end; in order, so that they can be looked up.
const LINES: &[&str] = &[
    "advertisement",
    "advertisements",
    "all rights reserved",
    "back to top",
    "blogthis!",
    "click here to read more",
    "continue reading",
    "continue reading →",
    "email this",
    "enable javascript to view comments",
    "leave a comment",
    "leave a reply",
    "like loading",
    "like this",
    "loading",
    "next post",
    "no comments",
    "no comments yet",
    "pin it",
    "post a comment",
    "press enter or click to view image in full size",
    "previous post",
    "print this page",
    "read more",
    "related articles",
    "related posts",
    "report this ad",
    "share on facebook",
    "share on linkedin",
    "share on twitter",
    "share on x",
    "share this",
    "share this article",
    "share this post",
    "sign up for our newsletter",
    "skip to content",
    "skip to main content",
    "sponsored content",
    "subscribe now",
    "subscribe to our newsletter",
    "tweet this",
    "view all comments",
    "you may also like",
];

/// Beginnings of lines that are such throughout, in lower case.
const BEGINNINGS: &[&str] = &[
    "click to share on ",
    "click to email ",
    "click to print ",
    "share on facebook ",
    "posted in uncategorized",
    "filed under: ",
    "please enable javascript",
    "this site uses akismet",
    "powered by wordpress",
    "proudly powered by ",
    "subscribe to our newsletter",
    "copyright ©",
    "© copyright ",
];

pub(super) const CLEANER: Cleaner = Cleaner {
    name: NAME,
    about: "whole lines that pages put around a text: `Share this`, `Leave a comment`, `Advertisement`",
    effect: Effect::Noise,
    scope: Scope::Passage,
    find,
};

fn find(text: &str, _: &Traits) -> Vec<Edit> {
    let is_such = |line: &str| {
        let line = line.trim();
        if line.is_empty() || line.len() > MAX_LINE {
            return false;
        }
        let line = line.to_lowercase();
        let plain = line.trim_end_matches([':', '…', '.', '»', ' ']);
        LINES.binary_search_by(|known| (*known).cmp(plain)).is_ok()
            || BEGINNINGS.iter().any(|b| line.starts_with(b))
    };
    let such = lines(text).filter(|(_, line)| is_such(line));
    such.map(|(at, line)| Edit::cut(at..(at + line.len() + 1).min(text.len()), NAME)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::{CLEANER, LINES};

    #[test]
    fn lines_of_pages_go_and_sentences_stay() {
        check(
            &CLEANER,
            "It sang.\nShare this:\nClick to share on Twitter (Opens)\nAnd so on.\n",
            "It sang.\nAnd so on.\n",
        );
        check(&CLEANER, "Read more books.\nLoading the kettle.", "Read more books.\nLoading the kettle.");
    }

    #[test]
    fn every_line_is_found() {
        LINES.iter().for_each(|line| check(&CLEANER, line, ""));
    }
}
