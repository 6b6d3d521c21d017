//! What was measured, as ratios within rounds, as a table and as JSON.

use serde_json::{Value, json};

use super::calls::Tally;
use super::case::Case;
use super::field::Role;
use crate::statistics::{median, median_upper_95, quantile};

/// One contender's rounds.
#[derive(Debug)]
pub struct Measured {
    /// As it is called in reports.
    pub name: &'static str,
    /// What it is compared as.
    pub role: Role,
    /// Nanoseconds a call, round by round.
    ns: Vec<f64>,
    hits: usize,
    reads: usize,
}

impl Measured {
    /// Nothing yet.
    pub fn new(name: &'static str, role: Role) -> Self {
        Self { name, role, ns: Vec::new(), hits: 0, reads: 0 }
    }

    /// One round more, of so many calls in each thread.
    pub fn add(&mut self, tally: Tally, calls: usize) {
        self.ns.push(tally.ns / calls as f64);
        self.hits += tally.hits;
        self.reads += tally.reads;
    }

    /// Reads that found something, 0 to 1, if there were any.
    pub fn hit_ratio(&self) -> Option<f64> {
        (self.reads > 0).then(|| self.hits as f64 / self.reads as f64)
    }

    /// What this one took over what another took, in each round.
    fn ratios_to(&self, other: &Self) -> Vec<f64> {
        self.ns.iter().zip(&other.ns).map(|(ours, theirs)| ours / theirs).collect()
    }
}

/// All contenders in one case.
#[derive(Debug)]
pub struct Results {
    /// What was measured.
    pub case: &'static Case,
    /// By how many threads at once.
    pub threads: usize,
    /// How often.
    pub rounds: usize,
    /// Everybody.
    pub all: Vec<Measured>,
}

impl Results {
    /// The peer with the lowest median.
    fn best_peer(&self) -> Option<&Measured> {
        let peers = self.all.iter().filter(|measured| measured.role == Role::Peer);
        peers.min_by(|one, other| median(&one.ns).total_cmp(&median(&other.ns)))
    }

    /// One object for each contender.
    pub fn json(&self) -> Vec<Value> {
        let best = self.best_peer();
        let floor = self.all.iter().find(|measured| measured.name == "HashMap");
        let line = |measured: &Measured| {
            let mut line = json!({
                "bench": self.case.name,
                "crate": measured.name,
                "threads": self.threads,
                "ns_per_op": round(median(&measured.ns)),
                "ns_quartiles": [round(quantile(&measured.ns, 0.25)), round(quantile(&measured.ns, 0.75))],
                "rounds": self.rounds,
                "keys": self.case.keys,
                "capacity": self.case.capacity,
            });
            if let Some(best) = best {
                let ratios = measured.ratios_to(best);
                line["best_peer"] = best.name.into();
                line["ratio_to_best_peer"] = round(median(&ratios)).into();
                line["ratio_upper_95"] = round(median_upper_95(&ratios)).into();
            }
            if let Some(floor) = floor {
                let ratios = measured.ratios_to(floor);
                line["ratio_to_hashmap"] = round(median(&ratios)).into();
                line["ratio_to_hashmap_upper_95"] = round(median_upper_95(&ratios)).into();
            }
            if let Some(hit_ratio) = measured.hit_ratio() {
                line["hit_ratio"] = round(hit_ratio).into();
            }
            line
        };
        self.all.iter().map(line).collect()
    }

    /// A table for people, the fastest first.
    pub fn table(&self) -> String {
        let (name, threads) = (self.case.name, self.threads);
        let mut text = format!("{name}, {threads} thread(s), {} rounds\n", self.rounds);
        text += "  crate              ns/op   quartiles        to best peer (95 %)   to HashMap   hits\n";
        let mut lines = self.json();
        lines.sort_by(|one, other| {
            one["ns_per_op"].as_f64().unwrap_or(0.0).total_cmp(&other["ns_per_op"].as_f64().unwrap_or(0.0))
        });
        for line in lines {
            let number = |value: &Value, digits: usize| {
                value.as_f64().map_or_else(String::new, |n| format!("{n:.digits$}"))
            };
            let quartiles =
                format!("{} to {}", number(&line["ns_quartiles"][0], 0), number(&line["ns_quartiles"][1], 0));
            text += &format!(
                "  {:<14} {:>9}   {:<15}  {:>6} (<= {})        {:>6}       {}\n",
                line["crate"].as_str().unwrap_or(""),
                number(&line["ns_per_op"], 1),
                quartiles,
                number(&line["ratio_to_best_peer"], 3),
                number(&line["ratio_upper_95"], 3),
                number(&line["ratio_to_hashmap"], 2),
                number(&line["hit_ratio"], 3),
            );
        }
        text
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
