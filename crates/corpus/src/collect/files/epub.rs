//! Books in EPUB: the chapters of the spine, in order, without cover, contents and notes on rights.
//!
//! A book under a lock is not opened; the reason is said.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::super::archive::Archive;
use super::html::{place, words_of};
use super::open::{self, Opened, Opener};
use super::xml::{self, Event, attribute, unescape};
use super::{Format, Reading, Source, extension};
use crate::Settings;
use crate::document::Title;
use crate::encoding::{self, Decoded};
use crate::issue::{Code, Issue, Severity};

/// Reason for everything that is no writing.
const MARKUP: &str = "book markup";
/// Stands between two chapters; no text holds it, because control characters are cut from texts.
const CHAPTER: char = '\u{1c}';
/// Kinds of chapters that are not the author's text.
const FRONT: &[&str] = &[
    "cover",
    "toc",
    "titlepage",
    "copyright",
    "copyright-page",
    "landmarks",
    "index",
    "colophon",
    "imprint",
];
/// Ways to scramble fonts only, which lock nothing.
const FONTS: &[&str] = &["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

pub(super) const FORMAT: Format = Format {
    name: "epub",
    about: "a book in EPUB 2 or 3 without a lock",
    needs: "",
    yields: "chapters",
    plain: false,
    decodes_entities: true,
    claims: |_| None,
    read,
};

pub(super) const OPENER: Opener = Opener { takes, open };

fn takes(name: &str, bytes: &[u8]) -> bool {
    let says = || bytes.windows(20).take(100).any(|window| window == b"application/epub+zip");
    extension(name) == "epub" || (bytes.starts_with(b"PK") && says())
}

fn open(bytes: &[u8], settings: &Settings) -> open::Result {
    let broken = |why: String| (Code::Archive, why);
    let mut archive = Archive::open(Cursor::new(bytes), settings.max_file_bytes).map_err(broken)?;
    if is_locked(&text(&mut archive, "META-INF/encryption.xml")) {
        let why = "the book is locked (DRM); penname opens no locks: use a copy without one";
        return Err((Code::Locked, why.to_owned()));
    }
    let container = text(&mut archive, "META-INF/container.xml");
    let root = first(&container, "rootfile", "full-path")
        .ok_or_else(|| broken("a book without a package file".to_owned()))?;
    let spine = spine(&text(&mut archive, &root), &root);
    let mut whole = Decoded {
        text: String::new(),
        encoding: "UTF-8",
        confidence: 1.0,
        replaced: 0,
        given: 0,
        cuts: Vec::new(),
    };
    let mut notes = Vec::new();
    for name in spine {
        let chapter = archive.read(&name).map_err(|why| why.to_string());
        let chapter = chapter.and_then(|bytes| encoding::decode(&bytes).map_err(str::to_owned));
        match chapter {
            Ok(chapter) => append(&mut whole, chapter),
            Err(why) => {
                notes.push((Code::Archive, Severity::Part, format!("chapter `{name}` is not read: {why}")))
            }
        }
    }
    let format = Some((&FORMAT, "it is a book in EPUB"));
    Ok(Opened { format, notes, empty: Some("a book without chapters"), ..Opened::new(whole) })
}

fn append(whole: &mut Decoded, chapter: Decoded) {
    whole.text.push_str(&chapter.text);
    whole.text.push(CHAPTER);
    whole.given += chapter.given + 1;
    whole.replaced += chapter.replaced;
    whole.confidence = whole.confidence.min(chapter.confidence);
    whole.cuts.extend(chapter.cuts);
}

/// A small file of the archive as text, empty where it is not there.
fn text(archive: &mut Archive<Cursor<&[u8]>>, name: &str) -> String {
    let bytes = archive.read(name).unwrap_or_default();
    encoding::decode(&bytes).map(|decoded| decoded.text).unwrap_or_default()
}

/// The first attribute of that name of the first element of that name.
fn first(text: &str, element: &str, name: &str) -> Option<String> {
    let mut found = None;
    let _torn = xml::walk(text, |event| {
        if let Event::Start { name: this, attributes } = event
            && found.is_none()
            && local(&this) == element
        {
            found = attribute(&attributes, name);
        }
    });
    found
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn is_locked(encryption: &str) -> bool {
    let mut is_locked = false;
    let _torn = xml::walk(encryption, |event| {
        if let Event::Start { name, attributes } = event
            && local(&name) == "EncryptionMethod"
        {
            let algorithm = attribute(&attributes, "Algorithm").unwrap_or_default();
            is_locked |= !FONTS.contains(&algorithm.as_str());
        }
    });
    is_locked
}

/// The chapters of a package file, in order, as names in the archive.
fn spine(package: &str, root: &str) -> Vec<String> {
    let folder = root.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let mut items: BTreeMap<String, String> = BTreeMap::new();
    let mut order = Vec::new();
    let _torn = xml::walk(package, |event| {
        let Event::Start { name, attributes } = event else { return };
        let get = |name| attribute(&attributes, name).unwrap_or_default();
        match local(&name) {
            "item" if get("properties").split(' ').any(|p| p == "nav") => {}
            "item" if get("media-type").contains("html") => {
                items.insert(get("id"), get("href"));
            }
            "itemref" if get("linear") != "no" => order.push(get("idref")),
            _ => {}
        }
    });
    let name = |id: &String| items.get(id).map(|href| inside(&folder, href));
    order.iter().filter_map(name).collect()
}

/// A link of a package file as a name in the archive.
fn inside(folder: &str, href: &str) -> String {
    let path = format!("{folder}{}", unpercent(href.split('#').next().unwrap_or(href)));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn unpercent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = (*byte == b'%').then(|| after.get(..2)).flatten();
        let code = code
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    for chapter in source.text.split(CHAPTER).filter(|chapter| !chapter.trim().is_empty()) {
        let (title, body) = heading(chapter);
        if kind(chapter).is_some_and(|kind| FRONT.contains(&kind.as_str())) {
            reading.tally.drop("cover, contents and imprint", super::chars(chapter));
            continue;
        }
        let title = title.map(|text| Title { text, given: true });
        place(source, &words_of(body), title, None, &mut reading);
    }
    if reading.documents.is_empty() {
        reading.issues.push(Issue::new(
            source.path,
            Code::NoRecords,
            Severity::Note,
            "no chapter holds text",
        ));
    }
    reading.close(source.text, MARKUP);
    reading
}

/// What a chapter says it is.
fn kind(chapter: &str) -> Option<String> {
    let at = chapter.find("epub:type=")?;
    let rest = chapter[at + "epub:type=".len()..].strip_prefix(['"', '\''])?;
    let value = rest.split(['"', '\'']).next()?;
    value.split_whitespace().map(str::to_lowercase).find(|kind| FRONT.contains(&kind.as_str()))
}

/// The heading a chapter opens with, and what follows it.
fn heading(chapter: &str) -> (Option<String>, &str) {
    let body = chapter.find("<body").map_or(chapter, |at| &chapter[at..]);
    let opens = ["<h1", "<h2", "<h3"].iter().filter_map(|tag| body.find(tag)).min();
    let found = opens.and_then(|at| {
        let level = body.get(at + 1..at + 3)?;
        let end = at + body[at..].find(&format!("</{level}>"))?;
        let is_first = words_of(&body[..at]).is_empty();
        let title = unescape(&words_of(&body[at..end])).replace('\n', " ").trim().to_owned();
        (is_first && !title.is_empty()).then(|| (title, &body[end + 5..]))
    });
    match found {
        Some((title, rest)) => (Some(title), rest),
        None => (None, body),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::archive::tests::packed;
    use super::super::tests::with_source;
    use super::*;

    const CONTAINER: &[u8] =
        br#"<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"#;
    const PACKAGE: &[u8] = br#"<package><manifest><item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
        <item id="c" href="cover.xhtml" media-type="application/xhtml+xml"/><item id="a" href="one%20a.xhtml" media-type="application/xhtml+xml"/>
        <item id="b" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>
        <spine><itemref idref="n"/><itemref idref="c"/><itemref idref="a"/><itemref idref="b"/></spine></package>"#;

    fn book(more: &[(&str, &[u8])]) -> Vec<u8> {
        let mut members: Vec<(&str, &[u8])> = vec![
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", CONTAINER),
            ("OEBPS/book.opf", PACKAGE),
            ("OEBPS/nav.xhtml", b"<html><body><p>Contents</p></body></html>"),
            ("OEBPS/cover.xhtml", b"<html><body epub:type=\"cover\"><p>A cover</p></body></html>"),
            ("OEBPS/one a.xhtml", "<html><body><h1>The <i>Kettle</i></h1><p>It sang &amp; sang.</p><p>Né à l’eau.</p></body></html>".as_bytes()),
        ];
        members.extend(more);
        packed(&members)
    }

    #[test]
    fn chapters_are_read_in_order_of_the_spine() {
        let settings = Settings::default();
        let opened = open::open("a.epub", &book(&[]), &settings).unwrap();
        assert_eq!(opened.notes[0].2, "chapter `OEBPS/gone.xhtml` is not read: it is not in the archive");
        let text = &opened.decoded.text;
        let reading = with_source("a.epub", text, &settings, |s| (FORMAT.read)(s));
        let seen: Vec<_> =
            reading.documents.iter().map(|d| (d.title.as_ref().unwrap().text.as_str(), d.voice())).collect();
        assert_eq!(seen, [("The Kettle", "It sang & sang.\n\nNé à l’eau.".to_owned())]);
        let held: u64 = reading.documents.iter().map(|d| d.given).sum();
        assert_eq!(opened.decoded.given + reading.tally.added, held + reading.tally.dropped_chars());
        assert!(reading.tally.dropped.contains_key("cover, contents and imprint"));
    }

    #[test]
    fn a_lock_is_told_and_scrambled_fonts_are_none() {
        let lock = |algorithm: &str| {
            let xml = format!(
                "<encryption><EncryptedData><EncryptionMethod Algorithm=\"{algorithm}\"/></EncryptedData></encryption>"
            );
            open::open("a.epub", &book(&[("META-INF/encryption.xml", xml.as_bytes())]), &Settings::default())
        };
        assert_eq!(lock("http://www.w3.org/2001/04/xmlenc#aes128-cbc").unwrap_err().0, Code::Locked);
        assert!(lock(FONTS[0]).is_ok());
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let bomb = vec![b' '; 300_000];
        let settings = Settings { max_file_bytes: 100_000, ..Settings::default() };
        let opened = open::open("a.epub", &book(&[("OEBPS/gone.xhtml", &bomb)]), &settings).unwrap();
        assert!(opened.notes[0].2.contains("it unpacks to more than `max_file_bytes`"), "{:?}", opened.notes);
    }
}
