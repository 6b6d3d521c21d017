//! What the AI cache costs.

use super::Section;
use super::lines::{Lines, number};
use super::table::{Table, digits};

/// What is measured, by its name in the lines and in the table.
const BENCHES: [(&str, &str); 8] = [
    ("blake3", "one BLAKE3 pass"),
    ("explain", "`explain`"),
    ("key_and_miss", "name, and look for nothing"),
    ("verified_hit", "verified hit in tier 1, name included"),
    ("longest_poll_text", "longest hold of a thread, text"),
    ("longest_poll_body", "longest hold of a thread, body"),
    ("record_event_overhead", "recording an event, beside the bare stream"),
    ("replay_event", "replaying an event"),
];

/// One table.
pub fn section(lines: &Lines) -> Section {
    let mut table =
        Table::new(&["what", "bytes", "µs", "at most, µs", "to one BLAKE3 pass", "to the older system"]);
    for (bench, what) in BENCHES {
        for line in lines.of(bench) {
            let micros = |field: &str| digits(number(line, field).map(|ns| ns / 1_000.0), 3);
            let is_event = bench.ends_with("event") || bench.starts_with("record");
            table.row([
                what.to_owned(),
                if is_event { String::new() } else { line["bytes"].to_string() },
                micros("ns"),
                micros("bound_ns"),
                digits(number(line, "ratio_to_blake3"), 2),
                digits(number(line, "ratio_to_older"), 3),
            ]);
        }
    }
    Section { text: format!("{}\n\n{}", lines.machine(), table.finish()), charts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_shown_as_microseconds() {
        let text = "{\"bench\":\"explain\",\"bytes\":100,\"ns\":850.2,\"bound_ns\":1000.0,\"ratio_to_blake3\":5.98,\
                    \"ratio_to_older\":0.472}\n{\"bench\":\"blake3\",\"bytes\":100,\"ns\":142.0,\"bound_ns\":null}";
        let section = section(&Lines::read(text).unwrap());
        for row in [
            "| `explain` | 100 | 0.850 | 1.000 | 5.98 | 0.472 |",
            "| one BLAKE3 pass | 100 | 0.142 |  |  |  |",
        ] {
            assert!(section.text.contains(row), "{row} in {}", section.text);
        }
    }
}
