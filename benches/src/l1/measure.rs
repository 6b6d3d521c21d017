//! All contenders in turn, round by round.

use super::case::{Case, Kind, Plan};
use super::field::{Role, field};
use super::result::{Measured, Results};
use crate::random::Random;

/// Calls of a thread in a round.
const CALLS: usize = 100_000;

/// Rounds with the same caches, after one that warms up.
const ROUNDS_OF_A_FIELD: usize = 5;

/// Everybody gets the same calls in a round, in an order that is drawn for each, so that a change of the machine's speed
/// meets all alike. After some rounds all caches are made anew.
pub fn measure(case: &'static Case, threads: usize, rounds: usize, seed: u64) -> Results {
    let mut random = Random::new(seed);
    let mut all: Vec<Measured> = Vec::new();
    let mut left = rounds;
    while left > 0 {
        let field = field(case, threads, &mut random);
        let mut plan = Plan::new(case, random.bits());
        if all.is_empty() {
            all.extend(field.iter().map(|runner| Measured::new(runner.name(), runner.role())));
        }
        let mut order: Vec<usize> = (0..field.len()).collect();
        for round in 0..=ROUNDS_OF_A_FIELD.min(left) {
            let steps: Vec<_> = (0..threads).map(|_| plan.next(CALLS)).collect();
            random.shuffle(&mut order);
            for &at in &order {
                let tally = field[at].run(&steps);
                if round > 0 {
                    all[at].add(tally, CALLS);
                }
            }
        }
        left -= ROUNDS_OF_A_FIELD.min(left);
    }
    for measured in &all {
        let wanted = match case.kind {
            Kind::Hit => 1.0,
            Kind::Miss => 0.0,
            Kind::Insert | Kind::Overwrite | Kind::Mix => continue,
        };
        if measured.role != Role::Floor && measured.hit_ratio() != Some(wanted) {
            eprintln!("{}: {} hits {:?} of the reads", case.name, measured.name, measured.hit_ratio());
        }
    }
    Results { case, threads, rounds, all }
}
