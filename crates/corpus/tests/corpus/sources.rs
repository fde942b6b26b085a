//! Sources as files: archives, exports with files beside them, books, PDF, and the bad ones among them.

use std::fmt::Write;
use std::io::{Cursor, Write as _};
use std::sync::Once;

use expect_test::{Expect, expect};
use penname_corpus::collect::collect;
use penname_corpus::collect::files::pdf;
use penname_corpus::document::{Body, Speaker};
use penname_corpus::issue::Severity;
use penname_corpus::{Settings, prepare};
use penname_ledger::Seed;
use penname_ledger::event::Silent;
use zip::write::SimpleFileOptions;

use super::folder;

fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What a folder gives, before anything is held out: documents, losses, findings.
fn check(files: &[(&str, &[u8])], settings: &Settings, expected: Expect) {
    let dir = folder(files);
    let settings = Settings { max_bad_share: 1.0, ..settings.clone() };
    let collected = collect(dir.path(), &settings, &Silent).unwrap();
    let held: u64 = collected.documents.iter().map(|document| document.chars()).sum();
    assert_eq!(collected.given + collected.tally.added, held + collected.tally.dropped_chars());
    let mut seen = String::new();
    for document in &collected.documents {
        let title = document.title.as_ref().map_or(String::new(), |title| format!(" {:?}", title.text));
        match &document.body {
            Body::Text(text) => write!(seen, "{}{title}: {text:?}", document.path).unwrap(),
            Body::Turns(turns) => {
                let side = |speaker| if speaker == Speaker::Voice { "V" } else { "O" };
                let turns: Vec<_> =
                    turns.iter().map(|turn| format!("{} {:?}", side(turn.speaker), turn.text)).collect();
                write!(seen, "{}: {}", document.path, turns.join(" / ")).unwrap();
            }
        }
        let flags = if document.flags.is_empty() { String::new() } else { format!(" {:?}", document.flags) };
        writeln!(seen, "{flags}").unwrap();
    }
    for issue in &collected.issues {
        writeln!(seen, "{} {:?} {:?}: {}", issue.path, issue.severity, issue.code, issue.detail).unwrap();
    }
    expected.assert_eq(&seen);
}

fn ann() -> Settings {
    Settings { voice: vec!["Ann Lee".into()], ..Settings::default() }
}

#[test]
fn an_archive_is_read_as_a_folder_and_refuses_what_it_must() {
    let day = br#"[{"type":"message","user":"U7","ts":"1706702400.0","text":"up, <@U9>?"},{"type":"message","user":"U9","ts":"1706702401.0","text":"no"}]"#;
    let users = br#"[{"id":"U7","name":"bob"},{"id":"U9","name":"ann","profile":{"real_name":"Ann Lee"}}]"#;
    let bomb = vec![b'x'; 50_000];
    let export = packed(&[
        ("users.json", users),
        ("general/2024-01-31.json", day),
        ("../evil.txt", b"out of here"),
        ("more.zip", b"PK\x03\x04"),
        ("bomb.txt", &bomb),
        ("photo.jpg", b"\xff\xd8\xff"),
        ("__MACOSX/._x", b"x"),
    ]);
    let settings = Settings { max_file_bytes: 20_000, ..ann() };
    check(
        &[("slack.zip", &export), ("torn.zip", b"PK\x03\x04torn")],
        &settings,
        expect![[r#"
        slack.zip/general/2024-01-31.json: O "up, @Ann Lee?" / V "no"
        slack.zip/../evil.txt Bad Archive: not read: its name leads out of the archive
        slack.zip/__MACOSX/._x Skipped Hidden: hidden
        slack.zip/bomb.txt Bad Archive: not read: it unpacks to more than `max_file_bytes`
        slack.zip/more.zip Bad Archive: an archive inside an archive is not opened
        slack.zip/photo.jpg Skipped NotWriting: a picture, sound or font
        slack.zip/users.json Skipped NotWriting: a list of people or channels
        torn.zip Bad Archive: a damaged zip archive: invalid Zip archive: Could not find EOCD
    "#]],
    );
}

#[test]
fn a_source_can_be_tried_with_one_document_of_each_kind() {
    let files: &[(&str, &[u8])] = &[
        ("a.txt", b"It rains."),
        ("b.txt", b"It pours."),
        ("c.jsonl", b"{\"question\":\"1\",\"answer\":\"a\"}\n{\"question\":\"2\",\"answer\":\"b\"}\n"),
    ];
    check(
        files,
        &Settings { limit: Some(1), ..Settings::default() },
        expect![[r#"
        a.txt: "It rains."
        c.jsonl: O "1" / V "a"
    "#]],
    );
}

#[test]
fn the_person_is_asked_whose_voice_it_is() {
    let log =
        b"[10:00] <bob> up?\n[10:01] <ann> no\n[10:02] <bob> tea?\n[10:03] <ann> yes\n[10:04] <bob> good\n";
    let dir = folder(&[("room.log", log)]);
    let error = prepare(dir.path(), &Settings::default(), Seed(7), &Silent).unwrap_err().to_string();
    let start = "1 of 1 files could not be used, more than the allowed 20 %; first: `room.log`: whose voice is it? name one of \
                 them in `corpus.voice`: bob (3), ann (2)";
    assert_eq!(error, start);
    let mut settings = Settings { voice: vec!["ann".into()], ..Settings::default() };
    settings.split.share = 0.0;
    let prepared = prepare(dir.path(), &settings, Seed(7), &Silent).unwrap();
    let said: Vec<_> = prepared.train[0].messages.iter().map(|m| m.content.as_str()).collect();
    assert_eq!(said, ["up?", "no", "tea?", "yes"]);
}

/// A PDF with these lines on its pages; a page without lines holds a picture.
fn pdf_of(pages: &[&[&str]]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>\nstream\nx\nendstream".to_owned(),
    ];
    let mut kids = String::new();
    for lines in pages {
        let words: String = lines.iter().map(|line| format!("({line}) Tj 0 -14 Td ")).collect();
        let content =
            if lines.is_empty() { "/I Do".to_owned() } else { format!("BT /F 12 Tf 72 720 Td {words}ET") };
        let page = objects.len() + 1;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {} 0 R /Resources << /Font << /F 3 0 R >> /XObject << /I 4 0 R >> >> >>",
            page + 1
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
        write!(kids, "{page} 0 R ").unwrap();
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len());
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (idx, object) in objects.iter().enumerate() {
        places.push(out.len());
        write!(out, "{} 0 obj\n{object}\nendobj\n", idx + 1).unwrap();
    }
    let list = out.len();
    write!(out, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    places.iter().for_each(|place| writeln!(out, "{place:010} 00000 n ").unwrap());
    write!(out, "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{list}\n%%EOF\n", objects.len() + 1)
        .unwrap();
    out.into_bytes()
}

/// The example that is built beside these tests is also the process that reads one PDF.
fn with_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let own = std::env::current_exe().unwrap();
        let example = own.parent().unwrap().with_file_name("examples").join("prepare");
        let program = example.with_extension(own.extension().unwrap_or_default());
        assert!(program.exists(), "{} is not there: cargo test builds it", program.display());
        pdf::host(program, vec!["--read-pdf".into()], vec!["wrong".to_owned(), "kettle".to_owned()]);
    });
}

#[test]
fn words_are_found_in_pdf_and_every_odd_file_gets_a_verdict() {
    with_children();
    let head = "THE KETTLE BOOK";
    let text: &[&[&str]] = &[
        &[head, "It sings at night and I let it.", "1"],
        &[head, "In the morning it is quiet.", "2"],
        &[head, "Then it sings again.", "3"],
    ];
    let whole = pdf_of(text);
    let end = whole.windows(4).position(|window| window == b"xref").unwrap();
    let junk = [b"junk before it\n", &whole[..]].concat();
    let cyclic = String::from_utf8(pdf_of(&[&["x"]]))
        .unwrap()
        .replace("/Kids [5 0 R ]", "/Kids [2 0 R ]")
        .into_bytes();
    let files: &[(&str, &[u8])] = &[
        ("1 whole.pdf", &whole),
        ("2 cut off.pdf", &whole[..end]),
        ("3 junk.pdf", &junk),
        ("4 scanned.pdf", &pdf_of(&[&[], &[]])),
        ("5 mixed.pdf", &pdf_of(&[&["One page of it was written down."], &[]])),
        ("6 empty.pdf", b""),
        ("7 page.pdf", b"<!DOCTYPE html><html><body>404</body></html>"),
        ("8 cyclic.pdf", &cyclic),
        ("9 noise.pdf", b"%PDF-1.7\n\x00\x01\x02 not much else"),
    ];
    let mut settings = Settings::default();
    settings.dedupe.exact = false;
    check(
        files,
        &settings,
        expect![[r#"
        1 whole.pdf: "It sings at night and I let it.\n\n\nIn the morning it is quiet.\n\n\nThen it sings again."
        2 cut off.pdf: "It sings at night and I let it.\n\n\nIn the morning it is quiet.\n\n\nThen it sings again." ["repaired"]
        3 junk.pdf: "It sings at night and I let it.\n\n\nIn the morning it is quiet.\n\n\nThen it sings again."
        5 mixed.pdf: "One page of it was written down."
        2 cut off.pdf Note Pdf: the file is broken and was read after repair
        4 scanned.pdf Bad Scanned: its 2 pages are pictures: have the text recognised first, for example by ocrmypdf
        5 mixed.pdf Part Scanned: 1 of 2 pages are pictures without text: 2
        6 empty.pdf Bad Empty: not a PDF: the file has no bytes
        7 page.pdf Bad Binary: not a PDF: looks like an HTML page (404?)
        8 cyclic.pdf Bad Pdf: the PDF has no pages
        9 noise.pdf Bad Pdf: the PDF has no pages
    "#]],
    );
}

/// The same file under a lock.
fn locked(bytes: &[u8], owner: &str, user: &str) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(bytes).unwrap();
    let id = || lopdf::Object::string_literal(*b"sixteen letters!");
    document.trailer.set("ID", lopdf::Object::Array(vec![id(), id()]));
    let lock = lopdf::EncryptionVersion::V2 {
        document: &document,
        owner_password: owner,
        user_password: user,
        key_length: 128,
        permissions: lopdf::Permissions::empty(),
    };
    let lock = lopdf::EncryptionState::try_from(lock).unwrap();
    document.encrypt(&lock).unwrap();
    let mut out = Vec::new();
    document.save_to(&mut out).unwrap();
    out
}

#[test]
fn locks_open_with_a_password_that_is_known_and_owners_locks_without_one() {
    with_children();
    let open = pdf_of(&[&["It sings at night and I let it."]]);
    let files: &[(&str, &[u8])] = &[
        ("1 owner.pdf", &locked(&open, "secret", "")),
        ("2 known.pdf", &locked(&open, "secret", "kettle")),
        ("3 unknown.pdf", &locked(&open, "secret", "teapot")),
    ];
    let mut settings = Settings { max_bad_share: 1.0, ..Settings::default() };
    settings.dedupe.exact = false;
    check(
        files,
        &settings,
        expect![[r#"
        1 owner.pdf: "It sings at night and I let it."
        2 known.pdf: "It sings at night and I let it."
        3 unknown.pdf Bad Locked: the PDF needs a password: put it into the variable PENNAME_PDF_PASSWORDS (several: one a line), or save a copy without one
    "#]],
    );
}

#[test]
fn a_file_is_bad_by_itself_and_never_the_run() {
    let severe = |files: &[(&str, &[u8])]| {
        let dir = folder(files);
        let collected = collect(dir.path(), &Settings { max_bad_share: 1.0, ..ann() }, &Silent).unwrap();
        collected.issues.iter().filter(|issue| issue.severity == Severity::Bad).count()
    };
    assert_eq!(
        severe(&[
            ("a.epub", b"PK\x03\x04x"),
            ("b.docx", b"no zip"),
            ("c.html", b"<p>"),
            ("d.mbox", b"\x00\x01")
        ]),
        4
    );
    assert_eq!(
        severe(&[
            ("a.xml", b"<rss><channel></channel></rss>"),
            ("b.csv", b""),
            ("c.srt", b"1\n"),
            ("d.json", b"[")
        ]),
        4
    );
}
