//! Markdown, with or without front matter, as blogs keep it: one post per file.
//!
//! Front matter gives the title and the date; everything else in it, above all the comments of
//! readers that some exports put there, is other people's words or machinery and is never
//! trained. What is left becomes plain text in five steps, each a list of edits: the front matter
//! goes, then template tags, then quotations of others, then marks and HTML.

mod flatten;
mod front;
mod quotation;
mod template;

use super::html::quotation::QUOTED;
use super::partition::Partition;
use super::{Claim, Format, Reading, Source, chars, claim, extension, section};
use crate::document::{Body, Document, Kind, Title};
use crate::edit;
use crate::issue::{Code, Issue, Severity};
use crate::provenance::Author;

pub(super) const FORMAT: Format = Format {
    name: "markdown",
    about: "a post in Markdown, with or without front matter",
    needs: "",
    yields: "post",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let extension = extension(source.path);
    match () {
        () if front::split(source.text).is_closed => claim(80, "the text begins with front matter"),
        () if matches!(extension.as_str(), "md" | "markdown" | "mdown" | "mkd") => {
            claim(40, format!("the name ends in .{extension}"))
        }
        () => None,
    }
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let front = front::read(source.text);
    let issue = |code, severity, detail: &str| Issue::new(source.path, code, severity, detail);
    if let Some((line, why)) = &front.broken {
        reading.issues.push(issue(Code::FrontMatter, Severity::Note, why).at(*line));
    }
    if !source.settings.drafts && (front.is_draft || is_draft_path(source.path)) {
        reading.tally.drop("drafts", chars(source.text));
        reading.issues.push(issue(Code::Draft, Severity::Skipped, "marked as a draft or unpublished"));
        return reading;
    }
    let body = &source.text[front.body..];
    let tagless = edit::apply(body, template::find(body));
    let quoted = match source.settings.quotations {
        true => Vec::new(),
        false => quotation::find(&tagless.text, QUOTED),
    };
    let own = edit::apply(&tagless.text, quoted);
    let flat = edit::apply(&own.text, flatten::find(&own.text));
    [&tagless, &own, &flat].iter().for_each(|edited| reading.tally.absorb(&edited.cuts));
    reading.tally.drop("readers' comments", front.comment_chars);

    let (named_date, slug) = from_name(source.path);
    let title = front.title.map(|text| Title { text, given: true });
    let title = title.or_else(|| slug.map(|text| Title { text, given: false }));
    let title_chars = title.as_ref().filter(|t| t.given).map_or(0, |t| chars(&t.text));
    let front_chars = chars(&source.text[..front.body]) - front.comment_chars;
    reading.tally.settle("front matter", front_chars, title_chars);

    if section::is_long(source, &flat.text) {
        let mut partition = Partition::new(&flat.text);
        reading.documents = section::divide(source, &flat.text, &mut partition, title);
        reading.tally.merge(&partition.finish());
    } else {
        reading.documents.push(Document::new(source.path, 0, Kind::Post, title, Body::Text(flat.text)));
    }
    let date = front.date.or(named_date);
    for document in &mut reading.documents {
        document.date.clone_from(&date);
        document.provenance.author = front.author.clone().map(|name| Author { name, id: None });
        document.flags.extend(front.broken.as_ref().map(|_| "unreadable front matter".to_owned()));
    }
    reading
}

fn is_draft_path(path: &str) -> bool {
    path.split('/').any(|part| part == "_drafts")
}

/// The date and title in a name such as `2014-01-09-a-journey.md`, as Jekyll has it.
fn from_name(path: &str) -> (Option<String>, Option<String>) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let shape = |date: &str| {
        date.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
    };
    match stem.split_at_checked(10) {
        Some((date, slug)) if shape(date) => {
            let title = slug.trim_matches('-').replace('-', " ");
            (Some(date.to_owned()), (!title.is_empty()).then_some(title))
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_with;
    use super::super::tests::{assert_accounted, with_source};
    use super::*;

    #[test]
    fn comments_in_front_matter_are_nobodys_text() {
        let text = "---\ntitle: \"Tea &amp; toast\"\ndate: 2014-01-09 10:08:20 +0000\ncomments:\n  - author: X\n    content: |\n      \
                    Lovely tea.\n\n      ---\n\n      More.\ntags: [a]\n---\n\nI had *tea*.\n";
        let reading = read_with(&FORMAT, "p.md", text);
        let document = &reading.documents[0];
        assert_eq!(document.voice().trim(), "I had tea.");
        assert_eq!(document.title.as_ref().unwrap().text, "Tea &amp; toast");
        assert_eq!(document.date.as_deref(), Some("2014-01-09 10:08:20 +0000"));
        assert!(reading.tally.dropped["readers' comments"] > 60);
    }

    #[test]
    fn quotations_are_other_peoples_words_unless_the_settings_say_no() {
        let text = "He says:\n\n> Never tea.\n\nI do.\n\n<blockquote>Nor *toast*.</blockquote>\n";
        let read = |quotations| {
            let settings = crate::Settings { quotations, ..crate::Settings::default() };
            let reading = with_source("p.md", text, &settings, |source| (FORMAT.read)(source));
            assert_accounted(&reading, chars(text));
            (reading.documents[0].voice().trim().to_owned(), reading.tally.dropped.contains_key(QUOTED))
        };
        assert_eq!(read(false), ("He says:\n\nI do.".to_owned(), true));
        assert_eq!(read(true), ("He says:\n\n> Never tea.\n\nI do.\n\nNor *toast*.".to_owned(), false));
    }

    #[test]
    fn drafts_are_left_out_with_a_reason() {
        for (path, text) in [
            ("a.md", "---\npublished: false\n---\nx"),
            ("_drafts/a.md", "x"),
            ("a.md", "---\ndraft: true\n---\nx"),
        ] {
            let reading = read_with(&FORMAT, path, text);
            assert!(reading.documents.is_empty());
            assert_eq!(reading.issues[0].code, Code::Draft);
        }
    }

    #[test]
    fn names_give_what_front_matter_does_not() {
        let name = |path| from_name(path);
        assert_eq!(name("x/2014-01-09-a-journey.md"), (Some("2014-01-09".into()), Some("a journey".into())));
        assert_eq!(name("notes.md"), (None, None));
        assert_eq!(name("2014-01-09.md"), (Some("2014-01-09".into()), None));
    }
}
