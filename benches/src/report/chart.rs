//! Bar charts as SVG, readable on light and on dark ground.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const LABELS: f64 = 150.0;
const VALUES: f64 = 70.0;
const BAR: f64 = 14.0;
const GAP: f64 = 10.0;
const TOP: f64 = 64.0;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}\
.ours{font-weight:600}.a{fill:#7a8899}.b{fill:#b4bec9}.a.o{fill:#c2410c}.b.o{fill:#f0a070}\
@media(prefers-color-scheme:dark){text{fill:#d0d7de}.a{fill:#8b98a8}.b{fill:#56616d}.a.o{fill:#f97316}.b.o{fill:#9a4a1c}}";

/// A bar for each value of the series, at most two, next to one another.
#[derive(Debug)]
pub struct Bars {
    /// What is measured.
    pub title: String,
    /// What the first and the second value of each row are.
    pub series: Vec<String>,
    /// Name, values, and whether it is to stand out. A value may be missing.
    pub rows: Vec<(String, Vec<Option<f64>>, bool)>,
    /// Digits after the point.
    pub digits: usize,
}

impl Bars {
    /// The picture. Values below 0 are written but have no bar.
    pub fn svg(&self) -> String {
        let values = self.rows.iter().flat_map(|(_, values, _)| values).flatten();
        let most = values.fold(f64::MIN_POSITIVE, |most: f64, value| most.max(*value));
        let row = BAR * self.series.len() as f64 + GAP;
        let height = TOP + row * self.rows.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{0}</title>\n\
             <style>{STYLE}</style>\n<text class=\"title\" x=\"8\" y=\"20\">{0}</text>\n",
            escaped(&self.title)
        );
        for (at, name) in self.series.iter().enumerate() {
            let (x, class) = (LABELS + 170.0 * at as f64, class(at, false));
            let x_text = x + 16.0;
            let name = escaped(name);
            put(
                &mut svg,
                format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"35\" width=\"10\" height=\"10\"/>"),
            );
            put(&mut svg, format_args!("<text x=\"{x_text}\" y=\"45\">{name}</text>"));
        }
        for (at, (name, values, stands_out)) in self.rows.iter().enumerate() {
            let top = TOP + row * at as f64;
            let (middle, label) = (top + row / 2.0 - 1.0, LABELS - 8.0);
            let own = if *stands_out { " class=\"ours\"" } else { "" };
            let name = escaped(name);
            put(
                &mut svg,
                format_args!("<text{own} x=\"{label}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>"),
            );
            for (at, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let (y, class) = (top + BAR * at as f64, class(at, *stands_out));
                let width = (value / most).max(0.0) * (WIDTH - LABELS - VALUES);
                let (x, y_text, digits) = (LABELS + width + 6.0, y + BAR - 3.0, self.digits);
                let height = BAR - 2.0;
                put(
                    &mut svg,
                    format_args!(
                        "<rect class=\"{class}\" x=\"{LABELS}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\"/>"
                    ),
                );
                put(&mut svg, format_args!("<text x=\"{x:.1}\" y=\"{y_text:.1}\">{value:.digits$}</text>"));
            }
        }
        svg + "</svg>\n"
    }
}

fn class(series: usize, stands_out: bool) -> &'static str {
    match (series, stands_out) {
        (0, false) => "a",
        (0, true) => "a o",
        (_, false) => "b",
        (_, true) => "b o",
    }
}

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{line}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Bars {
        Bars {
            title: "a < b".into(),
            series: vec!["one".into(), "two".into()],
            rows: vec![
                ("ours".into(), vec![Some(50.0), None], true),
                ("other".into(), vec![Some(100.0), Some(-1.0)], false),
            ],
            digits: 1,
        }
    }

    #[test]
    fn the_longest_bar_takes_the_room_and_others_their_part() {
        let svg = bars().svg();
        assert!(svg.contains("width=\"500.0\"") && svg.contains("width=\"250.0\""), "{svg}");
        assert!(svg.contains(">50.0<") && svg.contains(">-1.0<") && svg.contains("width=\"0.0\""));
        assert_eq!(svg.matches("class=\"a o\"").count(), 1);
    }

    #[test]
    fn names_are_text_and_no_marks() {
        assert!(bars().svg().contains("a &lt; b") && !bars().svg().contains("a < b"));
    }
}
