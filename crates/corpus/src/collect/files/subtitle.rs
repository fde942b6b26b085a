//! Subtitles: SubRip (.srt) and WebVTT (.vtt), as films and video services hand them out.
//!
//! Automatic captions show each line twice while it rolls up; it is kept once. Where lines name
//! their speakers they are talk; where none is named, all of it is the voice's, as in any text.

use super::talk::{Said, tell};
use super::{Claim, Format, Reading, Source, claim, extension, plain};
use crate::clean::lines;
use crate::when;

/// Reason for what stands there twice.
const ROLLED: &str = "captions shown twice";

pub(super) const FORMAT: Format = Format {
    name: "subtitle",
    about: "subtitles and captions (.srt, .vtt), with names of speakers or without",
    needs: "`corpus.voice` where lines name their speakers",
    yields: "spoken words",
    plain: false,
    decodes_entities: true,
    claims,
    read,
};

fn claims(source: &Source<'_>) -> Option<Claim> {
    let extension = extension(source.path);
    match () {
        () if matches!(extension.as_str(), "srt" | "vtt") => {
            claim(90, format!("the name ends in .{extension}"))
        }
        () if source.text.trim_start().starts_with("WEBVTT") => claim(90, "the text begins with WEBVTT"),
        () => None,
    }
}

/// One line of a cue.
struct Spoken {
    who: String,
    words: String,
}

fn read(source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let (spoken, times) = spoken(source.text, &mut reading);
    let named = spoken.iter().filter(|line| !line.who.is_empty()).count();
    if named >= 2 {
        let mut who = String::new();
        let said = spoken.into_iter().zip(times).map(|(line, at)| {
            if !line.who.is_empty() {
                who.clone_from(&line.who);
            }
            Said { who: who.clone(), at, text: line.words, ..Said::default() }
        });
        tell(source, said.collect(), &mut reading);
    } else {
        let text = spoken.iter().map(|line| line.words.as_str()).collect::<Vec<_>>().join(" ");
        let flat = Source { text: &text, ..*source };
        let told = (plain::FORMAT.read)(&flat);
        reading.documents = told.documents;
        reading.tally.merge(&told.tally);
        reading.tally.added += spoken.len().saturating_sub(1) as u64;
    }
    reading.close(source.text, "numbers and times of subtitles");
    reading
}

/// The spoken lines with the time of their cue, each once.
fn spoken(text: &str, reading: &mut Reading) -> (Vec<Spoken>, Vec<Option<i64>>) {
    let (mut spoken, mut times): (Vec<Spoken>, Vec<Option<i64>>) = (Vec::new(), Vec::new());
    let mut recent: Vec<String> = Vec::new();
    let (mut at, mut in_cue, mut in_note) = (None, false, false);
    for (_, line) in lines(text) {
        let plain = line.trim();
        match () {
            () if plain.is_empty() => (in_cue, in_note) = (false, false),
            () if plain.contains("-->") => {
                at = when::clock_seconds(
                    plain
                        .split("-->")
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .split([',', '.'])
                        .next()
                        .unwrap_or_default(),
                )
                .or_else(|| {
                    when::clock_seconds(&format!(
                        "0:{}",
                        plain.split(['.', ',']).next().unwrap_or_default().trim()
                    ))
                });
                in_cue = true;
            }
            () if plain.starts_with("NOTE") || plain.starts_with("STYLE") || plain.starts_with("REGION") => {
                in_note = !in_cue
            }
            () if !in_cue || in_note => {}
            () => {
                let line = words(plain);
                if line.words.is_empty() {
                    continue;
                }
                if recent.contains(&line.words) {
                    reading.tally.drop(ROLLED, super::chars(&line.words));
                    continue;
                }
                recent.push(line.words.clone());
                if recent.len() > 2 {
                    recent.remove(0);
                }
                spoken.push(line);
                times.push(at);
            }
        }
    }
    (spoken, times)
}

/// The words of a line without marks, and who says them: `<v Ann>`, `ANN:`, `- `.
fn words(line: &str) -> Spoken {
    let mut who = String::new();
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let Some((tag, after)) = after.split_once('>') else {
            plain.push('<');
            rest = after;
            continue;
        };
        if let Some(name) = tag
            .strip_prefix("v ")
            .or_else(|| tag.strip_prefix("v.").and_then(|t| t.split_once(' ')).map(|t| t.1))
        {
            name.trim().clone_into(&mut who);
        }
        rest = after;
    }
    plain.push_str(rest);
    let plain = super::xml::unescape(&plain);
    let plain = plain.trim_start_matches(['-', '–', ' ', '>']).trim();
    match plain.split_once(": ") {
        Some((name, words)) if who.is_empty() && is_name(name) => {
            Spoken { who: name.to_owned(), words: words.trim().to_owned() }
        }
        _ => Spoken { who, words: plain.to_owned() },
    }
}

/// Whether a word before a colon is a name: in capitals, as subtitles have them.
fn is_name(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 2
        && name.len() <= 40
        && !name.contains(char::is_lowercase)
        && name.starts_with(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::super::chars;
    use super::super::tests::{assert_accounted, with_source};
    use super::*;
    use crate::Settings;
    use crate::document::Body;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(path: &str, text: &str, expected: Expect) {
        let settings = Settings { voice: vec!["Ann".into()], ..Settings::default() };
        let reading = with_source(path, text, &settings, |source| (FORMAT.read)(source));
        assert_accounted(&reading, chars(text));
        let mut seen = String::new();
        for document in &reading.documents {
            match &document.body {
                Body::Text(text) => writeln!(seen, "{text:?}").unwrap(),
                Body::Turns(_) => {
                    writeln!(seen, "{:?} -> {:?}", document.others(), document.voice()).unwrap()
                }
            }
        }
        reading.tally.dropped.iter().for_each(|(why, n)| writeln!(seen, "{why}: {n}").unwrap());
        expected.assert_eq(&seen);
    }

    #[test]
    fn captions_that_roll_up_are_read_once() {
        check(
            "a.vtt",
            "WEBVTT\nKind: captions\n\nNOTE a note\nof two lines\n\n00:01.000 --> 00:02.000 align:start\nthe kettle <00:01.5><c>sings</c>\n\n\
             00:02.000 --> 00:03.000\nthe kettle sings\nat night\n\n00:03.000 --> 00:04.000\nat night\n&amp; at noon\n",
            expect![[r#"
                "the kettle sings at night & at noon"
                captions shown twice: 24
                numbers and times of subtitles: 160
            "#]],
        );
    }

    #[test]
    fn named_speakers_talk() {
        check(
            "a.srt",
            "1\n00:00:01,000 --> 00:00:02,000\n- <i>BOB: Is it on?</i>\n\n2\n00:00:02,000 --> 00:00:03,000\nANN: It is.\nSince noon.\n\n\
             3\n00:00:04,000 --> 00:00:05,000\nBOB: Oh.\n",
            expect![[r#"
                "Is it on?" -> "It is.\nSince noon."
                numbers and times of subtitles: 126
                talk the voice did not answer: 3
            "#]],
        );
        check(
            "a.vtt",
            "WEBVTT\n\n1:00:01.000 --> 1:00:02.000\n<v Bob>Is it on?</v>\n\n1:00:03.000 --> 1:00:04.000\n<v.loud Ann>It is.</v>\n",
            expect![[r#"
                "Is it on?" -> "It is."
                numbers and times of subtitles: 94
            "#]],
        );
    }
}
