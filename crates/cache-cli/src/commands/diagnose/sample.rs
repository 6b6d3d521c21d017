//! Entries as numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::entry::{Entry, State};
use crate::group::group;
use crate::quantile::quantile;

const MINUTE: u64 = 60_000;
/// The longest TTL of each class, in milliseconds, and its name.
const TTLS: &[(u64, &str)] = &[
    (MINUTE, "up to 1 min"),
    (10 * MINUTE, "up to 10 min"),
    (60 * MINUTE, "up to 1 h"),
    (24 * 60 * MINUTE, "up to 1 d"),
    (u64::MAX, "longer"),
];
/// Groups of keys that are told apart; the rest is one group.
const MOST_GROUPS: usize = 1000;
const REST: &str = "(others)";
/// Values longer than this are large, in bytes.
pub(super) const LARGE: u64 = 100 << 10;

/// What was seen of entries.
#[derive(Debug, Default)]
pub(super) struct Sample {
    states: BTreeMap<State, u64>,
    /// By class of [`TTLS`].
    ttls: BTreeMap<usize, u64>,
    groups: BTreeMap<String, Numbers>,
    pub(super) bytes: u64,
    /// Values above the threshold that are stored as they are, and what they take up.
    pub(super) uncompressed: u64,
    pub(super) uncompressed_bytes: u64,
    pub(super) large: u64,
    pub(super) endless: u64,
}

#[derive(Debug, Default)]
struct Numbers {
    stored: u64,
    values: u64,
    largest: u64,
    ttls: Vec<u64>,
    ages: Vec<u64>,
    entries: u64,
}

/// Entries whose keys start alike.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) entries: u64,
    pub(super) stored_bytes: u64,
    pub(super) value_bytes: u64,
    pub(super) largest: u64,
    pub(super) median_ttl_ms: Option<u64>,
    pub(super) median_age_ms: Option<u64>,
}

impl Sample {
    pub(super) fn add(&mut self, entry: &Entry) {
        *self.states.entry(entry.state).or_default() += 1;
        let stored = entry.stored_bytes.unwrap_or_default();
        self.bytes += stored;
        self.endless += u64::from(entry.remaining_ms.is_none() && entry.stored_bytes.is_some());
        let mut name = group(&entry.key);
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&name) {
            REST.clone_into(&mut name);
        }
        let group = self.groups.entry(name).or_default();
        group.entries += 1;
        group.stored += stored;
        group.largest = group.largest.max(stored);
        let Some(about) = &entry.about else { return };
        group.values += about.value_bytes;
        group.ttls.push(about.ttl_ms);
        group.ages.push(about.age_ms);
        self.large += u64::from(about.value_bytes > LARGE);
        if about.compression.is_none()
            && about.value_bytes > cache_codec::Compression::DEFAULT_THRESHOLD as u64
        {
            self.uncompressed += 1;
            self.uncompressed_bytes += about.packed_bytes;
        }
        let class = TTLS.iter().position(|(most, _)| about.ttl_ms <= *most).unwrap_or_default();
        *self.ttls.entry(class).or_default() += 1;
    }

    pub(super) fn entries(&self) -> u64 {
        self.states.values().sum()
    }

    pub(super) fn of(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// Entries whose TTL was a minute at most.
    pub(super) fn short(&self) -> u64 {
        self.ttls.get(&0).copied().unwrap_or_default()
    }

    pub(super) fn states(&self) -> Vec<(&'static str, u64)> {
        self.states.iter().map(|(state, count)| (state.word(), *count)).collect()
    }

    pub(super) fn ttls(&self) -> Vec<(&'static str, u64)> {
        self.ttls.iter().filter_map(|(class, count)| Some((TTLS.get(*class)?.1, *count))).collect()
    }

    /// The groups that take up most.
    pub(super) fn groups(self, most: usize) -> Vec<Group> {
        let mut groups: Vec<Group> =
            self.groups.into_iter().map(|(name, numbers)| numbers.group(name)).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.stored_bytes));
        groups.truncate(most);
        groups
    }
}

impl Numbers {
    fn group(mut self, name: String) -> Group {
        Group {
            name,
            entries: self.entries,
            stored_bytes: self.stored,
            value_bytes: self.values,
            largest: self.largest,
            median_ttl_ms: quantile(&mut self.ttls, 50),
            median_age_ms: quantile(&mut self.ages, 50),
        }
    }
}
