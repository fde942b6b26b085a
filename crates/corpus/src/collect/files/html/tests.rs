//! Pages written by us in the ways pages are built.

use expect_test::{Expect, expect};

use super::super::tests::{assert_accounted, posts, with_source};
use super::super::{Reading, chars};
use super::FORMAT;
use crate::Settings;
use crate::issue::Code;

fn read(text: &str) -> Reading {
    let reading = with_source("p.html", text, &Settings::default(), |source| (FORMAT.read)(source));
    assert_accounted(&reading, chars(text));
    reading
}

fn check(text: &str, expected: Expect) {
    let reading = read(text);
    expected.assert_eq(&posts(&reading));
}

#[test]
fn the_article_is_kept_and_the_page_is_not() {
    check(
        "<!DOCTYPE html><html><head><title>Tea | A site</title><meta property=\"article:published_time\" content=\"2020-01-02\"></head>\n\
         <body><nav><a href=/>Home</a></nav><article class=post><header><h1>On <i>Tea</i></h1></header>\n<p>It is wet.</p><p>Mostly &amp; hot.\n\
         <div class=\"share buttons\">Share this</div></article><section id=\"comments\"><p>Lovely post!</p></section>\
         <aside>Buy tea</aside><footer>© A site</footer><script>var x = '<article>';</script></body></html>",
        expect![[r#"
            On Tea: "It is wet.\n\nMostly & hot." Some("2020-01-02")
            html tags and the page around the text: 376
            readers' comments: 52
        "#]],
    );
    check(
        "<html><body><article><h2>One</h2><p>First piece of some length.</p></article>\
         <article><h2>Two</h2><p>Second piece of some length.</p></article></body></html>",
        expect![[r#"
            One: "First piece of some length." None
            Two: "Second piece of some length." None
            html tags and the page around the text: 96
        "#]],
    );
    check(
        "<p>Nothing but a paragraph",
        expect![[r#"
        -: "Nothing but a paragraph" None
        html tags and the page around the text: 3
    "#]],
    );
}

#[test]
fn quotations_are_other_peoples_words() {
    check(
        "<article><p>He says:</p><blockquote><p>Never tea.</p></blockquote><p>I do.</p></article>",
        expect![[r#"
            -: "He says:\n\nI do." None
            html tags and the page around the text: 31
            quotations of others: 42
        "#]],
    );
}

#[test]
fn walls_and_error_pages_are_no_writing() {
    for words in ["Please enable JavaScript to continue.", "404 Not Found", "Log in to continue reading"] {
        let reading = read(&format!("<html><body><main><p>{words}</p></main></body></html>"));
        assert!(reading.documents.is_empty());
        assert_eq!(reading.issues[0].code, Code::Blocked, "{words}");
    }
}

#[test]
fn a_page_of_a_hundred_thousand_levels_is_read() {
    let deep = "<div>".repeat(100_000) + "deep" + &"</div>".repeat(100_000);
    assert_eq!(read(&deep).documents[0].voice(), "deep");
    let blank = "\n ".repeat(300_000) + "x";
    assert_eq!(read(&blank).documents[0].voice(), "x");
    let open = "<script><!-- <".repeat(50_000);
    assert!(read(&open).documents.is_empty());
}
