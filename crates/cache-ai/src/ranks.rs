//! Which answers go first when there is not room for all: GreedyDual-Size-Frequency.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cache_core::Moment;

/// The order in which answers go: the lowest rank first, and of equal ranks the one that was used longest ago.
type Rank = (u64, u64);

/// The ranks of what is held. An answer's rank is what it is worth per byte for each time that it was wanted, on top of the
/// rank of the last that went: so what was worth much, and is not wanted any more, goes as well in the end.
#[derive(Debug, Default)]
pub(crate) struct Ranks {
    ranked: HashMap<Arc<str>, Ranked>,
    order: BTreeMap<Rank, Arc<str>>,
    by_end: BTreeSet<(Moment, Arc<str>)>,
    /// Of all of them together.
    weight: u64,
    /// The rank of the last that went.
    floor: f64,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Ranked {
    hash: u64,
    weight: u64,
    ends: Moment,
    worth: f64,
    wanted: f64,
    rank: Rank,
    /// Where it stands in the order, which is brought up to date when its turn comes.
    filed: Rank,
}

impl Ranks {
    /// An answer is held, in the place of an older one under its key.
    pub(crate) fn put(&mut self, hash: u64, key: &str, weight: u64, ends: Moment, worth: f64) {
        let wanted = self.remove(key).map_or(1.0, |older| older.wanted);
        let key: Arc<str> = key.into();
        let rank = self.next_rank(worth, wanted, weight);
        self.order.insert(rank, Arc::clone(&key));
        self.by_end.insert((ends, Arc::clone(&key)));
        self.weight = self.weight.saturating_add(weight);
        self.ranked.insert(key, Ranked { hash, weight, ends, worth, wanted, rank, filed: rank });
    }

    /// An answer was wanted.
    pub(crate) fn touch(&mut self, key: &str) {
        self.change(key, |it| it.wanted += 1.0);
    }

    /// What an answer is worth is known better.
    pub(crate) fn learn(&mut self, key: &str, worth: f64) {
        self.change(key, |it| it.worth = worth);
    }

    fn change(&mut self, key: &str, change: impl FnOnce(&mut Ranked)) {
        let Some(it) = self.ranked.get_mut(key) else { return };
        change(it);
        let (worth, wanted, weight) = (it.worth, it.wanted, it.weight);
        let rank = self.next_rank(worth, wanted, weight);
        let Some(it) = self.ranked.get_mut(key) else { return };
        it.rank = rank;
        // It is worth less than was thought. What is worth more is filed anew when its turn comes.
        if rank < it.filed {
            let filed = std::mem::replace(&mut it.filed, rank);
            if let Some(key) = self.order.remove(&filed) {
                self.order.insert(rank, key);
            }
        }
    }

    fn next_rank(&mut self, worth: f64, wanted: f64, weight: u64) -> Rank {
        self.clock += 1;
        let rank = self.floor + wanted * worth / weight.max(1) as f64;
        // Floats that are not negative are in the order of their bits.
        (rank.max(0.0).to_bits(), self.clock)
    }

    pub(crate) fn forget(&mut self, key: &str) {
        self.remove(key);
    }

    fn remove(&mut self, key: &str) -> Option<Ranked> {
        let (key, it) = self.ranked.remove_entry(key)?;
        self.order.remove(&it.filed);
        self.by_end.remove(&(it.ends, key));
        self.weight = self.weight.saturating_sub(it.weight);
        Some(it)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let clock = self.clock;
        *self = Self { clock, ..Self::default() };
    }

    /// Forgets what has ended.
    pub(crate) fn end(&mut self, now: Moment) {
        while let Some((_, key)) = self.by_end.first().filter(|(ends, _)| *ends <= now) {
            let key = Arc::clone(key);
            self.remove(&key);
        }
    }

    /// Takes out the answer that is to go, with its hash.
    pub(crate) fn pop(&mut self) -> Option<(u64, Arc<str>)> {
        loop {
            let (filed, key) = self.order.pop_first()?;
            let Some(it) = self.ranked.get_mut(&key) else { continue };
            if it.rank > filed {
                it.filed = it.rank;
                self.order.insert(it.rank, key);
                continue;
            }
            self.floor = f64::from_bits(it.rank.0).max(self.floor);
            let hash = it.hash;
            self.remove(&key);
            return Some((hash, key));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ranked.len()
    }

    /// The weight of all that is held.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn end() -> Moment {
        Moment::START + Duration::from_secs(100)
    }

    fn ranks(all: &[(&str, f64)]) -> Ranks {
        let mut ranks = Ranks::default();
        for (key, worth) in all {
            ranks.put(7, key, 100, end(), *worth);
        }
        ranks
    }

    fn order(mut ranks: Ranks) -> Vec<String> {
        std::iter::from_fn(|| ranks.pop()).map(|(_, key)| key.to_string()).collect()
    }

    #[test]
    fn what_is_worth_least_for_its_size_and_use_goes_first() {
        assert_eq!(order(ranks(&[("b", 2.0), ("a", 1.0), ("c", 3.0)])), ["a", "b", "c"]);
        let mut sized = ranks(&[("small", 2.0)]);
        sized.put(7, "large", 1000, end(), 10.0);
        assert_eq!(order(sized), ["large", "small"]);
        let mut used = ranks(&[("a", 2.0), ("b", 3.0)]);
        used.touch("a");
        assert_eq!(order(used), ["b", "a"]);
        let mut known = ranks(&[("a", 0.0), ("b", 3.0)]);
        known.learn("a", 4.0);
        assert_eq!(order(known), ["b", "a"]);
    }

    #[test]
    fn of_equals_the_one_goes_that_was_used_longest_ago() {
        let mut equals = ranks(&[("c", 0.0), ("a", 0.0), ("b", 0.0)]);
        equals.touch("c");
        assert_eq!(order(equals), ["a", "b", "c"]);
    }

    #[test]
    fn what_was_worth_much_goes_in_the_end_if_it_is_not_wanted() {
        let mut ranks = ranks(&[("old", 50.0)]);
        let gone = (0..1000).position(|at| {
            ranks.put(7, &at.to_string(), 100, end(), 1.0);
            ranks.pop().is_some_and(|(_, key)| &*key == "old")
        });
        assert!(gone.is_some_and(|at| (40..60).contains(&at)), "{gone:?}");
    }

    #[test]
    fn nothing_stays_that_is_not_held() {
        let mut it = ranks(&[("a", 1.0), ("b", 1.0), ("c", 1.0), ("a", 2.0)]);
        assert_eq!(it.len(), 3);
        it.forget("b");
        it.put(7, "d", 1, end() + Duration::from_secs(1), 1.0);
        it.end(end());
        assert_eq!((it.len(), it.order.len(), it.by_end.len(), it.weight()), (1, 1, 1, 1));
        it.clear();
        assert_eq!((it.len(), it.order.len(), it.by_end.len(), it.weight()), (0, 0, 0, 0));
        assert!(it.pop().is_none());
    }
}
