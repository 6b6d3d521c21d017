//! Exact LRU: the measure that policies are held against.

use super::trace::Numbered;

const NONE: u32 = u32::MAX;

/// Requests that find their key in a cache of this many entries, at least one, that evicts what was not used for
/// longest.
pub fn hits(trace: &Numbered, capacity: usize) -> usize {
    let mut queue = Queue::new(trace.distinct);
    let (mut held, mut hits) = (0, 0);
    for &key in &trace.keys {
        if queue.holds(key) {
            hits += 1;
            queue.remove(key);
        } else if held == capacity {
            queue.remove(queue.last);
        } else {
            held += 1;
        }
        queue.push_first(key);
    }
    hits
}

/// A list through tables: neighbours by number.
struct Queue {
    before: Vec<u32>,
    after: Vec<u32>,
    held: Vec<bool>,
    first: u32,
    last: u32,
}

impl Queue {
    fn new(distinct: usize) -> Self {
        let none = vec![NONE; distinct];
        Self { before: none.clone(), after: none, held: vec![false; distinct], first: NONE, last: NONE }
    }

    fn holds(&self, key: u32) -> bool {
        self.held[key as usize]
    }

    fn push_first(&mut self, key: u32) {
        (self.before[key as usize], self.after[key as usize]) = (NONE, self.first);
        match self.first {
            NONE => self.last = key,
            first => self.before[first as usize] = key,
        }
        self.first = key;
        self.held[key as usize] = true;
    }

    fn remove(&mut self, key: u32) {
        let (before, after) = (self.before[key as usize], self.after[key as usize]);
        match before {
            NONE => self.first = after,
            before => self.after[before as usize] = after,
        }
        match after {
            NONE => self.last = before,
            after => self.before[after as usize] = before,
        }
        self.held[key as usize] = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn numbered(keys: &[u32]) -> Numbered {
        Numbered { keys: keys.to_vec(), distinct: 1 + keys.iter().max().copied().unwrap_or(0) as usize }
    }

    #[test]
    fn the_one_that_was_not_used_for_longest_goes() {
        // 0 and 1 are held; 0 is used again; 2 pushes out 1; then 0 is there and 1 is not.
        assert_eq!(hits(&numbered(&[0, 1, 0, 2, 0, 1]), 2), 2);
        assert_eq!(hits(&numbered(&[0, 0, 1, 1, 0]), 1), 2);
    }

    #[test]
    fn a_loop_that_is_one_too_long_never_hits() {
        let keys: Vec<u32> = (0..50).map(|at| at % 5).collect();
        assert_eq!((hits(&numbered(&keys), 4), hits(&numbered(&keys), 5)), (0, 45));
    }

    #[test]
    fn the_list_does_what_a_vector_does() {
        let mut random = Random::new(11);
        for capacity in [1, 3, 8] {
            let keys: Vec<u32> = (0..2000).map(|_| random.below(20) as u32).collect();
            let (mut held, mut wanted) = (Vec::new(), 0);
            for key in &keys {
                if let Some(at) = held.iter().position(|other| other == key) {
                    held.remove(at);
                    wanted += 1;
                }
                held.insert(0, *key);
                held.truncate(capacity);
            }
            assert_eq!(hits(&numbered(&keys), capacity), wanted);
        }
    }
}
