//! What a cache may hold, and among how many shards that is divided.

use std::thread::available_parallelism;

use cache_core::Problems;

/// The most entries that a cache may be made for.
pub const MAX_ENTRIES: usize = 100_000_000;

/// A shard has at least about this many entries, so that its queues tell what is worth keeping.
const ENTRIES_A_SHARD: usize = 125;
const SHARDS_A_CORE: usize = 4;

pub(crate) fn check(max_entries: usize, max_weight: u64, problems: &mut Problems) {
    problems.check((1..=MAX_ENTRIES).contains(&max_entries), || {
        format!("max_entries: {max_entries} given, 1 to {MAX_ENTRIES} allowed")
    });
    problems.check(max_weight > 0, || "max_weight: 0 given, at least 1 allowed".into());
}

/// A power of two.
pub(crate) fn shards(max_entries: usize) -> usize {
    let most = SHARDS_A_CORE * available_parallelism().map_or(1, usize::from);
    let shards = (max_entries / ENTRIES_A_SHARD).clamp(1, most);
    1 << shards.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_cache_has_one_shard_and_a_large_one_at_most_four_a_core() {
        for small in [1, 50, 125, 249] {
            assert_eq!(shards(small), 1);
        }
        let large = shards(MAX_ENTRIES);
        assert!(large.is_power_of_two() && large <= 4 * available_parallelism().map_or(1, usize::from));
    }
}
