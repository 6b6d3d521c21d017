//! Hit ratios for people.

use serde_json::Value;

use super::summary::Pair;

/// In this order.
const CRATES: &[&str] =
    &["cache-memory", "quick_cache", "TinyUFO", "moka", "mini-moka", "foyer-s3fifo", "foyer-lfu"];

/// What is in the columns.
pub fn heading() -> String {
    let mut line = format!("hit ratio, %\n{:<42} {:>8}", "trace", "capacity");
    for name in CRATES.iter().chain(&["lru", "belady"]) {
        line += &format!(" {name:>12}");
    }
    line
}

/// One trace at one capacity.
pub fn line(pair: &Pair) -> String {
    let mut line = format!("{:<42} {:>8}", pair.trace, pair.capacity);
    let crates = CRATES.iter().map(|name| pair.crates.get(name).copied().unwrap_or(0.0));
    for hit_ratio in crates.chain([pair.lru, pair.belady]) {
        line += &format!(" {:>12.2}", 100.0 * hit_ratio);
    }
    line
}

/// The few numbers in words.
pub fn summary(lines: &[Value]) -> String {
    let mut text = String::new();
    for line in lines {
        let kind = if line["loops"] == true { "loops" } else { "all but loops" };
        let name = line["crate"].as_str().unwrap_or("");
        let pairs = &line["pairs"];
        text += &match (line["mean_gain"].as_f64(), line["share"].as_f64()) {
            (Some(gain), _) => {
                format!(
                    "{name:<14} {gain:>7.3} of what lies between LRU and the best possible, mean of {pairs} pairs, {kind}\n"
                )
            }
            (_, Some(share)) => {
                format!(
                    "{name:<14} at most 3 points behind the best crate in {:.0} % of {pairs} pairs, {kind}\n",
                    100.0 * share
                )
            }
            _ => String::new(),
        };
    }
    text
}
