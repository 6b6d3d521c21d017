//! All pairs of trace and capacity in a few numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// This project's.
const OURS: &str = "cache-memory";
/// Where the best possible is nearer to LRU than this, there is nothing to tell policies apart by.
const LEAST_ROOM: f64 = 0.005;
/// As near to the best crate as this, 3 points, is near.
const NEAR: f64 = 0.03;

/// One trace at one capacity.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The trace's name.
    pub trace: String,
    /// Entries.
    pub capacity: usize,
    /// Whether the trace is a loop.
    pub is_loop: bool,
    /// The hit ratio of exact LRU.
    pub lru: f64,
    /// The highest possible hit ratio.
    pub belady: f64,
    /// The hit ratio of every crate, by name.
    pub crates: BTreeMap<&'static str, f64>,
}

impl Pair {
    /// One object for each.
    pub fn json(&self) -> Vec<Value> {
        let references = [("lru", self.lru), ("belady", self.belady)];
        let line = |(name, hit_ratio): (&str, f64)| {
            json!({
                "bench": "hit_ratio", "trace": self.trace, "capacity": self.capacity, "crate": name,
                "hit_ratio": round(hit_ratio), "loop": self.is_loop,
            })
        };
        self.crates.iter().map(|(name, hit_ratio)| (*name, *hit_ratio)).chain(references).map(line).collect()
    }

    /// Of what there is between LRU and the best possible, the share that the crate gets; less than 0 below LRU.
    fn gains(&self) -> Option<impl Iterator<Item = (&'static str, f64)> + '_> {
        let room = self.belady - self.lru;
        (room >= LEAST_ROOM)
            .then(|| self.crates.iter().map(move |(name, hit_ratio)| (*name, (hit_ratio - self.lru) / room)))
    }

    /// Whether ours is at most 3 points behind the best.
    fn is_near(&self) -> bool {
        let best = self.crates.values().fold(0.0, |best: f64, hit_ratio| best.max(*hit_ratio));
        self.crates.get(OURS).is_some_and(|ours| best - ours <= NEAR + 1e-9)
    }
}

/// The mean gain of each crate, and how often ours is near the best; loops apart.
pub fn summary(pairs: &[Pair]) -> Vec<Value> {
    let mut lines = Vec::new();
    for is_loop in [false, true] {
        let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.is_loop == is_loop).collect();
        if pairs.is_empty() {
            continue;
        }
        let mut gains: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, gain) in pairs.iter().filter_map(|pair| pair.gains()).flatten() {
            gains.entry(name).or_default().push(gain);
        }
        for (name, gains) in gains {
            lines.push(json!({
                "bench": "hit_ratio_summary", "loops": is_loop, "crate": name, "pairs": gains.len(),
                "mean_gain": round(gains.iter().sum::<f64>() / gains.len() as f64),
            }));
        }
        let near = pairs.iter().filter(|pair| pair.is_near()).count();
        lines.push(json!({
            "bench": "hit_ratio_near_best", "loops": is_loop, "crate": OURS, "pairs": pairs.len(), "points": 3,
            "share": round(near as f64 / pairs.len() as f64),
        }));
    }
    lines
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(is_loop: bool, lru: f64, belady: f64, ours: f64, other: f64) -> Pair {
        let crates = BTreeMap::from([(OURS, ours), ("other", other)]);
        Pair { trace: "t".into(), capacity: 10, is_loop, lru, belady, crates }
    }

    #[test]
    fn gains_are_shares_of_the_room_above_lru_and_loops_stand_apart() {
        let pairs = [
            pair(false, 0.2, 0.6, 0.4, 0.3),
            pair(false, 0.2, 0.6, 0.3, 0.34),
            pair(false, 0.5, 0.504, 0.1, 0.5),
            pair(true, 0.0, 1.0, 0.5, 0.0),
        ];
        let lines = summary(&pairs);
        let of = |name: &str, bench: &str, loops: bool| {
            lines
                .iter()
                .find(|line| line["crate"] == name && line["bench"] == bench && line["loops"] == loops)
        };
        let ours = of(OURS, "hit_ratio_summary", false).unwrap();
        assert_eq!((&ours["mean_gain"], &ours["pairs"]), (&0.375.into(), &2.into()));
        assert_eq!(of("other", "hit_ratio_summary", false).unwrap()["mean_gain"], 0.3);
        assert_eq!(of(OURS, "hit_ratio_summary", true).unwrap()["mean_gain"], 0.5);
        // Best; four points behind; forty behind.
        let near = of(OURS, "hit_ratio_near_best", false).unwrap();
        assert_eq!((&near["share"], &near["pairs"]), (&0.3333.into(), &3.into()));
    }

    #[test]
    fn three_points_behind_are_near() {
        assert!(pair(false, 0.0, 1.0, 0.47, 0.5).is_near() && !pair(false, 0.0, 1.0, 0.469, 0.5).is_near());
    }

    #[test]
    fn a_line_says_trace_capacity_crate_and_hit_ratio() {
        let lines = pair(false, 0.2, 0.6, 0.4, 0.3).json();
        let names: Vec<_> = lines.iter().map(|line| line["crate"].as_str().unwrap()).collect();
        assert_eq!(names, [OURS, "other", "lru", "belady"]);
        assert_eq!((&lines[0]["trace"], &lines[0]["capacity"]), (&"t".into(), &10.into()));
        assert_eq!(lines[0]["hit_ratio"], 0.4);
    }
}
