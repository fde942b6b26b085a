//! A report as one HTML file: sections with pictures drawn as inline SVG and their numbers as tables.
//!
//! The file asks for nothing: no script, no font, no address, and a policy that tells a browser so. Words
//! of the corpus may stand in it, so every text goes through [`escaped`]. It is light or dark as the reader
//! likes, and prints.

mod plot;

use std::fmt::Write;

pub(crate) use plot::{Bar, columns, rows, shares};

/// What a browser is told: nothing is fetched, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("paper.css");

/// A report.
#[derive(Debug, Default)]
pub(crate) struct Paper {
    title: String,
    about: String,
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    title: String,
    /// What the picture shows, and what to make of it.
    about: String,
    /// Pictures and tables as HTML of our own.
    body: String,
}

impl Paper {
    /// An empty report with a title and a line about it.
    pub(crate) fn new(title: &str, about: &str) -> Self {
        Self { title: title.to_owned(), about: about.to_owned(), sections: Vec::new() }
    }

    /// Adds a picture with the numbers it was drawn of. One without numbers is left out.
    pub(crate) fn plot(&mut self, title: &str, about: &str, bars: &[Bar], draw: fn(&str, &[Bar]) -> String) {
        if bars.iter().all(Bar::is_empty) {
            return;
        }
        let mut body = format!("<figure>{}</figure>\n", draw(title, bars));
        body += "<details><summary>numbers</summary><table>\n";
        for bar in bars {
            let told = format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
                escaped(&bar.name),
                escaped(&bar.told)
            );
            body += &(told + "\n");
        }
        body += "</table></details>\n";
        self.sections.push(Section { title: title.to_owned(), about: about.to_owned(), body });
    }

    /// Adds a table: names in the first column, numbers in the others.
    pub(crate) fn table(&mut self, title: &str, about: &str, heads: &[&str], lines: &[Vec<String>]) {
        let cells = |name: &str, cells: &mut dyn Iterator<Item = &str>| {
            let rest: String = cells.map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
            format!("<tr><th scope=\"row\">{}</th>{rest}</tr>\n", escaped(name))
        };
        let heads: String =
            heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", escaped(head))).collect();
        let lines: String = lines
            .iter()
            .filter_map(|line| line.split_first())
            .map(|(name, rest)| cells(name, &mut rest.iter().map(String::as_str)))
            .collect();
        let body = format!("<table>\n<tr>{heads}</tr>\n{lines}</table>\n");
        self.sections.push(Section { title: title.to_owned(), about: about.to_owned(), body });
    }

    /// The whole file.
    pub(crate) fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n",
            escaped(&self.about)
        );
        for section in &self.sections {
            // Writing to a text does not fail.
            let _written = write!(
                out,
                "<section>\n<h2>{}</h2>\n<p>{}</p>\n{}</section>\n",
                escaped(&section.title),
                escaped(&section.about),
                section.body
            );
        }
        out + "</main>\n</body>\n</html>\n"
    }
}

/// A text as HTML shows it, whatever is in it. Characters that steer and are not seen are named.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' | '\r' => out.push(' '),
            c if penname_corpus::review::risk::is_odd(c) => {
                // Writing to a text does not fail.
                let _written = write!(out, "[U+{:04X}]", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_holds_no_markup_of_others_and_asks_for_nothing() {
        let hostile = "</title><script>alert(1)</script> \u{202e}x & \"y\" ' <img src=//evil.example>";
        let bars = [Bar::new(hostile, 3.0, "3"), Bar::new("b", 1.0, hostile)];
        let mut paper = Paper::new(hostile, hostile);
        paper.plot(hostile, hostile, &bars, rows);
        paper.plot(hostile, hostile, &bars, columns);
        paper.plot(hostile, hostile, &bars, shares);
        paper.table(hostile, hostile, &[hostile, "n"], &[vec![hostile.to_owned(), "1".to_owned()]]);
        paper.plot("nothing", "", &[Bar::new("a", 0.0, "0")], rows);
        let html = paper.html();
        for word in ["<script", "<img", "\u{202e}", "url(", "@import", "href", "<link"] {
            assert!(!html.contains(word), "{word}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; [U+202E]x &amp; &quot;y&quot; &#39;"));
        assert!(!html.contains("<h2>nothing"));
        // Whatever is opened is closed.
        for tag in ["svg", "section", "figure", "table", "details", "main", "title", "text", "g"] {
            let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
            let opened = html
                .match_indices(&opened)
                .filter(|(at, m)| !html[at + m.len()..].starts_with(|c: char| c.is_alphanumeric()))
                .count();
            assert_eq!(opened, html.matches(&closed).count(), "{tag}");
        }
    }
}
