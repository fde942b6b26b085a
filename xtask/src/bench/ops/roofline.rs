//! A roofline picture: what each operation reached, over the operations it does for a byte, below what
//! the machine could have given.
//!
//! The roof is the lower of two lines: the speed of a copy of memory times operations a byte, and the
//! register peak. A point above the slope found its operands in a cache. Operations that compute
//! next to nothing, such as the rows of an embedding, have no place here.
//!
//! # Source
//! S. Williams, A. Waterman, D. Patterson, *Roofline: An Insightful Visual Performance Model for
//! Multicore Architectures*, 2009.

use std::fmt::Write as _;

use serde_json::Value;

use super::plot::{Axis, FRAME, Rect, covered, escaped, grid, head, line, place, text};
use super::sheet::{self, Sheet};
use crate::Result;
use crate::bench::record;

/// Model and rows of the operations that are named in the picture, if they were measured.
const NAMED: (&str, u64) = ("smollm2-135m", 1024);

/// Operations that do less for a byte are not shown.
const LEAST: f64 = 0.05;
/// Kinds of operations, with their colours.
const KINDS: [(&str, &str); 4] = [
    ("products", "#2563eb"),
    ("head and loss", "#9333ea"),
    ("attention", "#ea580c"),
    ("all else", "#15803d"),
];

/// The newest record of operations as a picture, if there is one.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn newest() -> Result<Option<String>> {
    let found = record::all(sheet::FILE)?.into_iter().next();
    found.map(|(_, text)| Ok(Picture::of(&Sheet::parse(&text)?).svg())).transpose()
}

/// An operation in the plane.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    name: String,
    about: String,
    kind: usize,
    is_backward: bool,
    is_named: bool,
    flop_per_byte: f64,
    gflops: f64,
}

/// What is drawn.
#[derive(Debug)]
struct Picture {
    points: Vec<Point>,
    /// Register peaks by the instructions they are of; those of the points are first.
    peaks: Vec<(String, f64)>,
    copy_gbytes: f64,
    title: String,
    origin: String,
}

/// Words and numbers of a line of a record.
fn word<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

fn number(line: &Value, field: &str) -> f64 {
    line[field].as_f64().unwrap_or(f64::NAN)
}

/// Register peaks by the instructions they are of, the highest first.
fn peaks(lines: &[Value]) -> Vec<(String, f64)> {
    let mut peaks: Vec<(String, f64)> = Vec::new();
    for line in lines {
        if peaks.iter().all(|(known, _)| known != word(line, "path")) {
            peaks.push((word(line, "path").to_owned(), number(line, "peak_gflops")));
        }
    }
    peaks.sort_by(|a, b| b.1.total_cmp(&a.1));
    peaks
}

/// Model and rows of the operations that are named: those wanted, or the first model and its most rows.
fn named(lines: &[&Value]) -> (String, u64) {
    let wanted = lines.iter().map(|line| word(line, "model")).find(|model| *model == NAMED.0);
    let model = wanted.or_else(|| lines.first().map(|line| word(line, "model"))).unwrap_or_default();
    let of_model = lines.iter().filter(|line| word(line, "model") == model);
    let rows: Vec<u64> = of_model.filter_map(|line| line["rows"].as_u64()).collect();
    let most = rows.iter().copied().max().unwrap_or(0);
    (model.to_owned(), if rows.contains(&NAMED.1) { NAMED.1 } else { most })
}

impl Point {
    /// The operation of a line, if it computes anything.
    fn of(line: &Value, (model, rows): &(String, u64)) -> Option<Self> {
        let (section, op) = word(line, "op").split_once(' ')?;
        let about = ["op", "model", "method"].map(|field| word(line, field));
        let point = Self {
            name: op.trim_end_matches("_backward").replace('_', " "),
            about: format!("{}, {} {}, {} rows", about[0], about[1], about[2], line["rows"]),
            kind: kind_of(op),
            is_backward: section == "backward",
            is_named: word(line, "model") == model && line["rows"].as_u64() == Some(*rows),
            flop_per_byte: number(line, "flop_per_byte"),
            gflops: number(line, "gflops"),
        };
        Some(point).filter(|point| point.flop_per_byte >= LEAST && point.gflops > 0.0)
    }
}

impl Picture {
    /// The operations of the fastest instructions in a record, with the peaks of all.
    fn of(sheet: &Sheet) -> Self {
        let peaks = peaks(&sheet.lines);
        let path = peaks.first().map(|(path, _)| path.clone()).unwrap_or_default();
        let lines: Vec<&Value> = sheet.lines.iter().filter(|line| word(line, "path") == path).collect();
        let named = named(&lines);
        Self {
            points: lines.iter().filter_map(|line| Point::of(line, &named)).collect(),
            copy_gbytes: lines.first().map_or(f64::NAN, |line| number(line, "copy_gbytes")),
            title: format!("Operations of one block in {path}; named: {}, {} rows", named.0, named.1),
            origin: sheet.origin(),
            peaks,
        }
    }

    fn svg(&self) -> String {
        let (x, y) = self.axes();
        let mut svg = head(&self.title);
        grid(&mut svg, &x, &y);
        self.roofs(&mut svg, &x, &y);
        for point in &self.points {
            dot(&mut svg, point, x.at(point.flop_per_byte), y.at(point.gflops));
        }
        self.names(&mut svg, &x, &y);
        legend(&mut svg, &self.origin);
        svg.push_str("</svg>\n");
        svg
    }

    /// Around everything that is shown.
    fn axes(&self) -> (Axis, Axis) {
        let [left, right, top, bottom] = FRAME;
        let over = self.points.iter().map(|point| point.flop_per_byte);
        let ridge = self.peaks.first().map(|(_, peak)| peak / self.copy_gbytes);
        let x = Axis::around(over.chain(ridge), left, right);
        let reached = self.points.iter().map(|point| point.gflops);
        // Room above the roof for its name.
        let y = Axis::around(reached.chain(self.peaks.iter().map(|(_, peak)| 1.3 * peak)), bottom, top);
        (x, y)
    }

    /// The slope of the copy up to the highest peak, and the other peaks below it.
    fn roofs(&self, svg: &mut String, x: &Axis, y: &Axis) {
        for (rank, (_, peak)) in self.peaks.iter().enumerate() {
            let ridge = x.nearest(peak / self.copy_gbytes);
            let style = if rank == 0 { "roof" } else { "lower" };
            line(svg, style, [x.at(ridge), y.at(*peak), FRAME[1], y.at(*peak)]);
            let (words, at) = self.peak_label(rank, x, y);
            text(svg, "start", at, &words);
            if rank == 0 {
                let foot = x.nearest(10_f64.powf(y.low) / self.copy_gbytes);
                let at = |over: f64| [x.at(over), y.at(over * self.copy_gbytes)];
                self.slope(svg, at(foot), at(ridge));
            }
        }
    }

    /// The line of the copy, with its name along it, a little above.
    fn slope(&self, svg: &mut String, from: [f64; 2], to: [f64; 2]) {
        line(svg, "roof", [from[0], from[1], to[0], to[1]]);
        let middle = [(from[0] + 2.0 * to[0]) / 3.0, (from[1] + 2.0 * to[1]) / 3.0];
        let turn = (to[1] - from[1]).atan2(to[0] - from[0]).to_degrees();
        let place = format!("translate({:.1} {:.1}) rotate({turn:.1})", middle[0], middle[1]);
        let name = format!("copy: {:.1} GB/s", self.copy_gbytes);
        let _ = writeln!(svg, r#"<text text-anchor="middle" transform="{place}" y="-7">{name}</text>"#);
    }

    /// What a peak is called, and where that begins: beside the ridge, where points are rare.
    fn peak_label(&self, rank: usize, x: &Axis, y: &Axis) -> (String, [f64; 2]) {
        let (path, peak) = &self.peaks[rank];
        let ridge = x.nearest(peak / self.copy_gbytes);
        (format!("{path}: {peak:.0} GFLOP/s"), [x.at(ridge) + 10.0, y.at(*peak) + 16.0])
    }

    /// Names beside their points, as far as there is room for them.
    fn names(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let named: Vec<&Point> = self.points.iter().filter(|point| point.is_named).collect();
        let at = |point: &Point| [x.at(point.flop_per_byte), y.at(point.gflops)];
        let dots = named.iter().map(|point| at(point)).map(|[x, y]| [x - 5.0, y - 5.0, x + 5.0, y + 5.0]);
        let peaks = (0..self.peaks.len()).map(|rank| self.peak_label(rank, x, y));
        let lines =
            self.peaks.iter().map(|(_, peak)| [FRAME[0], y.at(*peak) - 2.0, FRAME[1], y.at(*peak) + 2.0]);
        let words = peaks.map(|(words, at)| covered(&words, at));
        let mut taken: Vec<Rect> = dots.chain(words).chain(lines).collect();
        let mut told = std::collections::BTreeSet::new();
        for point in named {
            let label = if point.is_backward { format!("{} ◂", point.name) } else { point.name.clone() };
            let found = place(&label, at(point), &taken);
            let Some(([x, y], rect)) = found.filter(|_| told.insert(label.clone())) else { continue };
            taken.push(rect);
            let colour = KINDS[point.kind].1;
            let _ = writeln!(
                svg,
                r#"<text class="name" style="fill: {colour}" x="{x:.1}" y="{y:.1}">{label}</text>"#
            );
        }
    }
}

fn kind_of(op: &str) -> usize {
    match op {
        "linear" | "linear_backward" => 0,
        "cross_entropy" => 1,
        "attention" | "attention_backward" => 2,
        _ => 3,
    }
}

fn legend(svg: &mut String, origin: &str) {
    let [left, right, _, bottom] = FRAME;
    let y = bottom + 68.0;
    let mut x = left;
    for (name, colour) in KINDS {
        let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{:.1}" r="5" fill="{colour}"/>"#, y - 4.0);
        text(svg, "start", [x + 10.0, y], name);
        x += 34.0 + 7.4 * name.len() as f64;
    }
    let _ = writeln!(
        svg,
        r##"<circle cx="{x:.1}" cy="{:.1}" r="4.2" fill="#ffffff" stroke="#1f2937" stroke-width="1.6"/>"##,
        y - 4.0
    );
    text(svg, "start", [x + 10.0, y], "backward (◂)");
    text(svg, "end", [right, y], origin);
}

fn dot(svg: &mut String, point: &Point, x: f64, y: f64) {
    let colour = KINDS[point.kind].1;
    let (radius, opacity) = if point.is_named { (4.5, 1.0) } else { (2.6, 0.45) };
    let fill = if point.is_backward { "#ffffff" } else { colour };
    let about = escaped(&format!(
        "{}: {:.1} GFLOP/s at {:.2} a byte",
        point.about, point.gflops, point.flop_per_byte
    ));
    let _ = writeln!(
        svg,
        r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{fill}" stroke="{colour}" stroke-width="1.6" opacity="{opacity}"><title>{about}</title></circle>"#
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHEET: &str = r#"{"date":"2026-01-01","processor":"a <processor>"}
{"path":"bf16","model":"m","method":"lora","rows":1024,"op":"forward linear","gflops":800.0,"peak_gflops":1000.0,"gbytes":4.0,"copy_gbytes":40.0,"flop_per_byte":200.0}
{"path":"bf16","model":"m","method":"lora","rows":1024,"op":"backward rms_norm_backward","gflops":20.0,"peak_gflops":1000.0,"gbytes":40.0,"copy_gbytes":40.0,"flop_per_byte":0.5}
{"path":"bf16","model":"m","method":"lora","rows":1024,"op":"forward embed","gflops":0.0,"peak_gflops":1000.0,"gbytes":40.0,"copy_gbytes":40.0,"flop_per_byte":0.0}
{"path":"f32","model":"m","method":"lora","rows":1024,"op":"forward linear","gflops":400.0,"peak_gflops":500.0,"gbytes":4.0,"copy_gbytes":40.0,"flop_per_byte":200.0}
"#;

    fn picture() -> Picture {
        Picture::of(&Sheet::parse(SHEET).unwrap())
    }

    #[test]
    fn points_are_those_of_the_fastest_instructions_that_compute() {
        let picture = picture();
        let names: Vec<(&str, usize, bool)> =
            picture.points.iter().map(|point| (point.name.as_str(), point.kind, point.is_backward)).collect();
        assert_eq!(names, [("linear", 0, false), ("rms norm", 3, true)]);
        assert_eq!(picture.peaks, [("bf16".to_owned(), 1000.0), ("f32".to_owned(), 500.0)]);
        assert_eq!(picture.copy_gbytes, 40.0);
    }

    #[test]
    fn a_point_on_the_slope_lies_on_the_roof() {
        let (x, y) = picture().axes();
        // Both axes are logarithmic: where a byte gives ten times as many, the slope rises a decade.
        let rise =
            |value: f64| (y.at(10.0 * value * 40.0) - y.at(value * 40.0), x.at(10.0 * value) - x.at(value));
        let (first, second) = (rise(0.5), rise(2.0));
        assert!((first.0 - second.0).abs() < 1e-9 && (first.1 - second.1).abs() < 1e-9);
        let [left, right, top, bottom] = FRAME;
        assert!((left..right).contains(&x.at(1000.0 / 40.0)) && (top..bottom).contains(&y.at(1000.0)));
    }

    #[test]
    fn the_picture_is_well_formed_and_says_what_it_shows() {
        let svg = picture().svg();
        for part in [
            "bf16: 1000 GFLOP/s",
            "f32: 500 GFLOP/s",
            "copy: 40.0 GB/s",
            ">linear</text>",
            ">rms norm ◂</text>",
            "a &lt;processor&gt;",
        ] {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(svg.matches("<title>").count(), 1 + picture().points.len());
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn an_empty_record_is_an_empty_picture() {
        let svg = Picture::of(&Sheet::parse("{}\n").unwrap()).svg();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    }
}
