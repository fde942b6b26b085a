//! What pictures are drawn with: a plane of two logarithmic axes, lines, words, and room for labels.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 960.0;
pub(super) const HEIGHT: f64 = 600.0;
/// Left, right, top and bottom of the plane.
pub(super) const FRAME: [f64; 4] = [76.0, 936.0, 64.0, 516.0];
/// Room beyond the outermost values, in decades.
const MARGIN: f64 = 0.15;
/// What a letter of a label takes of a line, about.
const LETTER: f64 = 6.4;

/// A logarithmic axis.
#[derive(Debug, PartialEq)]
pub(super) struct Axis {
    /// Decimal logarithms of its ends.
    pub(super) low: f64,
    pub(super) high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// A little more than all the values, and a decade at least.
    pub(super) fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let logs = values.filter(|value| value.is_finite() && *value > 0.0).map(f64::log10);
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = logs.fold(ends, |(low, high), log| (low.min(log), high.max(log)));
        let (low, high) = if low.is_finite() { (low - MARGIN, high + MARGIN) } else { (0.0, 1.0) };
        Self { low, high: high.max(low + 1.0), from, to }
    }

    /// Where a value lies.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// The value within the axis that is nearest.
    pub(super) fn nearest(&self, value: f64) -> f64 {
        value.clamp(10_f64.powf(self.low), 10_f64.powf(self.high))
    }

    fn decades(&self) -> impl Iterator<Item = i32> {
        self.low.ceil() as i32..=self.high.floor() as i32
    }
}

/// Left, top, right and bottom.
pub(super) type Rect = [f64; 4];

/// Where a label stands beside its point, and what it covers: the first of some places that are free.
pub(super) fn place(label: &str, [px, py]: [f64; 2], taken: &[Rect]) -> Option<([f64; 2], Rect)> {
    let width = LETTER * label.chars().count() as f64;
    let [left, right, top, bottom] = FRAME;
    let offsets = [0.0, -8.0, 8.0, -14.0, 14.0, -22.0, 22.0, -30.0, 30.0];
    let sides = offsets.iter().flat_map(|dy| [[px + 8.0, py + 4.0 + dy], [px - 8.0 - width, py + 4.0 + dy]]);
    sides.map(|[x, y]| ([x, y], [x, y - 10.0, x + width, y + 2.0])).find(|(_, rect)| {
        let is_inside = rect[0] >= left && rect[2] <= right && rect[1] >= top && rect[3] <= bottom;
        is_inside && taken.iter().all(|other| !overlap(rect, other))
    })
}

/// What words cover that begin at a place.
pub(super) fn covered(words: &str, [x, y]: [f64; 2]) -> Rect {
    [x, y - 11.0, x + 1.1 * LETTER * words.chars().count() as f64, y + 3.0]
}

/// Whether two rectangles have a point in common.
pub(super) fn overlap(a: &Rect, b: &Rect) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// The beginning of a picture: its title, styles and ground.
pub(super) fn head(title: &str) -> String {
    let title = escaped(title);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif">
<title>{title}</title>
<style>
text {{ font-size: 13px; fill: #1f2937; paint-order: stroke; stroke: #ffffff; stroke-width: 3px }}
.title {{ font-size: 16px; font-weight: 600 }}
.name {{ font-size: 12px }}
.grid {{ stroke: #e5e7eb; stroke-width: 1 }}
.frame {{ stroke: #6b7280; stroke-width: 1 }}
.roof {{ stroke: #111827; stroke-width: 2 }}
.lower {{ stroke: #6b7280; stroke-width: 1.5; stroke-dasharray: 6 4 }}
</style>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text class="title" x="{left}" y="36">{title}</text>
"##,
        left = FRAME[0]
    )
}

/// The lines of the decades, their numbers, and what the axes are.
pub(super) fn grid(svg: &mut String, x: &Axis, y: &Axis) {
    let [left, right, top, bottom] = FRAME;
    for decade in x.decades() {
        let at = x.at(10_f64.powi(decade));
        line(svg, "grid", [at, top, at, bottom]);
        text(svg, "middle", [at, bottom + 20.0], &decimal(decade));
    }
    for decade in y.decades() {
        let at = y.at(10_f64.powi(decade));
        line(svg, "grid", [left, at, right, at]);
        text(svg, "end", [left - 8.0, at + 4.0], &decimal(decade));
    }
    line(svg, "frame", [left, bottom, right, bottom]);
    line(svg, "frame", [left, top, left, bottom]);
    text(svg, "middle", [(left + right) / 2.0, bottom + 42.0], "operations a byte");
    let middle = (top + bottom) / 2.0;
    let _ = writeln!(
        svg,
        r#"<text text-anchor="middle" transform="translate(24 {middle:.1}) rotate(-90)">GFLOP/s</text>"#
    );
}

/// A straight line in a style.
pub(super) fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(svg, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
}

/// Words at a place.
pub(super) fn text(svg: &mut String, anchor: &str, [x, y]: [f64; 2], words: &str) {
    let _ = writeln!(svg, r#"<text text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(words));
}

/// A power of ten as it is written.
pub(super) fn decimal(decade: i32) -> String {
    let value = 10_f64.powi(decade);
    if decade < 0 { format!("{value:.*}", decade.unsigned_abs() as usize) } else { format!("{value:.0}") }
}

/// Words as they may stand in a picture.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_out_of_each_others_way() {
        let (_, first) = place("linear", [300.0, 300.0], &[]).unwrap();
        let (_, second) = place("linear", [300.0, 300.0], &[first]).unwrap();
        assert!(!overlap(&first, &second));
        let everything = [[0.0, 0.0, WIDTH, HEIGHT]];
        assert_eq!(place("linear", [300.0, 300.0], &everything), None);
    }

    #[test]
    fn an_axis_holds_all_values_and_is_never_empty() {
        let axis = Axis::around([0.5, 30.0, f64::NAN, 0.0].into_iter(), 0.0, 300.0);
        assert!([0.5, 30.0].iter().all(|value| (0.0..=300.0).contains(&axis.at(*value))));
        assert_eq!(axis.decades().collect::<Vec<_>>(), [0, 1]);
        assert_eq!([0.001, 3.0].map(|value| axis.nearest(value) == value), [false, true]);
        assert_eq!(Axis::around(std::iter::empty(), 0.0, 1.0).decades().collect::<Vec<_>>(), [0, 1]);
        assert_eq!([-2, 0, 3].map(decimal), ["0.01", "1", "1000"]);
    }
}
