//! Which entry makes room: S3-FIFO whose border moves.
//!
//! New entries join a small queue. What is hit there twice, with a round in between, moves on to the main queue; the
//! rest is let go and remembered by a ghost. The main queue gives every entry that was hit another round; what it lets
//! go, another ghost remembers. An entry that comes back joins the main queue at once, and says which of the two queues
//! was too short: the border between them moves. A hit only sets a bit, and never moves anything.

use cache_core::Moment;

use crate::entry::{Entry, Queue};
use crate::ghost::{Ghosts, Left};
use crate::slab::{NIL, Slab};

/// The small queue's share of all entries at the start, and how far it may move.
const SHARE: f32 = 0.1;
const LEAST_SHARE: f32 = 0.01;
const MOST_SHARE: f32 = 0.9;
/// What one return adds to the share or takes from it, as a part of one entry's.
const LONGER: f32 = 2.0;
const SHORTER: f32 = 6.0;
/// Entries given another round before one has to go whatever its hits: the bound of the work under the lock.
const MAX_ROUNDS: usize = 64;

pub(crate) struct Queues {
    small: List,
    main: List,
    left: Ghosts,
    share: f32,
    max_entries: usize,
}

impl Queues {
    pub(crate) fn new(max_entries: usize) -> Self {
        Self {
            small: List::EMPTY,
            main: List::EMPTY,
            left: Ghosts::new(max_entries),
            share: SHARE,
            max_entries,
        }
    }

    /// Takes in a new entry. `full` says that another had to make room for it.
    pub(crate) fn admit<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32, full: bool) {
        let Some(entry) = slab.get_mut(index) else { return };
        let back = self.came_back(entry.head.hash);
        // While there is room the main queue is filled first: what it holds of a loop that does not fit, it keeps.
        let fills_main = !full && ratio(self.main.len) < (1.0 - SHARE) * ratio(self.max_entries);
        entry.head.queue = if back || fills_main { Queue::Main } else { Queue::Small };
        self.link(slab, index);
    }

    /// Whether an entry of this hash was let go not long ago. If so, the queue that it had left becomes longer.
    fn came_back(&mut self, hash: u32) -> bool {
        let Some(left) = self.left.take(hash) else { return false };
        let one = 1.0 / ratio(self.len());
        self.share = match left {
            Left::Small => (self.share + LONGER * one).min(MOST_SHARE),
            Left::Main => (self.share - SHORTER * one).max(LEAST_SHARE),
        };
        true
    }

    /// Puts an entry in front of the queue that it names.
    pub(crate) fn link<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        self.list(entry.head.queue).push(slab, index);
    }

    /// Takes an entry out of its queue.
    pub(crate) fn unlink<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        self.list(entry.head.queue).unlink(slab, index);
    }

    /// The entry that has to go next; it stays in its queue until it is removed. `None` if there is none.
    pub(crate) fn victim<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, now: Moment) -> Option<u32> {
        for _ in 0..MAX_ROUNDS {
            let index = self.last();
            let entry = slab.get_mut(index)?;
            if entry.is_dead(now) || !entry.head.take_hit() {
                return Some(index);
            }
            self.unlink(slab, index);
            if let Some(entry) = slab.get_mut(index) {
                entry.head.queue = match entry.head.queue {
                    Queue::Small => Queue::Spared,
                    Queue::Spared | Queue::Main => Queue::Main,
                };
            }
            self.link(slab, index);
        }
        Some(self.last()).filter(|&index| index != NIL)
    }

    /// Remembers an entry that made room, so that it is known if it comes back.
    pub(crate) fn remember<K, V>(&mut self, victim: &Entry<K, V>) {
        let left = match victim.head.queue {
            Queue::Small | Queue::Spared => Left::Small,
            Queue::Main => Left::Main,
        };
        self.left.remember(victim.head.hash, left, self.len() + 1);
    }

    /// Lets go of all entries at once, because their slots are no longer there; what the ghosts know still helps.
    pub(crate) fn forget_all(&mut self) {
        self.small = List::EMPTY;
        self.main = List::EMPTY;
    }

    fn len(&self) -> usize {
        self.small.len + self.main.len
    }

    /// The end of the queue that is longer than its share.
    fn last(&self) -> u32 {
        let small = self.main.len == 0 || self.small.len >= self.small_target(self.len());
        if small && self.small.len > 0 { self.small.tail } else { self.main.tail }
    }

    /// How long the small queue should be. The share is taken of what is held, not of what is allowed, because the
    /// weight may be the tighter bound.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is one")]
    fn small_target(&self, len: usize) -> usize {
        ((self.share * ratio(len)) as usize).max(1)
    }

    fn list(&mut self, queue: Queue) -> &mut List {
        match queue {
            Queue::Small | Queue::Spared => &mut self.small,
            Queue::Main => &mut self.main,
        }
    }
}

/// A doubly linked list through the slots, so that any entry can leave at once.
struct List {
    head: u32,
    tail: u32,
    len: usize,
}

impl List {
    const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };

    fn push<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let old = std::mem::replace(&mut self.head, index);
        match slab.get_mut(old) {
            Some(entry) => entry.links.prev = index,
            None => self.tail = index,
        }
        if let Some(entry) = slab.get_mut(index) {
            entry.links.prev = NIL;
            entry.links.next = old;
        }
        self.len += 1;
    }

    fn unlink<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        let (prev, next) = (entry.links.prev, entry.links.next);
        match slab.get_mut(prev) {
            Some(before) => before.links.next = next,
            None => self.head = next,
        }
        match slab.get_mut(next) {
            Some(after) => after.links.prev = prev,
            None => self.tail = prev,
        }
        self.len -= 1;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 24 bits")]
fn ratio(entries: usize) -> f32 {
    entries.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    type Slots = Slab<Entry<u32, ()>>;

    /// A queue of as many entries, oldest first; the last tenth of the room they fill is the small queue's.
    struct Cache {
        queues: Queues,
        slab: Slots,
        most: usize,
    }

    impl Cache {
        fn full(most: usize) -> Self {
            let mut cache = Self { queues: Queues::new(most), slab: Slab::new(), most };
            (0..most).for_each(|key| cache.insert(u32::try_from(key).unwrap()));
            cache
        }

        fn insert(&mut self, key: u32) {
            let full = self.slab.len() == self.most;
            if full {
                let victim = self.queues.victim(&mut self.slab, Moment::START).unwrap();
                self.queues.unlink(&mut self.slab, victim);
                let entry = self.slab.remove(victim).unwrap();
                self.queues.remember(&entry);
            }
            let entry = Entry::new(key.wrapping_mul(0x9E37_79B1), 0, Moment::NEVER, 1, key, ());
            let slot = self.slab.insert(entry, self.most);
            self.queues.admit(&mut self.slab, slot, full);
        }

        fn entry(&self, key: u32) -> Option<&Entry<u32, ()>> {
            self.slab.iter().find(|entry| entry.key == key)
        }

        fn hit(&self, key: u32) {
            self.entry(key).unwrap().head.touch();
        }

        fn queue(&self, key: u32) -> Option<Queue> {
            self.entry(key).map(|entry| entry.head.queue)
        }
    }

    #[test]
    fn the_main_queue_is_filled_first() {
        let cache = Cache::full(100);
        assert_eq!((cache.queues.main.len, cache.queues.small.len), (90, 10));
    }

    #[test]
    fn a_loop_that_does_not_fit_keeps_what_the_main_queue_holds_of_it() {
        let mut cache = Cache::full(100);
        (0..1000).for_each(|n| cache.insert(100 + n));
        assert_eq!((0..90).filter(|&key| cache.queue(key).is_some()).count(), 90);
    }

    #[test]
    fn what_is_hit_in_two_rounds_of_the_small_queue_moves_on() {
        let mut cache = Cache::full(100);
        cache.hit(90);
        cache.insert(1000);
        assert_eq!((cache.queue(90), cache.queue(91)), (Some(Queue::Spared), None));
        cache.hit(90);
        (1001..1030).for_each(|key| cache.insert(key));
        assert_eq!(cache.queue(90), Some(Queue::Main));
    }

    #[test]
    fn what_comes_back_joins_the_main_queue_and_moves_the_border() {
        let mut cache = Cache::full(100);
        cache.insert(1000);
        let before = cache.queues.share;
        cache.insert(90);
        assert_eq!(cache.queue(90), Some(Queue::Main));
        assert!(cache.queues.share > before, "the small queue was too short");
        // A small queue below its share: the main one has to give.
        let evicted = cache.slab.iter().map(|entry| entry.key).collect::<Vec<_>>();
        cache.queues.share = MOST_SHARE;
        cache.insert(1001);
        let gone = evicted.into_iter().find(|&key| cache.queue(key).is_none()).unwrap();
        cache.insert(gone);
        assert_eq!(cache.queue(gone), Some(Queue::Main));
        assert!(cache.queues.share < MOST_SHARE, "the main queue was too short");
    }

    #[test]
    fn the_border_stays_within_its_bounds() {
        let mut queues = Queues::new(10);
        for hash in (0..1000u32).map(|n| n.wrapping_mul(0x9E37_79B1)) {
            queues.left.remember(hash, Left::Small, 8);
            queues.came_back(hash);
        }
        assert!((queues.share - MOST_SHARE).abs() < f32::EPSILON);
        for hash in (0..1000u32).map(|n| n.wrapping_mul(0x9E37_79B1)) {
            queues.left.remember(hash, Left::Main, 8);
            queues.came_back(hash);
        }
        assert!((queues.share - LEAST_SHARE).abs() < f32::EPSILON);
    }

    #[test]
    fn an_expired_entry_gets_no_other_round_though_it_was_hit() {
        let mut cache = Cache::full(100);
        (90..100).for_each(|key| cache.hit(key));
        cache.entry(92).unwrap().head.expire_at(Moment::START);
        let victim = cache.queues.victim(&mut cache.slab, Moment::START).unwrap();
        assert_eq!(cache.slab.get(victim).unwrap().key, 92);
    }

    #[test]
    fn the_search_for_a_victim_is_bounded_when_all_were_hit() {
        let mut cache = Cache::full(1000);
        (0..1000).for_each(|key| cache.hit(key));
        assert!(cache.queues.victim(&mut cache.slab, Moment::START).is_some());
        let spared = cache.slab.iter().filter(|entry| entry.head.queue == Queue::Spared).count();
        assert_eq!(spared, MAX_ROUNDS);
    }
}
