//! Tier 1 as the engine sees it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::{Moment, Stamp, Value, Version};

/// What tier 1 knows of an entry beside its value.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Until when it answers as fresh.
    pub fresh_until: Moment,
    /// Until when it may be served stale, where the caller wants that; it is gone afterwards.
    pub dead_at: Moment,
    /// When the value was made, by this process's clock; the age is counted from here.
    pub made_at: Moment,
    /// The sequence that the namespace had when the value's load began.
    pub stamp: Stamp,
    /// Names of the tags, if there are any.
    pub tags: Option<Arc<[Box<str>]>>,
    /// Which write it is.
    pub version: Version,
    /// Fingerprint of the schema that was declared for it, if one was.
    pub schema: Option<u64>,
    /// How long the loader took; zero for what was set.
    pub cost: Duration,
    /// Whether it only stands in here for a tier 2 that could not be reached.
    pub local_only: bool,
}

/// An entry of tier 1.
#[derive(Clone, Debug)]
pub struct LocalEntry {
    /// The value.
    pub value: Value,
    /// What is known of it.
    pub meta: Meta,
    /// Its weight in bytes: serialised length, key and a fixed overhead. An estimate of the memory it takes.
    pub weight: u64,
}

/// Taken before a value is read or loaded, and compared when it is filled in: a fill is refused if anything happened
/// to the key's stripe, or to the whole tier, since.
///
/// Stripes are shared between keys, so a fill can be refused without need, but never accepted wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillToken {
    /// Writes, removals and invalidations that the key's stripe has seen.
    pub generation: u64,
    /// The life of the tier between two retirements.
    pub epoch: u64,
}

/// How an entry comes into tier 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// A write by the caller: always goes in, and fences every fill whose token is older.
    Write,
    /// A value loaded or written under this token: goes in if the token still holds, and fences older ones.
    Load(FillToken),
    /// A copy of what tier 2 holds, read under this token: goes in if the token still holds.
    Promote(FillToken),
}

/// What became of an entry that was to go into tier 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// It is held.
    Stored,
    /// Something happened to the key since the token was taken; what was there stays as it is.
    Fenced,
    /// It is heavier than the tier allows an entry to be. An older entry of the key was removed.
    TooLarge,
}

/// How much tier 1 holds, may hold, and let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalUsage {
    /// Entries held now.
    pub entries: u64,
    /// Most entries allowed.
    pub max_entries: u64,
    /// Weight held now, in bytes.
    pub weight: u64,
    /// Most weight allowed, in bytes.
    pub max_weight: u64,
    /// Entries that made room for others, since the start.
    pub evicted: u64,
    /// Entries removed because their time was over, since the start.
    pub expired: u64,
}

/// Tier 1: a bounded map in this process. Every method is quick and never waits for I/O.
///
/// `hash` is the engine's hash of `key`, always of the same seed for one tier.
pub trait LocalTier: Debug + Send + Sync {
    /// The value, if the entry is fresh at `now` and no mark newer than it can concern it: it has no tags, or it was
    /// stamped or vouched for at `marks` or later. `marks` is a position in the namespace's sequence. The hit path.
    fn get_fresh(&self, hash: u64, key: &str, now: Moment, marks: u64) -> Option<Value>;

    /// The entry, fresh or stale, unless it is dead at `now`.
    fn get(&self, hash: u64, key: &str, now: Moment) -> Option<LocalEntry>;

    /// A token for the key's stripe. Take it before the value is asked for.
    fn token(&self, hash: u64) -> FillToken;

    /// Puts an entry in, replacing the key's older one. Token and map are looked at under one lock. An entry whose weight alone
    /// is more than the tier may hold is not kept, nor is the one that it was to replace.
    fn insert(&self, hash: u64, key: &str, entry: LocalEntry, fill: Fill) -> Filled;

    /// Puts `value` in place of the one that the entry holds, if the entry is still of this version.
    fn replace_value(&self, hash: u64, key: &str, version: &Version, value: Value);

    /// Notes that no mark up to `marks` concerns the entry, if it is still of this version.
    fn vouch(&self, hash: u64, key: &str, version: &Version, marks: u64);

    /// Makes a fresh entry stale as of `now`: it stays for as long as it was to be served stale, counted from `now`,
    /// and is removed if that is not at all. Fences older tokens. Returns whether there was a fresh one.
    fn expire(&self, hash: u64, key: &str, now: Moment) -> bool;

    /// Removes the entry, and fences older tokens whether or not there was one. Returns whether there was one.
    fn remove(&self, hash: u64, key: &str) -> bool;

    /// Makes all that is held now, and all older tokens, void at once, in O(1). Returns the new epoch.
    fn retire(&self) -> u64;

    /// Shows every entry that is not dead at `now` to `visit`, in no order. What changes meanwhile may be seen or not.
    /// `visit` may call back into the tier.
    fn for_each(&self, now: Moment, visit: &mut dyn FnMut(&str, &LocalEntry));

    /// How much is held.
    fn usage(&self) -> LocalUsage;
}
