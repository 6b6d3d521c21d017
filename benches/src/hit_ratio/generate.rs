//! Made-up traces, of the kinds that tell policies apart. Each comes from its seed.

use super::trace::Trace;
use crate::random::{Random, Zipf};

/// Requests of each trace.
pub const REQUESTS: usize = 500_000;
/// Keys that are asked for again and again.
const KEYS: usize = 100_000;
/// Where keys begin that are not among those.
const OTHERS: u64 = 1 << 32;
/// The first of the seeds; each trace has the next.
pub const SEED: u64 = 1000;

/// All of them, each of so many requests.
pub fn all(requests: usize) -> Vec<Trace> {
    let exponents = [0.6, 0.8, 1.0, 1.2];
    let mut kinds: Vec<Kind> = exponents.map(zipf).into();
    kinds.extend([scans(), one_hit_wonders(), shifting(), looping(), loop_among_zipf()]);
    kinds.into_iter().map(|kind| kind.trace(requests)).collect()
}

/// Draws the key of the request at a place.
type Draw = Box<dyn FnMut(&mut Random, usize) -> u64>;

/// How a trace is made.
struct Kind {
    name: String,
    is_loop: bool,
    seed: u64,
    key: Draw,
}

impl Kind {
    fn trace(mut self, requests: usize) -> Trace {
        let mut random = Random::new(self.seed);
        let keys = (0..requests).map(|at| (self.key)(&mut random, at)).collect();
        Trace { name: format!("{}, seed {}", self.name, self.seed), keys, is_loop: self.is_loop }
    }
}

fn kind(name: &str, is_loop: bool, seed: u64, key: impl FnMut(&mut Random, usize) -> u64 + 'static) -> Kind {
    Kind { name: name.into(), is_loop, seed, key: Box::new(key) }
}

/// Nothing but Zipf's law.
fn zipf(exponent: f64) -> Kind {
    let zipf = Zipf::new(KEYS, exponent);
    let seed = SEED + (exponent * 10.0).round() as u64;
    kind(&format!("zipf {exponent}"), false, seed, move |random, _| zipf.draw(random) as u64)
}

/// Twice in 100 000 requests somebody reads through 20 000 keys in order, half of the scans through the same ones.
fn scans() -> Kind {
    let zipf = Zipf::new(KEYS, 0.9);
    kind("scans among zipf 0.9", false, SEED + 21, move |random, at| {
        let (scan, offset) = (at / 50_000, at % 50_000);
        match offset.checked_sub(30_000) {
            Some(step) if scan % 2 == 0 => OTHERS + step as u64,
            Some(step) => OTHERS * (2 + scan as u64) + step as u64,
            None => zipf.draw(random) as u64,
        }
    })
}

/// Every third request is for a key that never comes again.
fn one_hit_wonders() -> Kind {
    let zipf = Zipf::new(KEYS, 0.9);
    kind("one-hit wonders among zipf 0.9", false, SEED + 22, move |random, at| {
        if random.below(3) == 0 { OTHERS + at as u64 } else { zipf.draw(random) as u64 }
    })
}

/// What is asked for most changes every 50 000 requests; a tenth of the requests go anywhere.
fn shifting() -> Kind {
    let zipf = Zipf::new(5_000, 0.8);
    kind("shifting hot sets", false, SEED + 23, move |random, at| {
        let hot = (at / 50_000) as u64 * 5_000;
        if random.below(10) == 0 {
            OTHERS + random.below(KEYS) as u64
        } else {
            hot + zipf.draw(random) as u64
        }
    })
}

/// Round and round through 10 000 keys.
fn looping() -> Kind {
    kind("loop", true, SEED + 24, |_, at| at as u64 % 10_000)
}

/// The same, half of the time.
fn loop_among_zipf() -> Kind {
    let zipf = Zipf::new(10_000, 0.9);
    let mut next = 0;
    kind("loop among zipf 0.9", true, SEED + 25, move |random, _| {
        if random.below(2) == 0 {
            return zipf.draw(random) as u64;
        }
        next += 1;
        OTHERS + next % 10_000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trace_is_the_same_each_time_and_says_its_seed() {
        let (once, again) = (all(1000), all(1000));
        assert!(once.len() == again.len() && once.iter().zip(&again).all(|(one, other)| one == other));
        assert!(once.iter().all(|trace| trace.name.contains("seed 10") && trace.keys.len() == 1000));
    }

    #[test]
    fn wonders_come_once_and_loops_come_round() {
        let wonders = one_hit_wonders().trace(3000);
        let mut once: Vec<u64> = wonders.keys.into_iter().filter(|&key| key >= OTHERS).collect();
        once.dedup();
        assert!((800..1200).contains(&once.len()), "{}", once.len());
        let looping = looping().trace(20_000);
        assert!(looping.is_loop && looping.keys[..10_000] == looping.keys[10_000..]);
    }

    #[test]
    fn hot_sets_do_not_meet() {
        let keys = shifting().trace(100_000).keys;
        let hot = |keys: &[u64]| keys.iter().copied().filter(|&key| key < OTHERS).collect::<Vec<_>>();
        let (early, late) = keys.split_at(50_000);
        assert!(hot(early).iter().max() < hot(late).iter().min());
    }

    #[test]
    fn every_other_scan_reads_what_was_read_before() {
        let keys = scans().trace(200_000).keys;
        let scan = |at: usize| &keys[at * 50_000 + 30_000..(at + 1) * 50_000];
        assert_eq!(scan(0), scan(2));
        assert!(!scan(0).contains(&scan(1)[0]) && scan(1)[0] != scan(3)[0]);
    }
}
