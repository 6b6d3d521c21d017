//! The most hits that any policy could have: Belady's, who knows the future.

use std::collections::BinaryHeap;

use super::trace::Numbered;

/// No later use.
const NEVER: u32 = u32::MAX;

/// Requests that find their key in a cache of this many entries, at least one, that evicts what is used next latest. A
/// key whose next use is later than that of all that are held is not taken in, because caches may decide so too.
pub fn hits(trace: &Numbered, capacity: usize) -> usize {
    let nexts = nexts(trace);
    // The next use of every key that is held, 0 for the others: the first request is nobody's next use.
    let mut held = vec![0; trace.distinct];
    // What is used next latest is on top. Uses that have become past are skipped when they come up.
    let mut latest = BinaryHeap::new();
    let (mut entries, mut hits) = (0, 0);
    for (&key, &next) in trace.keys.iter().zip(&nexts) {
        if held[key as usize] > 0 {
            hits += 1;
        } else {
            entries += 1;
        }
        held[key as usize] = next;
        latest.push((next, key));
        while entries > capacity
            && let Some((next, key)) = latest.pop()
        {
            if held[key as usize] == next {
                held[key as usize] = 0;
                entries -= 1;
            }
        }
    }
    hits
}

/// For each request the place of the next one for its key.
fn nexts(trace: &Numbered) -> Vec<u32> {
    let mut nexts = vec![NEVER; trace.keys.len()];
    let mut seen = vec![NEVER; trace.distinct];
    for (at, &key) in trace.keys.iter().enumerate().rev() {
        nexts[at] = seen[key as usize];
        seen[key as usize] = at as u32;
    }
    nexts
}

#[cfg(test)]
mod tests {
    use super::super::lru;
    use super::*;
    use crate::random::Random;

    fn numbered(keys: &[u32]) -> Numbered {
        Numbered { keys: keys.to_vec(), distinct: 1 + keys.iter().max().copied().unwrap_or(0) as usize }
    }

    #[test]
    fn next_uses_are_found() {
        assert_eq!(nexts(&numbered(&[0, 1, 0, 0, 2])), [2, NEVER, 3, NEVER, NEVER]);
    }

    #[test]
    fn a_small_trace_worked_out_by_hand() {
        // Two entries. 0 1 | 2 is next used latest and not kept | 0 hit, 1 hit | 2 in for 1, which never comes again |
        // 0 hit | 2 hit.
        assert_eq!(hits(&numbered(&[0, 1, 2, 0, 1, 2, 0, 2]), 2), 4);
        // One entry. 0 is used next before 1 is, so 1 is not kept.
        assert_eq!(hits(&numbered(&[0, 1, 0, 1]), 1), 1);
    }

    #[test]
    fn of_a_loop_all_but_what_is_too_much_hits() {
        // Each round misses one of the five that do not fit into four, and hits the rest.
        let keys: Vec<u32> = (0..50).map(|at| at % 5).collect();
        let hits = hits(&numbered(&keys), 4);
        assert!((33..=36).contains(&hits), "{hits}");
    }

    /// All that any policy could do, tried out: 2^misses ways at most.
    fn best(keys: &[u32], held: &[u32], capacity: usize) -> usize {
        let Some((key, rest)) = keys.split_first() else { return 0 };
        if held.contains(key) {
            return 1 + best(rest, held, capacity);
        }
        let with = |left_out: usize| {
            let all: Vec<u32> = held.iter().chain([key]).copied().collect();
            all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, key)| *key).collect::<Vec<_>>()
        };
        if held.len() < capacity {
            return best(rest, &with(usize::MAX), capacity);
        }
        (0..=held.len()).map(|left_out| best(rest, &with(left_out), capacity)).max().unwrap_or(0)
    }

    #[test]
    fn no_policy_does_better_and_lru_never_does() {
        let mut random = Random::new(3);
        for _ in 0..200 {
            let keys: Vec<u32> = (0..9).map(|_| random.below(4) as u32).collect();
            for capacity in [1, 2, 3] {
                let most = best(&keys, &[], capacity);
                let trace = numbered(&keys);
                assert_eq!(hits(&trace, capacity), most, "{keys:?}, {capacity} entries");
                assert!(lru::hits(&trace, capacity) <= most);
            }
        }
    }
}
