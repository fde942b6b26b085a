//! Pictures of numbers as SVG: rows of bars, columns over an axis, one bar in shares.
//!
//! Each is a picture with a name for those who do not see it, its colours come from the page, and shares
//! are told apart by their places and words, not by colour alone.

use std::cmp::Ordering;
use std::fmt::Write;

use super::escaped;
use crate::screen::number;

/// Width of every picture, in its own units; a page scales it.
const WIDE: f64 = 720.0;
/// Width of the names beside rows.
const NAMES: f64 = 220.0;
/// Width left for the values behind rows.
const VALUES: f64 = 176.0;
/// Height of a row with the space under it, and of its bar.
const ROW: f64 = 24.0;
const THICK: f64 = 14.0;
/// Height of columns.
const TALL: f64 = 150.0;
/// Characters of a name that fit beside rows.
const NAME_CHARS: usize = 32;
/// Colours of shares.
const COLOURS: usize = 7;

/// One number to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// What it is of.
    pub(super) name: String,
    /// How long the bar is.
    pub(super) value: f64,
    /// The number in words.
    pub(super) told: String,
}

impl Bar {
    /// A bar of a length; what is not a number, or below zero, is none.
    pub(crate) fn new(name: &str, value: f64, told: &str) -> Self {
        let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        Self { name: name.to_owned(), value, told: told.to_owned() }
    }

    /// Several as one.
    pub(crate) fn together(name: &str, bars: &[Self]) -> Self {
        let sum = bars.iter().map(|bar| bar.value).sum();
        Self::new(name, sum, &number::count(sum as u64))
    }

    /// Whether nothing would be seen of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.value == 0.0
    }

    /// An order: the longest first, those of a length by name.
    pub(crate) fn longer(&self, other: &Self) -> Ordering {
        other.value.total_cmp(&self.value).then_with(|| self.name.cmp(&other.name))
    }
}

/// A bar a row, names on the left and numbers behind.
pub(crate) fn rows(title: &str, bars: &[Bar]) -> String {
    let most = most(bars);
    let mut out = begun(title, bars, ROW * bars.len() as f64);
    for (n, bar) in bars.iter().enumerate() {
        let (top, long) = (ROW * n as f64, (WIDE - NAMES - VALUES) * bar.value / most);
        let (middle, name) = (top + ROW / 2.0 + 4.0, short(&bar.name, NAME_CHARS));
        // Writing to a text does not fail.
        let _written = writeln!(
            out,
            "<text x=\"0\" y=\"{middle:.1}\">{name}</text>\
             <rect class=\"bar\" x=\"{NAMES}\" y=\"{:.1}\" width=\"{long:.1}\" height=\"{THICK}\" rx=\"2\"/>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
            top + (ROW - THICK) / 2.0,
            NAMES + long + 6.0,
            escaped(&bar.told),
        );
    }
    out + "</svg>"
}

/// Columns side by side, as of a histogram or over time. As many names are written as fit.
pub(crate) fn columns(title: &str, bars: &[Bar]) -> String {
    let most = most(bars);
    let each = WIDE / bars.len().max(1) as f64;
    let longest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0) as f64;
    // A character of a name is about seven units wide.
    let every = ((longest * 7.0 + 10.0) / each).ceil().max(1.0) as usize;
    let base = TALL + 18.0;
    let mut out = begun(title, bars, base + 22.0);
    for (n, bar) in bars.iter().enumerate() {
        let (left, tall) = (each * n as f64, TALL * bar.value / most);
        let gap = (each * 0.12).min(6.0);
        let middle = left + each / 2.0;
        // Writing to a text does not fail.
        let _written = writeln!(
            out,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"><title>{}: {}</title></rect>",
            left + gap / 2.0,
            base - tall,
            (each - gap).max(0.5),
            escaped(&bar.name),
            escaped(&bar.told),
        );
        if n % every == 0 {
            let _written = writeln!(
                out,
                "<text class=\"quiet\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                base + 16.0,
                escaped(&bar.name)
            );
        }
        if each >= bar.told.chars().count() as f64 * 7.0 + 6.0 && bar.value > 0.0 {
            let _written = writeln!(
                out,
                "<text text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                base - tall - 5.0,
                escaped(&bar.told)
            );
        }
    }
    let _written = writeln!(out, "<path class=\"axis\" d=\"M0 {base:.1}H{WIDE}\"/>");
    out + "</svg>"
}

/// One bar, divided, with a line for each part under it.
pub(crate) fn shares(title: &str, bars: &[Bar]) -> String {
    let whole: f64 = bars.iter().map(|bar| bar.value).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut out = begun(title, bars, 40.0 + ROW * bars.len() as f64);
    let mut left = 0.0;
    for (n, bar) in bars.iter().enumerate() {
        let (wide, colour) = (WIDE * bar.value / whole, n.min(COLOURS - 1));
        let top = 40.0 + ROW * n as f64;
        // Writing to a text does not fail.
        let _written = writeln!(
            out,
            "<rect class=\"p{colour}\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"26\"><title>{}: {}</title></rect>\
             <rect class=\"p{colour}\" x=\"0\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"2\"/>\
             <text x=\"20\" y=\"{:.1}\">{}</text><text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            // A line of the ground parts neighbours.
            (wide - 1.0).max(0.0),
            escaped(&bar.name),
            escaped(&bar.told),
            top + 6.0,
            top + 16.0,
            short(&bar.name, 2 * NAME_CHARS),
            WIDE / 2.0 + 60.0,
            top + 16.0,
            escaped(&bar.told),
        );
        left += wide;
    }
    out + "</svg>"
}

fn most(bars: &[Bar]) -> f64 {
    bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max)
}

/// The head of a picture: its size, and what it says to those who do not see it.
fn begun(title: &str, bars: &[Bar], tall: f64) -> String {
    let told: Vec<String> = bars.iter().take(12).map(|bar| format!("{} {}", bar.name, bar.told)).collect();
    let more = if bars.len() > told.len() { ", and more" } else { "" };
    format!(
        "<svg viewBox=\"0 0 {WIDE} {tall:.1}\" role=\"img\" aria-label=\"{}: {}{more}\">\n",
        escaped(title),
        escaped(&told.join(", "))
    )
}

/// A name that fits, with the whole of it where one looks closer.
fn short(name: &str, n: usize) -> String {
    if name.chars().count() <= n {
        return escaped(name);
    }
    let cut: String = name.chars().take(n - 1).collect();
    format!("{}…<title>{}</title>", escaped(&cut), escaped(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_proportion() {
        let svg =
            rows("t", &[Bar::new("a", 4.0, "4"), Bar::new("b", 1.0, "1"), Bar::new("c", f64::NAN, "?")]);
        assert!(
            svg.contains("width=\"324.0\"")
                && svg.contains("width=\"81.0\"")
                && svg.contains("width=\"0.0\""),
            "{svg}"
        );
        let svg = columns("t", &[Bar::new("a", 1.0, "1"), Bar::new("b", 2.0, "2")]);
        assert!(svg.contains("height=\"75.0\"") && svg.contains("height=\"150.0\""), "{svg}");
        let svg = shares("t", &[Bar::new("a", 3.0, "3"), Bar::new("b", 1.0, "1")]);
        assert!(svg.contains("width=\"539.0\"") && svg.contains("width=\"179.0\""), "{svg}");
    }

    #[test]
    fn names_that_do_not_fit_are_left_out_or_cut() {
        let bars: Vec<Bar> = (0..100).map(|n| Bar::new(&format!("2009-01-{n:02}"), 1.0, "1")).collect();
        assert!(columns("t", &bars).matches("<text").count() < 15);
        let long = "x".repeat(80);
        assert!(rows("t", &[Bar::new(&long, 1.0, "1")]).contains("xxx…<title>"));
        for draw in [rows, columns, shares] {
            assert!(draw("t", &[]).ends_with("</svg>"));
        }
    }
}
