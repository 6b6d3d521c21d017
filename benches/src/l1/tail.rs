//! How long the slowest inserts take.

use serde_json::{Value, json};

use super::case::{Case, Plan};
use super::field::field;
use crate::random::Random;
use crate::statistics::{median, quantile};

/// As it is called in reports.
pub const NAME: &str = "insert_tail";
/// Inserts of a contender in a round.
const CALLS: usize = 100_000;

/// One contender's rounds: of each its quantiles.
pub struct Tail {
    name: &'static str,
    rounds: Vec<[f64; 4]>,
}

/// Times every insert into a full cache. Quantiles are taken within a round, and the median of the rounds counts: what
/// happens to one round, because somebody else needed the machine, does not show.
pub fn measure(case: &'static Case, rounds: usize, seed: u64) -> Vec<Tail> {
    let field = field(case, 1, &mut Random::new(seed));
    let (mut plan, mut random) = (Plan::new(case, seed), Random::new(seed));
    let mut all: Vec<Tail> =
        field.iter().map(|runner| Tail { name: runner.name(), rounds: Vec::new() }).collect();
    let mut order: Vec<usize> = (0..field.len()).collect();
    for round in 0..=rounds {
        let steps = plan.next(CALLS);
        random.shuffle(&mut order);
        for &at in &order {
            let took = field[at].run_each(&steps);
            if round > 0 {
                all[at].rounds.push([0.5, 0.99, 0.999, 1.0].map(|share| quantile(&took, share)));
            }
        }
    }
    all
}

impl Tail {
    /// One object.
    pub fn json(&self, case: &Case) -> Value {
        let of = |at: usize| median(&self.rounds.iter().map(|round| round[at]).collect::<Vec<_>>());
        let largest = self.rounds.iter().map(|round| round[3]).fold(0.0, f64::max);
        json!({
            "bench": NAME, "crate": self.name, "threads": 1, "capacity": case.capacity, "rounds": self.rounds.len(),
            "p50_ns": of(0), "p99_ns": of(1), "p999_ns": of(2), "max_ns_of_a_round": of(3), "max_ns": largest,
        })
    }
}

/// A table for people.
pub fn table(case: &Case, tails: &[Tail]) -> String {
    let mut text = format!("{NAME}, 1 thread, single inserts into a full cache, ns\n");
    text += "  crate               p50      p99     p99.9    max of a round         max\n";
    for tail in tails {
        let line = tail.json(case);
        let number = |name: &str| line[name].as_f64().unwrap_or(0.0);
        text += &format!(
            "  {:<14} {:>8} {:>8} {:>9} {:>17} {:>11}\n",
            tail.name,
            number("p50_ns"),
            number("p99_ns"),
            number("p999_ns"),
            number("max_ns_of_a_round"),
            number("max_ns")
        );
    }
    text
}
