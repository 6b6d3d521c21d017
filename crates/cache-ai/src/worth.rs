//! A tier 1 that lets go of what is worth least, instead of what was used least.
//!
//! Stands in front of the real tier and lets go of an answer as soon as that is nearly full, so that it never has to choose.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Moment, Timer, Value, Version};
use parking_lot::Mutex;

use crate::ranks::Ranks;

/// Keeps what is worth most.
pub(crate) struct WorthTier {
    tier: Arc<dyn LocalTier>,
    timer: Arc<dyn Timer>,
    /// What a second of waiting is worth, in money.
    second: f64,
    ranks: Mutex<Ranks>,
}

impl WorthTier {
    pub(crate) fn new(tier: Arc<dyn LocalTier>, timer: Arc<dyn Timer>, second: f64) -> Self {
        Self { tier, timer, second, ranks: Mutex::default() }
    }

    /// What the answer under this name saves each time that it is served.
    pub(crate) fn learn(&self, name: &str, money: f64, time: Duration) {
        self.ranks.lock().learn(name, self.worth(money, time));
    }

    fn worth(&self, money: f64, time: Duration) -> f64 {
        money + time.as_secs_f64() * self.second
    }

    fn touched<T>(&self, key: &str, found: Option<T>) -> Option<T> {
        if found.is_some() {
            self.ranks.lock().touch(key);
        }
        found
    }

    /// Lets answers go until the tier has room for what comes next.
    fn make_room(&self) {
        self.ranks.lock().end(self.timer.now());
        loop {
            let usage = self.tier.usage();
            let mut ranks = self.ranks.lock();
            let count = ranks.len() as u64;
            let is_full = is_full(usage.entries, usage.max_entries) && is_much(count, usage.entries)
                || is_full(usage.weight, usage.max_weight) && is_much(ranks.weight(), usage.weight)
                || count > usage.max_entries;
            let Some((hash, key)) = is_full.then(|| ranks.pop()).flatten() else { return };
            drop(ranks);
            self.tier.remove(hash, &key);
        }
    }
}

/// Nine tenths: shards of the tier may be full before the whole is.
fn is_full(held: u64, most: u64) -> bool {
    held > 1 && held.saturating_mul(10) > most.saturating_mul(9)
}

/// A tenth: where there is less of answers, they make no room. Other values would fill it, and no answer would stay.
fn is_much(ranked: u64, held: u64) -> bool {
    ranked.saturating_mul(10) > held
}

impl LocalTier for WorthTier {
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value> {
        self.touched(key, self.tier.get_fresh(hash, key, now, marks))
    }

    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry> {
        self.touched(key, self.tier.get(hash, key, now))
    }

    fn token(&self, hash: u64) -> FillToken {
        self.tier.token(hash)
    }

    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled {
        let (weight, ends) = (entry.weight, entry.meta.dead_at);
        // What the store could not take is only here, and has to stay. What is not an answer has no worth to go by.
        let is_ranked = !entry.meta.local_only && key.starts_with("ai:");
        let worth = self.worth(0.0, entry.meta.cost);
        let filled = self.tier.insert(hash, key, entry, fill);
        match filled {
            Filled::Stored if is_ranked => self.ranks.lock().put(hash, key, weight, ends, worth),
            Filled::Stored | Filled::TooLarge => self.ranks.lock().forget(key),
            Filled::Fenced => {}
        }
        // Afterwards, because a removal voids the tokens of other keys; and so that a newcomer can be the one to go.
        self.make_room();
        filled
    }

    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value) {
        self.tier.replace_value(hash, key, version, value);
    }

    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64) {
        self.tier.vouch(hash, key, version, marks);
    }

    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool {
        self.tier.expire(hash, key, now)
    }

    fn remove(&self, hash: u64, key: &str) -> bool {
        self.ranks.lock().forget(key);
        self.tier.remove(hash, key)
    }

    fn retire(&self) -> u64 {
        self.ranks.lock().clear();
        self.tier.retire()
    }

    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry)) {
        self.tier.for_each(now, visit);
    }

    fn usage(&self) -> LocalUsage {
        self.tier.usage()
    }
}

impl std::fmt::Debug for WorthTier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorthTier")
            .field("tier", &self.tier)
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}
