//! The map held against a plain one, call by call.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a part of tests, which fail by a panic"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, FillToken, Moment};
use cache_memory::{EntryOptions, MemoryCache, MemoryStats};

use super::support::TestClock;

pub const KEYS: u32 = 24;
pub const TOKENS: usize = 4;

#[derive(Clone, Debug)]
pub enum Call {
    Insert { key: u32, weight: u64, ttl: u64 },
    Fill { token: usize, weight: u64, ttl: u64 },
    Token { key: u32, slot: usize },
    Get(u32),
    Remove(u32),
    Advance(u64),
    RetainMultiplesOf(u64),
    Retire,
    Clear,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    value: u64,
    weight: u64,
    expires: Moment,
}

#[derive(Clone, Copy)]
struct Token {
    key: u32,
    token: FillToken,
    /// The token must not hold any more.
    fenced: bool,
    /// Something happened that may have voided it by chance.
    disturbed: bool,
}

/// The map, the plain one, and what is expected of tokens.
pub struct Test {
    pub cache: MemoryCache<u32, u64>,
    clock: Arc<TestClock>,
    shards: usize,
    /// What may be held, by all that the calls said. What the cache evicted is taken out after each call.
    model: HashMap<u32, Held>,
    tokens: [Option<Token>; TOKENS],
    writes: u64,
}

impl Test {
    pub fn new(max_entries: usize, max_weight: u64, shards: usize) -> Self {
        let clock = TestClock::new();
        let cache = MemoryCache::builder()
            .max_entries(max_entries)
            .max_weight(max_weight)
            .shards(shards)
            .clock(clock.clone())
            .build()
            .unwrap();
        Self { cache, clock, shards, model: HashMap::new(), tokens: [None; TOKENS], writes: 0 }
    }

    pub fn run(&mut self, call: &Call) {
        let before = self.cache.stats();
        let may_evict = match *call {
            Call::Insert { key, weight, ttl } => self.insert(key, weight, ttl, &before),
            Call::Fill { token, weight, ttl } => self.fill(token, weight, ttl, &before),
            Call::Token { key, slot } => {
                let token = self.cache.token(&key);
                self.tokens[slot] = Some(Token { key, token, fenced: false, disturbed: false });
                false
            }
            Call::Get(key) => {
                assert_eq!(self.cache.get(&key), self.live(key).map(|held| held.value));
                false
            }
            Call::Remove(key) => {
                assert_eq!(self.cache.remove(&key), self.live(key).map(|held| held.value));
                self.model.remove(&key);
                self.fence(key);
                false
            }
            Call::Advance(millis) => {
                self.clock.advance(Duration::from_millis(millis));
                false
            }
            Call::RetainMultiplesOf(n) => {
                self.cache.retain(|_, value| value % n == 0);
                for key in 0..KEYS {
                    if self.live(key).is_some_and(|held| held.value % n != 0) {
                        self.model.remove(&key);
                        self.fence(key);
                    }
                }
                false
            }
            Call::Retire | Call::Clear => {
                if matches!(call, Call::Retire) {
                    self.cache.retire();
                } else {
                    self.cache.clear();
                }
                self.model.clear();
                self.tokens.iter_mut().flatten().for_each(|token| token.fenced = true);
                assert_eq!(self.cache.len(), 0);
                false
            }
        };
        self.compare(&before, may_evict);
    }

    /// Returns whether the cache may evict.
    fn insert(&mut self, key: u32, weight: u64, ttl: u64, before: &MemoryStats) -> bool {
        self.writes += 1;
        let ttl = Duration::from_millis(ttl);
        let stored = self.cache.insert(key, self.writes, EntryOptions::ttl(ttl).weight(weight)).is_ok();
        assert_eq!(stored, weight <= before.max_weight);
        self.fence(key);
        self.stored(key, weight, ttl, stored, before)
    }

    fn fill(&mut self, slot: usize, weight: u64, ttl: u64, before: &MemoryStats) -> bool {
        let Some(token) = self.tokens[slot] else { return false };
        self.writes += 1;
        let ttl = Duration::from_millis(ttl);
        let options = EntryOptions::ttl(ttl).weight(weight);
        match self.cache.fill(token.key, self.writes, options, token.token) {
            Ok(false) => {
                assert!(token.fenced || token.disturbed, "a fill was refused although nothing happened");
                false
            }
            result => {
                assert!(!token.fenced, "a fill came in although the key was changed since its token");
                self.fence(token.key);
                self.stored(token.key, weight, ttl, result.is_ok(), before)
            }
        }
    }

    fn stored(&mut self, key: u32, weight: u64, ttl: Duration, stored: bool, before: &MemoryStats) -> bool {
        // An entry whose time is over may have been swept, and then this is a new one.
        let old = self.live(key);
        self.model.remove(&key);
        if !stored {
            return false;
        }
        let held = Held { value: self.writes, weight, expires: self.clock.now() + ttl };
        self.model.insert(key, held);
        let full = before.entries == before.max_entries || self.shards > 1;
        let new = old.is_none();
        (new && full) || before.weight + weight - old.map_or(0, |old| old.weight) > before.max_weight
    }

    fn fence(&mut self, key: u32) {
        for token in self.tokens.iter_mut().flatten() {
            token.disturbed = true;
            token.fenced |= token.key == key;
        }
    }

    fn live(&self, key: u32) -> Option<Held> {
        self.model.get(&key).copied().filter(|held| held.expires > self.clock.now())
    }

    fn compare(&mut self, before: &MemoryStats, may_evict: bool) {
        let mut seen = HashMap::new();
        for (key, value) in &self.cache {
            assert!(seen.insert(key, value).is_none());
        }
        for key in 0..KEYS {
            let expected = self.live(key);
            let left = self.cache.ttl(&key);
            assert_eq!(left.is_some(), seen.contains_key(&key));
            if let Some(left) = left {
                let expected = expected.expect("what is held was put there and its time is not over");
                assert_eq!(seen[&key], expected.value);
                assert_eq!(left, expected.expires.since(self.clock.now()));
            }
        }
        let now = self.clock.now();
        let lost =
            self.model.iter().filter(|(key, held)| held.expires > now && !seen.contains_key(key)).count();
        let after = self.cache.stats();
        assert_eq!(lost as u64, after.evicted - before.evicted, "all that is missing was evicted");
        assert!(lost == 0 || may_evict, "{lost} entries were evicted without need");
        self.model.retain(|key, held| held.expires <= now || seen.contains_key(key));
        assert!(after.entries <= after.max_entries && after.weight <= after.max_weight);
        let live: u64 = self.model.values().filter(|held| held.expires > now).map(|held| held.weight).sum();
        assert!(after.weight >= live);
    }
}
