//! Real caches, used as caches are: read, and on a miss insert.

use super::trace::Trace;
use crate::contender::Contender;
use crate::contenders::foyer::{FoyerLfu, FoyerS3Fifo};
use crate::contenders::moka::{MiniMoka, Moka};
use crate::contenders::ours::Ours;
use crate::contenders::quick_cache::QuickCache;
use crate::contenders::tiny_ufo::TinyUfo;

/// How one cache did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replayed {
    /// As it is called in reports.
    pub name: &'static str,
    /// Reads that found something, 0 to 1.
    pub hit_ratio: f64,
    /// Entries at the end: more than the capacity is cheating.
    pub entries: usize,
}

/// Runs the trace through everybody.
pub fn everybody(trace: &Trace, capacity: usize) -> Vec<Replayed> {
    vec![
        replay::<Ours<_, _>>(trace, capacity),
        replay::<QuickCache<_, _>>(trace, capacity),
        replay::<TinyUfo<_, _>>(trace, capacity),
        replay::<Moka<_, _>>(trace, capacity),
        replay::<MiniMoka<_, _>>(trace, capacity),
        replay::<FoyerS3Fifo<_, _>>(trace, capacity),
        replay::<FoyerLfu<_, _>>(trace, capacity),
    ]
}

/// Caches that put work off do it after every insert, so that none holds more than it may, and none is late to learn what
/// is read.
fn replay<C: Contender<u64, ()>>(trace: &Trace, capacity: usize) -> Replayed {
    let cache = C::with_capacity(capacity);
    let mut hits = 0;
    for key in &trace.keys {
        if cache.see(key, |()| ()).is_some() {
            hits += 1;
        } else {
            cache.insert(*key, ());
            cache.settle();
        }
    }
    let mut keys = trace.keys.clone();
    keys.sort_unstable();
    keys.dedup();
    let entries = keys.iter().filter(|key| cache.see(key, |()| ()).is_some()).count();
    Replayed { name: C::NAME, hit_ratio: f64::from(hits) / trace.keys.len() as f64, entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_finds_what_fits_and_holds_no_more_than_he_may() {
        let keys: Vec<u64> = (0..20_000).map(|at| at % 500).collect();
        let trace = Trace { name: "test".into(), keys, is_loop: false };
        for cache in everybody(&trace, 1000) {
            assert!(cache.hit_ratio > 0.9 && cache.entries <= 500, "{cache:?}");
        }
        for cache in everybody(&trace, 100) {
            // Those of several shards round up.
            assert!(cache.entries <= 128, "{cache:?}");
        }
    }
}
