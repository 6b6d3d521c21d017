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
    wall: Vec<f64>,
    cpu: Vec<f64>,
    hits: usize,
    reads: usize,
}

impl Measured {
    /// Nothing yet.
    pub fn new(name: &'static str, role: Role) -> Self {
        Self { name, role, wall: Vec::new(), cpu: Vec::new(), hits: 0, reads: 0 }
    }

    /// One round more, of so many calls in each thread.
    pub fn add(&mut self, tally: Tally, calls: usize) {
        self.wall.push(tally.wall_ns / calls as f64);
        self.cpu.push(tally.cpu_ns / calls as f64);
        self.hits += tally.hits;
        self.reads += tally.reads;
    }

    /// Reads that found something, 0 to 1, if there were any.
    pub fn hit_ratio(&self) -> Option<f64> {
        (self.reads > 0).then(|| self.hits as f64 / self.reads as f64)
    }

    /// What counts. One thread waits for nobody, so it is the time that it ran. Of several, waiting is a part.
    fn ns(&self, threads: usize) -> &[f64] {
        if threads == 1 { &self.cpu } else { &self.wall }
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
        peers.min_by(|one, other| self.median(one).total_cmp(&self.median(other)))
    }

    fn median(&self, measured: &Measured) -> f64 {
        median(measured.ns(self.threads))
    }

    /// One object for each contender.
    pub fn json(&self) -> Vec<Value> {
        let best = self.best_peer();
        let floor = self.all.iter().find(|measured| measured.name == "HashMap");
        self.all.iter().map(|measured| self.line(measured, best, floor)).collect()
    }

    fn line(&self, measured: &Measured, best: Option<&Measured>, floor: Option<&Measured>) -> Value {
        let ns = measured.ns(self.threads);
        let mut line = json!({
            "bench": self.case.name,
            "crate": measured.name,
            "threads": self.threads,
            "ns_per_op": round(median(ns)),
            "ns_quartiles": [round(quantile(ns, 0.25)), round(quantile(ns, 0.75))],
            "clock": if self.threads == 1 { "cpu" } else { "wall" },
            "cpu_ns_per_op": round(median(&measured.cpu)),
            "wall_ns_per_op": round(median(&measured.wall)),
            "rounds": self.rounds,
            "keys": self.case.keys,
            "capacity": self.case.capacity,
        });
        if let Some(best) = best {
            let ratios = ratios(ns, best.ns(self.threads));
            line["best_peer"] = best.name.into();
            line["ratio_to_best_peer"] = round(median(&ratios)).into();
            line["ratio_upper_95"] = round(median_upper_95(&ratios)).into();
        }
        if let Some(floor) = floor {
            let ratios = ratios(ns, floor.ns(self.threads));
            line["ratio_to_hashmap"] = round(median(&ratios)).into();
            line["ratio_to_hashmap_upper_95"] = round(median_upper_95(&ratios)).into();
        }
        if let Some(hit_ratio) = measured.hit_ratio() {
            line["hit_ratio"] = round(hit_ratio).into();
        }
        line
    }

    /// A table for people, the fastest first.
    pub fn table(&self) -> String {
        let clock = if self.threads == 1 { "time that the thread ran" } else { "time that passed" };
        let (name, threads) = (self.case.name, self.threads);
        let mut text = format!("{name}, {threads} thread(s), {clock}, {} rounds\n", self.rounds);
        text += "  crate              ns/op   quartiles        to best peer (95 %)   to HashMap   hits\n";
        let mut lines = self.json();
        let ns = |line: &Value| line["ns_per_op"].as_f64().unwrap_or(0.0);
        lines.sort_by(|one, other| ns(one).total_cmp(&ns(other)));
        for line in lines {
            let number = |value: &Value, digits: usize| {
                value.as_f64().map_or_else(String::new, |number| format!("{number:.digits$}"))
            };
            let [low, high] = [0, 1].map(|at| number(&line["ns_quartiles"][at], 0));
            let quartiles = format!("{low} to {high}");
            text += &format!(
                "  {:<14} {:>9}   {quartiles:<15}  {:>6} (<= {:>6})     {:>6}       {}\n",
                line["crate"].as_str().unwrap_or(""),
                number(&line["ns_per_op"], 1),
                number(&line["ratio_to_best_peer"], 3),
                number(&line["ratio_upper_95"], 3),
                number(&line["ratio_to_hashmap"], 2),
                number(&line["hit_ratio"], 3),
            );
        }
        text
    }
}

/// What one took over what another took, in each round.
fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::case::CASES;
    use super::*;

    fn measured(name: &'static str, role: Role, rounds: &[f64]) -> Measured {
        let mut measured = Measured::new(name, role);
        for &ns in rounds {
            measured.add(Tally { wall_ns: 10.0 * ns, cpu_ns: ns, hits: 1, reads: 2 }, 1);
        }
        measured
    }

    fn results(threads: usize) -> Results {
        let all = vec![
            measured("cache-memory", Role::Ours, &[20.0, 40.0, 60.0]),
            measured("slow", Role::Peer, &[90.0, 90.0, 90.0]),
            measured("quick", Role::Peer, &[10.0, 40.0, 20.0]),
            measured("HashMap", Role::Floor, &[10.0, 10.0, 10.0]),
        ];
        Results { case: &CASES[0], threads, rounds: 3, all }
    }

    #[test]
    fn ratios_are_within_rounds_and_to_the_fastest_that_is_bounded() {
        let line = &results(1).json()[0];
        assert_eq!((&line["bench"], &line["crate"]), (&"get_hit".into(), &"cache-memory".into()));
        assert_eq!((&line["ns_per_op"], &line["best_peer"]), (&40.0.into(), &"quick".into()));
        assert_eq!((&line["ratio_to_best_peer"], &line["ratio_upper_95"]), (&2.0.into(), &3.0.into()));
        assert_eq!((&line["ratio_to_hashmap"], &line["hit_ratio"]), (&4.0.into(), &0.5.into()));
    }

    #[test]
    fn of_several_threads_the_time_that_passed_counts() {
        let line = &results(2).json()[0];
        assert_eq!((&line["ns_per_op"], &line["cpu_ns_per_op"]), (&400.0.into(), &40.0.into()));
    }

    #[test]
    fn the_table_has_the_fastest_first() {
        let table = results(1).table();
        let at = |name: &str| table.lines().position(|line| line.contains(name)).unwrap();
        assert!(at("HashMap  ") < at("quick") && at("quick") < at("cache-memory"), "{table}");
    }
}
