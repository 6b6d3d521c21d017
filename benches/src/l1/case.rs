//! What is measured.

use crate::random::{Random, Zipf};

/// Skew of the reads, as web traffic has it.
const EXPONENT: f64 = 0.99;
/// Where the keys begin that nobody inserts.
const MISSING: u64 = 90_000_000;
/// Where the keys begin that are inserted once.
const NEW: u64 = 10_000_000;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// As it is called in reports.
    pub name: &'static str,
    /// What the calls are.
    pub kind: Kind,
    /// Keys that are in the cache from the start; those of a [`Kind::Mix`] are drawn from twice as many.
    pub keys: usize,
    /// Entries that the cache is made for.
    pub capacity: usize,
}

/// The calls of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads of keys that are there.
    Hit,
    /// Reads of keys that were never there.
    Miss,
    /// Inserts of new keys into a full cache.
    Insert,
    /// Inserts of keys that are there.
    Overwrite,
    /// Nine reads to one insert, half of the keys not there at the start.
    Mix,
}

const fn case(name: &'static str, kind: Kind, keys: usize, capacity: usize) -> Case {
    Case { name, kind, keys, capacity }
}

/// Where every key has to stay there is room for a quarter more, because caches of several shards evict before they are
/// full.
pub const CASES: &[Case] = &[
    case("get_hit", Kind::Hit, 100_000, 125_000),
    case("get_miss", Kind::Miss, 100_000, 125_000),
    case("insert", Kind::Insert, 100_000, 100_000),
    case("mix", Kind::Mix, 100_000, 100_000),
    case("hot_get_hit", Kind::Hit, 1_000, 1_250),
    case("hot_get_miss", Kind::Miss, 1_000, 1_250),
    case("hot_insert", Kind::Insert, 1_000, 1_000),
    case("hot_mix", Kind::Mix, 1_000, 1_000),
];

/// One call to come: a read, or an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number that the key is made of.
    pub key: u64,
    /// Whether it is an insert.
    pub insert: bool,
}

/// Draws the calls of a case, the same for all contenders.
#[derive(Debug)]
pub struct Plan {
    kind: Kind,
    zipf: Zipf,
    random: Random,
    new: u64,
}

impl Plan {
    /// The same case and seed give the same calls.
    pub fn new(case: &Case, seed: u64) -> Self {
        let ranks = if case.kind == Kind::Mix { 2 * case.keys } else { case.keys };
        Self { kind: case.kind, zipf: Zipf::new(ranks, EXPONENT), random: Random::new(seed), new: NEW }
    }

    /// The next calls of one thread.
    pub fn next(&mut self, calls: usize) -> Vec<Step> {
        (0..calls).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        let mut rank = || self.zipf.draw(&mut self.random) as u64;
        match self.kind {
            Kind::Hit => Step { key: rank(), insert: false },
            Kind::Overwrite => Step { key: rank(), insert: true },
            Kind::Miss => Step { key: MISSING + rank(), insert: false },
            Kind::Mix => {
                let key = rank();
                Step { key, insert: self.random.below(10) == 0 }
            }
            Kind::Insert => {
                self.new += 1;
                Step { key: self.new, insert: true }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(kind: Kind) -> Vec<Step> {
        Plan::new(&case("test", kind, 100, 100), 1).next(2000)
    }

    #[test]
    fn reads_that_hit_are_of_keys_that_are_there_and_misses_of_others() {
        assert!(steps(Kind::Hit).iter().all(|step| step.key < 100 && !step.insert));
        assert!(steps(Kind::Miss).iter().all(|step| step.key >= MISSING && !step.insert));
    }

    #[test]
    fn what_is_overwritten_is_there() {
        assert!(steps(Kind::Overwrite).iter().all(|step| step.key < 100 && step.insert));
    }

    #[test]
    fn no_key_is_inserted_twice() {
        let steps = steps(Kind::Insert);
        assert!(steps.windows(2).all(|pair| pair[0].key < pair[1].key && pair[1].insert));
        assert!(steps[0].key >= NEW && steps[1999].key < MISSING);
    }

    #[test]
    fn a_tenth_of_the_mix_is_inserts() {
        let steps = steps(Kind::Mix);
        let inserts = steps.iter().filter(|step| step.insert).count();
        assert!((150..250).contains(&inserts), "{inserts}");
        assert!(steps.iter().any(|step| step.key >= 100) && steps.iter().all(|step| step.key < 200));
    }
}
