//! Putting an entry in, and making room for it in other shards where its own has none.

use cache_core::{Fill, Filled, Moment};

use super::Engine;
use crate::budget::Amount;
use crate::hash::Hashed;
use crate::room::{Call, Prepared};
use crate::shard::New;

impl<K: Eq, V> Engine<K, V> {
    pub(crate) fn insert(&self, hash: Hashed, new: New<K, V>, fill: Fill, now: Moment) -> Filled {
        self.insert_if(hash, new, fill, now, |_| true)
    }

    /// As [`Engine::insert`], but only if `when` says yes to the live value, or to there being none. `when` runs under
    /// the lock, once for each try.
    pub(crate) fn insert_if(
        &self,
        hash: Hashed,
        new: New<K, V>,
        fill: Fill,
        now: Moment,
        mut when: impl FnMut(Option<&V>) -> bool,
    ) -> Filled {
        loop {
            let mut call = Call::new(now, &self.budget);
            let mut shard = self.current(hash);
            let prepared = shard.prepare(hash, |key| *key == new.key, &mut when, new.weight, fill, &mut call);
            let lacking = match prepared {
                Prepared::Room(found) => {
                    shard.put(hash, found, new, fill, &mut call);
                    drop(shard);
                    call.garbage.bury(self.listener.as_ref());
                    return Filled::Stored;
                }
                Prepared::Refused(filled) => {
                    drop(shard);
                    call.garbage.bury(self.listener.as_ref());
                    return filled;
                }
                Prepared::Lacking(amount) => amount,
            };
            drop(shard);
            let spared = call.spared;
            call.garbage.bury(self.listener.as_ref());
            if spared {
                self.settle(hash, lacking, now);
            } else {
                self.relieve(hash, lacking, now);
            }
        }
    }

    /// Lets go of what was retired, in whichever shard it is, until there is room for `lacking` or nothing of it is left.
    #[cold]
    fn settle(&self, hash: Hashed, lacking: Amount, now: Moment) {
        let epoch = self.epoch();
        let weight = Amount { entries: 0, ..lacking };
        for n in 0..self.shards.len() {
            let mut call = Call::new(now, &self.budget);
            // In the present epoch, it has given back the places of its retired entries.
            let mut shard = self.current_at((hash.shard(self.bits) + n) % self.shards.len());
            while !self.budget.has_room(weight)
                && let Some(freed) = shard.shed_retired(&mut call)
            {
                self.budget.release(freed);
            }
            drop(shard);
            call.garbage.bury(self.listener.as_ref());
            if self.budget.has_room(lacking) {
                return;
            }
        }
        self.budget.settle(epoch);
    }

    /// Makes room in the other shards, going round and taking a share from each, until there is enough for `lacking` or
    /// nothing is left to take.
    #[cold]
    fn relieve(&self, hash: Hashed, lacking: Amount, now: Moment) {
        let own = hash.shard(self.bits);
        let share = (lacking.weight / self.shards.len() as u64).saturating_add(1);
        let mut found_some = true;
        while found_some {
            found_some = false;
            for n in 1..self.shards.len() {
                if self.budget.has_room(lacking) {
                    return;
                }
                let mut call = Call::new(now, &self.budget);
                let mut shard = self.current_at((own + n) % self.shards.len());
                let mut freed = Amount::default();
                while freed.weight < share
                    && !self.budget.has_room(lacking.beyond(freed))
                    && let Some(more) = shard.shed(&mut call)
                {
                    freed += more;
                    found_some = true;
                }
                self.budget.release(freed);
                drop(shard);
                call.garbage.bury(self.listener.as_ref());
            }
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::engine::Plan;

    #[test]
    fn the_greatest_weight_that_can_be_lacking_is_no_overflow() {
        let plan = Plan { max_entries: 1, max_weight: u64::MAX, shards: 1, idle: None, listener: None };
        Engine::<u8, u8>::new(plan).relieve(Hashed(0), Amount::entry(u64::MAX), Moment::START);
    }
}
