//! Hit ratios, and what they come to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Section;
use super::chart::Bars;
use super::lines::{Lines, name, number};
use super::table::{Table, digits};

const OURS: &str = "cache-memory";

/// The mean gain of each crate, and every pair of trace and capacity.
pub fn section(lines: &Lines) -> Section {
    let mut text = lines.machine() + "\n\n" + &gains(lines);
    for line in lines.of("hit_ratio_near_best") {
        let kind = if line["loops"] == true { "the loops" } else { "all but the loops" };
        let share = number(line, "share").map(|share| 100.0 * share);
        text += &format!(
            "\nAt most 3 points behind the best crate: {OURS}, in {} % of the {} pairs of {kind}.\n",
            digits(share, 0),
            line["pairs"]
        );
    }
    text += "\n![Share of what lies between LRU and the best possible](performance/hit-ratio.svg)\n";
    text += "\n### Every pair: hit ratio in %\n\n";
    text += &pairs(lines);
    Section { text, charts: vec![("hit-ratio.svg".into(), chart(lines))] }
}

fn gains(lines: &Lines) -> String {
    let mut table = Table::new(&["crate", "all but loops", "loops"]);
    for crate_name in ranked(lines) {
        let gain = |loops: bool| digits(gain(lines, crate_name, loops), 3);
        let label = if crate_name == OURS { format!("**{OURS}**") } else { crate_name.to_owned() };
        table.row([label, gain(false), gain(true)]);
    }
    table.finish()
}

fn pairs(lines: &Lines) -> String {
    let mut crates: Vec<&str> = Vec::new();
    let mut rows: Vec<(String, BTreeMap<&str, f64>)> = Vec::new();
    for line in lines.of("hit_ratio") {
        let pair = format!("{} | {}", line["trace"].as_str().unwrap_or(""), line["capacity"]);
        if rows.last().is_none_or(|(last, _)| *last != pair) {
            rows.push((pair, BTreeMap::new()));
        }
        if !crates.contains(&name(line)) {
            crates.push(name(line));
        }
        if let (Some((_, row)), Some(hit_ratio)) = (rows.last_mut(), number(line, "hit_ratio")) {
            row.insert(name(line), 100.0 * hit_ratio);
        }
    }
    let mut table = Table::new(&[&["trace", "capacity"], crates.as_slice()].concat());
    for (pair, row) in rows {
        let cells = crates.iter().map(|name| digits(row.get(name).copied(), 1));
        table.row(pair.split(" | ").map(str::to_owned).chain(cells));
    }
    table.finish()
}

fn chart(lines: &Lines) -> String {
    let row =
        |crate_name: &str| (crate_name.to_owned(), vec![gain(lines, crate_name, false)], crate_name == OURS);
    Bars {
        title: "Of the hits between LRU and the best possible, the share that is had".into(),
        series: vec!["mean of all pairs but loops".into()],
        rows: ranked(lines).into_iter().map(row).collect(),
        digits: 2,
    }
    .svg()
}

/// The best first.
fn ranked(lines: &Lines) -> Vec<&str> {
    let of = |line: &&Value| line["loops"] == false;
    let mut ranked: Vec<&Value> = lines.of("hit_ratio_summary").filter(of).collect();
    let gain = |line: &Value| number(line, "mean_gain").unwrap_or(0.0);
    ranked.sort_by(|one, other| gain(other).total_cmp(&gain(one)));
    ranked.into_iter().map(name).collect()
}

fn gain(lines: &Lines, crate_name: &str, loops: bool) -> Option<f64> {
    let line = lines.of("hit_ratio_summary").find(|line| line["loops"] == loops && name(line) == crate_name);
    line.and_then(|line| number(line, "mean_gain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"bench\":\"hit_ratio\",\"trace\":\"t\",\"capacity\":10,\"crate\":\"a\",\"hit_ratio\":0.5}\n\
        {\"bench\":\"hit_ratio\",\"trace\":\"t\",\"capacity\":10,\"crate\":\"lru\",\"hit_ratio\":0.25}\n\
        {\"bench\":\"hit_ratio\",\"trace\":\"t\",\"capacity\":20,\"crate\":\"a\",\"hit_ratio\":0.75}\n\
        {\"bench\":\"hit_ratio_summary\",\"loops\":false,\"crate\":\"a\",\"mean_gain\":0.1}\n\
        {\"bench\":\"hit_ratio_summary\",\"loops\":false,\"crate\":\"cache-memory\",\"mean_gain\":0.3}\n\
        {\"bench\":\"hit_ratio_summary\",\"loops\":true,\"crate\":\"a\",\"mean_gain\":0.9}\n\
        {\"bench\":\"hit_ratio_near_best\",\"loops\":false,\"share\":0.75,\"pairs\":4}\n";

    #[test]
    fn crates_are_ranked_and_pairs_are_rows() {
        let section = section(&Lines::read(TEXT).unwrap());
        let text = section.text;
        assert!(
            text.find("| **cache-memory** | 0.300 |").unwrap() < text.find("| a | 0.100 | 0.900 |").unwrap()
        );
        assert!(text.contains("| t | 10 | 50.0 | 25.0 |\n| t | 20 | 75.0 |  |"), "{text}");
        assert!(text.contains("in 75 % of the 4 pairs"));
        assert!(section.charts[0].1.contains(">0.30<"));
    }
}
