//! Mailboxes in miniature, written by us.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::super::open;
use super::super::tests::{assert_accounted, exchange, rest, with_source};
use crate::Settings;
use crate::document::Body;

fn check(path: &str, bytes: &[u8], expected: Expect) {
    let settings = Settings { voice: vec!["ann@x.y".into()], ..Settings::default() };
    let opened = open::open(path, bytes, &settings).unwrap();
    let reading =
        with_source(path, &opened.decoded.text, &settings, |source| (opened.format.unwrap().0.read)(source));
    assert_eq!(opened.decoded.given, bytes.len() as u64);
    assert_accounted(&reading, opened.decoded.given);
    let mut seen = String::new();
    for document in &reading.documents {
        match &document.body {
            Body::Text(text) => {
                write!(seen, "{:?}: {text:?}", document.title.as_ref().unwrap().text).unwrap()
            }
            Body::Turns(turns) => seen += &exchange(turns),
        }
        seen += "\n";
    }
    expected.assert_eq(&(seen + &rest(&reading)));
}

const BOX: &[u8] = b"From bob@x.y Mon May  3 10:00:00 2021\r\nFrom: Bob <bob@x.y>\r\nDate: Mon, 3 May 2021 10:00:00 +0000\r\n\
Message-ID: <1@x.y>\r\nSubject: Tea\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nAt the caf\xe9?\r\n\r\n\
From ann@x.y Mon May  3 11:00:00 2021\r\nFrom: =?utf-8?q?Ann_L=C3=A9e?= <ann@x.y>\r\nDate: Mon, 3 May 2021 11:00:00 +0000\r\n\
Message-ID: <2@x.y>\r\nIn-Reply-To: <1@x.y>\r\nSubject: Re: Tea\r\n\r\nAt four.\r\n-- \r\nAnn\r\n\r\nOn Monday Bob wrote:\r\n> At the caf\r\n\r\n\
From ann@x.y Mon May  3 12:00:00 2021\r\nFrom: ann@x.y\r\nDate: Mon, 3 May 2021 12:00:00 +0000\r\nMessage-ID: <3@x.y>\r\n\
Subject: The lift\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+SXQgZ29lcyA8Yj51cDwvYj4uPC9wPg==\r\n\r\n\
From ann@x.y Mon May  3 13:00:00 2021\r\nFrom: ann@x.y\r\nDate: Mon, 3 May 2021 13:00:00 +0000\r\nMessage-ID: <4@x.y>\r\n\
In-Reply-To: <gone@x.y>\r\nSubject: Re: Cake\r\n\r\n> Which?\r\nPlum.\r\n> When?\r\nNow.\r\n\r\n\
From ann@x.y Mon May  3 13:00:00 2021\r\nFrom: ann@x.y\r\nMessage-ID: <4@x.y>\r\nSubject: Re: Cake\r\n\r\nTwice.\r\n";

#[test]
fn threads_first_letters_and_answers_between_the_lines() {
    check(
        "all.mbox",
        BOX,
        expect![[r#"
        "The lift": "It goes up."
        O "At the café?" / V "At four."
        O "Which?" / V "Plum." / O "When?" / V "Now."
        mail headers, markup and attachments: 867
        mail that stands there twice: 6
        quoted mail: 30
        signatures: 8
    "#]],
    );
}

#[test]
fn a_box_of_sent_mail_needs_no_name() {
    let text = b"From: Eve <eve@z.z>\nSubject: Hello\nDate: Mon, 3 May 2021 12:00:00 +0000\n\nIt rains.\n";
    check(
        "Sent.eml",
        text,
        expect![[r#"
        "Hello": "It rains."
        mail headers, markup and attachments: 69
    "#]],
    );
    check(
        "other.eml",
        text,
        expect![[r#"
        conversations without the voice: 9
        mail headers, markup and attachments: 74
        Skipped: the voice says nothing in it; Eve (1) do
    "#]],
    );
}

#[test]
fn what_is_no_mail_is_told() {
    check(
        "broken.eml",
        b"\x00\x01\x02",
        expect![[r#"
            mail headers, markup and attachments: 3
            Part: 1 messages cannot be read as mail
        "#]],
    );
    check("circle.mbox", b"From a\nFrom: ann@x.y\nMessage-ID: <1@x>\nIn-Reply-To: <2@x>\n\na\n\nFrom a\nFrom: b@x\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\n\nb\n", expect![[r#"
        mail headers, markup and attachments: 117
        openings that answer nobody: 1
        talk the voice did not answer: 1
    "#]]);
}
