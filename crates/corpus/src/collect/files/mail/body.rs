//! The body of one mail, divided into what its writer wrote and what came along: quoted mail,
//! forwarded mail, signatures.

use std::ops::Range;

use crate::clean::lines;

/// Why a part is nobody's answer and no writing of the sender.
pub(super) const QUOTED: &str = "quoted mail";
/// Why a part is left out.
pub(super) const SIGNATURE: &str = "signatures";
/// Lines an attribution may run over.
const MAX_ATTRIBUTION: usize = 3;

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The writer's own words.
    Own(String),
    /// Words of the mail that is answered, without their marks.
    Quoted(String),
    /// Left out, for a reason.
    Left(String, &'static str),
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Own,
    Quoted,
    Left(&'static str),
}

/// Divides a body.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let all: Vec<(usize, &str)> = lines(text).collect();
    let mut parts: Vec<(Line, Range<usize>)> = Vec::new();
    let mut idx = 0;
    while idx < all.len() {
        let (kind, n) = line(&all[idx..]);
        let (start, last) = (all[idx].0, all[idx + n - 1]);
        let end = last.0 + last.1.len();
        idx += n;
        match parts.last_mut() {
            Some((open, range)) if *open == kind => range.end = end,
            // A blank line belongs to what stands before it.
            Some((_, range)) if kind == Line::Own && text[start..end].trim().is_empty() => range.end = end,
            _ => parts.push((kind, start..end)),
        }
    }
    parts.into_iter().map(|(kind, range)| part(kind, &text[range])).collect()
}

fn part(kind: Line, text: &str) -> Part {
    match kind {
        Line::Own => Part::Own(text.trim().to_owned()),
        Line::Left(reason) => Part::Left(text.to_owned(), reason),
        Line::Quoted => {
            let unmarked = |line: &str| {
                line.strip_prefix('>').map(|rest| rest.strip_prefix(' ').unwrap_or(rest).to_owned())
            };
            // What the answered mail itself quotes is no part of it.
            let own: Vec<String> =
                text.lines().filter_map(unmarked).filter(|l| !l.starts_with('>')).collect();
            Part::Quoted(own.join("\n").trim().to_owned())
        }
    }
}

/// What begins at the first of some lines, and how many of them it takes.
fn line(rest: &[(usize, &str)]) -> (Line, usize) {
    let first = rest[0].1;
    let plain = first.trim();
    match () {
        () if first.starts_with('>') => (Line::Quoted, 1),
        () if forwards(rest) => (Line::Left(QUOTED), rest.len()),
        () if plain == "--" => {
            let n = rest.iter().skip(1).take_while(|(_, l)| !l.starts_with('>') && !attributes(l)).count();
            (Line::Left(SIGNATURE), n + 1)
        }
        () if is_device(plain) => (Line::Left(SIGNATURE), 1),
        () => match attribution(rest) {
            Some(n) => (Line::Left(QUOTED), n),
            None => (Line::Own, 1),
        },
    }
}

/// Whether everything from here on is another mail.
fn forwards(rest: &[(usize, &str)]) -> bool {
    let plain = rest[0].1.trim();
    let dashed =
        plain.starts_with("-----") && plain.ends_with('-') && plain.trim_matches(['-', ' ']).len() > 4;
    let begins = |line: usize, names: &[&str]| {
        let text = rest.get(line).map_or("", |(_, l)| l.trim().trim_start_matches('*'));
        names.iter().any(|name| text.starts_with(name))
    };
    // Outlook writes the head of the answered mail out and quotes nothing.
    let headed = begins(0, &["From:", "Von:", "De:"])
        && (1..4).any(|n| begins(n, &["Sent:", "Gesendet:", "Envoyé", "Date:", "Datum:"]))
        && (1..7).any(|n| begins(n, &["Subject:", "Betreff:", "Objet"]));
    dashed || plain == "Begin forwarded message:" || headed
}

fn is_device(plain: &str) -> bool {
    ["Sent from my ", "Sent from Mail for", "Get Outlook for ", "Von meinem ", "Envoyé de mon "]
        .iter()
        .any(|start| plain.starts_with(start))
        && plain.len() < 80
}

/// Whether a line ends as an attribution does: `On Monday Bob wrote:`.
fn attributes(line: &str) -> bool {
    ["wrote:", "writes:", "schrieb:", "a écrit :", "a écrit:", "escribió:", "ha scritto:", "schreef:"]
        .iter()
        .any(|end| line.trim_end().ends_with(end))
}

/// The lines of an attribution: up to three, begun as one or followed by a quotation.
fn attribution(rest: &[(usize, &str)]) -> Option<usize> {
    let n = rest.iter().take(MAX_ATTRIBUTION).position(|(_, line)| attributes(line))? + 1;
    let within = &rest[..n];
    let is_whole = within.iter().all(|(_, line)| !line.trim().is_empty());
    let begins = ["On ", "Am ", "Le ", "El ", "Il ", "Op "].iter().any(|word| rest[0].1.starts_with(word));
    let quotes =
        rest[n..].iter().find(|(_, l)| !l.trim().is_empty()).is_some_and(|(_, l)| l.starts_with('>'));
    (is_whole && (begins || (quotes && n == 1))).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn check(text: &str, expected: Expect) {
        let mut seen = String::new();
        parts(text).iter().for_each(|part| writeln!(seen, "{part:?}").unwrap());
        expected.assert_eq(&seen);
    }

    #[test]
    fn a_quotation_below_and_a_signature_are_not_the_writers() {
        check(
            "Tea at four.\n\nBring cake.\n-- \nAnn Lee\nThe Elevator\n\nOn Mon, 3 May 2021, Bob <b@x.y>\nwrote:\n> When?\n>> earlier\n> And what?\n",
            expect![[r#"
                Own("Tea at four.\n\nBring cake.")
                Left("-- \nAnn Lee\nThe Elevator\n\nOn Mon, 3 May 2021, Bob <b@x.y>", "signatures")
                Left("wrote:", "quoted mail")
                Quoted("When?\nAnd what?")
            "#]],
        );
    }

    #[test]
    fn answers_between_the_lines_are_told_apart() {
        check(
            "> When?\n\nAt four.\n\n> What?\nCake.\nSent from my kettle\n",
            expect![[r#"
            Quoted("When?")
            Own("At four.")
            Quoted("What?")
            Own("Cake.")
            Left("Sent from my kettle\n", "signatures")
        "#]],
        );
    }

    #[test]
    fn forwarded_mail_is_left_out() {
        check(
            "Look.\n\n-----Original Message-----\nFrom: Bob\n\nHello\n",
            expect![[r#"
            Own("Look.")
            Left("-----Original Message-----\nFrom: Bob\n\nHello\n", "quoted mail")
        "#]],
        );
        check(
            "Yes.\n\nFrom: Bob\nSent: Monday\nTo: Ann\nSubject: x\n\nHello\n",
            expect![[r#"
            Own("Yes.")
            Left("From: Bob\nSent: Monday\nTo: Ann\nSubject: x\n\nHello\n", "quoted mail")
        "#]],
        );
        check(
            "On the whole\nI wrote: nothing.\n",
            expect![[r#"
            Own("On the whole\nI wrote: nothing.")
        "#]],
        );
    }
}
