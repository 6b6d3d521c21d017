//! The speed of tier 1 and what its entries take.

use serde_json::Value;

use super::Section;
use super::chart::Bars;
use super::lines::{Lines, name, number};
use super::table::{Table, digits};
use crate::l1::case::CASES;
use crate::l1::{memory, tail};

const OURS: &str = "cache-memory";

/// Tables of all cases, and charts of those that a caller waits for.
pub fn section(lines: &Lines) -> Section {
    let mut section = Section { text: lines.machine() + "\n", charts: Vec::new() };
    for (title, cases) in [
        ("100 000 entries", ["get_hit", "get_miss", "insert", "mix"]),
        (
            "1 000 entries, which stay in the processor's cache",
            ["hot_get_hit", "hot_get_miss", "hot_insert", "hot_mix"],
        ),
    ] {
        section.text += &format!("\n### {title}: ns a call, one thread / two threads\n\n");
        section.text += &speeds(lines, &cases);
        section.text += &best(lines, &cases);
    }
    section.text += &slowest(lines);
    section.text += &overhead(lines);
    for (case, title) in
        [("get_hit", "A hit"), ("insert", "An insert with eviction"), ("mix", "Nine reads to one insert")]
    {
        let file = format!("l1-{}.svg", case.replace('_', "-"));
        section.text += &format!("\n![{title}](performance/{file})\n");
        section.charts.push((file, speed_chart(lines, case, title)));
    }
    section.text += "\n![Overhead of an entry](performance/l1-overhead.svg)\n";
    section.charts.push(("l1-overhead.svg".into(), overhead_chart(lines)));
    section
}

fn speeds(lines: &Lines, cases: &[&str]) -> String {
    let mut head = vec!["crate"];
    head.extend(cases);
    let mut table = Table::new(&head);
    for crate_name in crates(lines, cases[0]) {
        let cell = |case: &&str| {
            let of = |threads| lines.with_threads(case, threads).find(|line| name(line) == crate_name);
            let ns = |line: Option<&Value>| digits(line.and_then(|line| number(line, "ns_per_op")), 0);
            match (ns(of(1)), ns(of(2))) {
                (one, two) if two.is_empty() => one,
                (one, two) => format!("{one} / {two}"),
            }
        };
        table.row(std::iter::once(bold(crate_name)).chain(cases.iter().map(cell)));
    }
    table.finish()
}

/// How ours stands to the fastest peer.
fn best(lines: &Lines, cases: &[&str]) -> String {
    let mut head =
        vec!["cache-memory over the fastest that is bounded (and what that is below with 95 % confidence)"];
    head.extend(cases);
    let mut table = Table::new(&head);
    for threads in [1, 2] {
        let cell = |case: &&str| {
            let Some(line) = lines.with_threads(case, threads).find(|line| name(line) == OURS) else {
                return String::new();
            };
            let ratio = |field: &str| digits(number(line, field), 2);
            let best = line["best_peer"].as_str().unwrap_or("");
            format!("{} ({}) {best}", ratio("ratio_to_best_peer"), ratio("ratio_upper_95"))
        };
        let label = if threads == 1 { "one thread" } else { "two threads" };
        table.row(std::iter::once(label.to_owned()).chain(cases.iter().map(cell)));
    }
    format!("\n{}", table.finish())
}

fn slowest(lines: &Lines) -> String {
    if lines.of(tail::NAME).next().is_none() {
        return String::new();
    }
    let mut table = Table::new(&["crate", "p50", "p99", "p99.9", "slowest of a round", "slowest"]);
    for line in lines.of(tail::NAME) {
        let cells = ["p50_ns", "p99_ns", "p999_ns", "max_ns_of_a_round", "max_ns"];
        let cells = cells.map(|field| digits(number(line, field), 0));
        table.row(std::iter::once(bold(name(line))).chain(cells));
    }
    format!("\n### Single inserts into a full cache of 100 000 entries, ns\n\n{}", table.finish())
}

fn overhead(lines: &Lines) -> String {
    let mut table = Table::new(&["crate", "filled", "after five capacities more"]);
    for line in lines.of(memory::NAME) {
        let cells = ["filled_bytes", "churned_bytes"].map(|field| digits(number(line, field), 0));
        table.row(std::iter::once(bold(name(line))).chain(cells));
    }
    format!(
        "\n### Bytes an entry, beside the text of its key and the 256 bytes of its value\n\n{}",
        table.finish()
    )
}

fn speed_chart(lines: &Lines, case: &str, title: &str) -> String {
    let row = |crate_name: &str| {
        let of = |threads| {
            let line = lines.with_threads(case, threads).find(|line| name(line) == crate_name);
            line.and_then(|line| number(line, "ns_per_op"))
        };
        (crate_name.to_owned(), vec![of(1), of(2)], crate_name == OURS)
    };
    let entries = CASES.iter().find(|known| known.name == case).map_or(0, |case| case.keys);
    Bars {
        title: format!("{title}: ns a call, {entries} entries"),
        series: vec!["one thread".into(), "two threads".into()],
        rows: crates(lines, case).into_iter().map(row).collect(),
        digits: 0,
    }
    .svg()
}

fn overhead_chart(lines: &Lines) -> String {
    let row = |line: &Value| {
        let values = ["filled_bytes", "churned_bytes"].map(|field| number(line, field));
        (name(line).to_owned(), values.to_vec(), name(line) == OURS)
    };
    Bars {
        title: "Bytes an entry beside key and value, 100000 entries".into(),
        series: vec!["filled".into(), "after five capacities".into()],
        rows: lines.of(memory::NAME).map(row).collect(),
        digits: 0,
    }
    .svg()
}

/// Who took part in the case, the fastest first.
fn crates<'a>(lines: &'a Lines, case: &str) -> Vec<&'a str> {
    let mut crates: Vec<(&str, f64)> = lines
        .with_threads(case, 1)
        .map(|line| (name(line), number(line, "ns_per_op").unwrap_or(0.0)))
        .collect();
    crates.sort_by(|one, other| one.1.total_cmp(&other.1));
    crates.into_iter().map(|(name, _)| name).collect()
}

fn bold(crate_name: &str) -> String {
    if crate_name == OURS { format!("**{crate_name}**") } else { crate_name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"bench\":\"get_hit\",\"crate\":\"cache-memory\",\"threads\":1,\"ns_per_op\":50.4,\
        \"best_peer\":\"q\",\"ratio_to_best_peer\":0.5,\"ratio_upper_95\":0.62}\n\
        {\"bench\":\"get_hit\",\"crate\":\"cache-memory\",\"threads\":2,\"ns_per_op\":70.0}\n\
        {\"bench\":\"get_hit\",\"crate\":\"HashMap\",\"threads\":1,\"ns_per_op\":20.0}\n\
        {\"bench\":\"overhead\",\"crate\":\"HashMap\",\"filled_bytes\":59.3}\n";

    #[test]
    fn the_fastest_comes_first_and_both_numbers_of_threads_are_in_a_cell() {
        let section = section(&Lines::read(TEXT).unwrap());
        let ours = section.text.find("| **cache-memory** | 50 / 70 |").unwrap();
        assert!(section.text.find("| HashMap | 20 |").unwrap() < ours);
        assert!(section.text.contains("| 0.50 (0.62) q |") && section.text.contains("| HashMap | 59 |"));
    }

    #[test]
    fn every_picture_that_the_text_shows_is_made() {
        let section = section(&Lines::read(TEXT).unwrap());
        assert_eq!(section.charts.len(), section.text.matches("](performance/").count());
        for (file, svg) in &section.charts {
            assert!(
                section.text.contains(&format!("](performance/{file})")) && svg.starts_with("<svg"),
                "{file}"
            );
        }
    }
}
