//! S3-FIFO: which entry makes room.
//!
//! New entries join a small queue, a tenth of all. What is hit twice there moves on to the main queue; the rest is let
//! go and remembered by the ghost, and joins the main queue at once if it comes back. The main queue gives every entry
//! another round for each hit. So a hit only counts, and never moves anything.

use cache_core::Moment;

use crate::entry::{Entry, Queue};
use crate::ghost::Ghost;
use crate::slab::{NIL, Slab};

/// Hits in the small queue that make an entry worth keeping.
const WORTHY: u8 = 2;
/// The small queue's share is one in this many.
const SMALL_SHARE: usize = 10;
/// Entries given another round before one has to go whatever its hits: the bound of the work under the lock.
const MAX_ROUNDS: usize = 64;

pub(crate) struct Queues {
    small: List,
    main: List,
    ghost: Ghost,
}

impl Queues {
    pub(crate) fn new(max_entries: usize) -> Self {
        Self { small: List::EMPTY, main: List::EMPTY, ghost: Ghost::new(max_entries) }
    }

    /// Takes in a new entry.
    pub(crate) fn admit<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        self.ghost.fit(slab.len());
        let Some(entry) = slab.get_mut(index) else { return };
        entry.node.queue = if self.ghost.take(entry.node.hash) { Queue::Main } else { Queue::Small };
        self.link(slab, index);
    }

    /// Puts an entry in front of the queue that it names.
    pub(crate) fn link<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        self.list(entry.node.queue).push(slab, index);
    }

    /// Takes an entry out of its queue.
    pub(crate) fn unlink<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        self.list(entry.node.queue).unlink(slab, index);
    }

    /// The entry that has to go next; it stays in its queue until it is removed. `None` if there is none.
    pub(crate) fn victim<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, now: Moment) -> Option<u32> {
        let mut rounds = 0;
        loop {
            let queue = self.next_queue();
            let index = self.list(queue).tail;
            let node = &mut slab.get_mut(index)?.node;
            let needed = if queue == Queue::Small { WORTHY } else { 1 };
            if node.frequency < needed || rounds == MAX_ROUNDS || node.is_dead(now) {
                return Some(index);
            }
            rounds += 1;
            self.unlink(slab, index);
            if let Some(entry) = slab.get_mut(index) {
                entry.node.frequency = if queue == Queue::Small { 0 } else { entry.node.frequency - 1 };
                entry.node.queue = Queue::Main;
            }
            self.link(slab, index);
        }
    }

    /// Remembers an entry that made room, so that it is known if it comes back.
    pub(crate) fn remember<K, V>(&mut self, victim: &Entry<K, V>) {
        if victim.node.queue == Queue::Small {
            self.ghost.remember(victim.node.hash);
        }
    }

    /// Lets go of all entries at once, because their slots are no longer there; what the ghost knows still helps.
    pub(crate) fn forget_all(&mut self) {
        self.small = List::EMPTY;
        self.main = List::EMPTY;
    }

    /// The share is taken of what is held, not of what is allowed, because the weight may be the tighter bound.
    fn next_queue(&self) -> Queue {
        let all = self.small.len + self.main.len;
        if self.main.len == 0 || self.small.len * SMALL_SHARE >= all { Queue::Small } else { Queue::Main }
    }

    fn list(&mut self, queue: Queue) -> &mut List {
        match queue {
            Queue::Small => &mut self.small,
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
            Some(entry) => entry.node.prev = index,
            None => self.tail = index,
        }
        if let Some(entry) = slab.get_mut(index) {
            entry.node.prev = NIL;
            entry.node.next = old;
        }
        self.len += 1;
    }

    fn unlink<K, V>(&mut self, slab: &mut Slab<Entry<K, V>>, index: u32) {
        let Some(entry) = slab.get(index) else { return };
        let (prev, next) = (entry.node.prev, entry.node.next);
        match slab.get_mut(prev) {
            Some(before) => before.node.next = next,
            None => self.head = next,
        }
        match slab.get_mut(next) {
            Some(after) => after.node.prev = prev,
            None => self.tail = prev,
        }
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Node;

    /// As many entries, oldest first, each of this frequency.
    fn filled(entries: usize, frequency: u8) -> (Queues, Slab<Entry<(), ()>>) {
        let (mut queues, mut slab) = (Queues::new(entries), Slab::new());
        for hash in 0..entries {
            let mut node = Node::new(u32::try_from(hash).unwrap(), 0, Moment::NEVER, 1);
            node.frequency = frequency;
            let index = slab.insert(Entry { node, key: (), value: () }, entries);
            queues.admit(&mut slab, index);
        }
        (queues, slab)
    }

    #[test]
    fn an_expired_entry_gets_no_other_round_however_often_it_was_hit() {
        let (mut queues, mut slab) = filled(10, 3);
        slab.get_mut(5).unwrap().node.expires = Moment::START;
        assert_eq!(queues.victim(&mut slab, Moment::START), Some(5));
    }

    #[test]
    fn the_search_for_a_victim_is_bounded_when_all_were_hit() {
        let (mut queues, mut slab) = filled(1000, 3);
        assert!(queues.victim(&mut slab, Moment::START).is_some());
        assert_eq!(queues.main.len, MAX_ROUNDS);
    }

    #[test]
    fn the_oldest_that_was_not_hit_enough_goes_first() {
        let (mut queues, mut slab) = filled(10, 1);
        slab.get_mut(0).unwrap().node.frequency = 2;
        assert_eq!(queues.victim(&mut slab, Moment::START), Some(1));
        assert!(slab.get(0).unwrap().node.queue == Queue::Main);
    }
}
