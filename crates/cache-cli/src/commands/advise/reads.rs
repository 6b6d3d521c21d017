//! How old values are when they are read for the last time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::group::group;
use crate::quantile::quantile;
use crate::shown::{millis, ms};

/// Younger entries say nothing yet.
const OLD: Duration = Duration::from_secs(60);
/// The server counts idle time in seconds.
const COARSE: Duration = Duration::from_secs(2);
/// Groups with fewer entries say nothing.
const FEW: u64 = 10;

/// Entries by the first part of their keys.
#[derive(Debug, Default)]
pub(super) struct Reads(BTreeMap<String, Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    never: u64,
    /// Ages at the last read.
    last: Vec<u64>,
    ttls: Vec<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    /// Entries older than a minute.
    pub(super) entries: u64,
    /// Those that nobody has read from the server since they were written.
    pub(super) never_read: u64,
    /// The age at which nine of ten of the others were read last.
    pub(super) last_read_ms: Option<u64>,
    pub(super) median_ttl_ms: Option<u64>,
}

impl Reads {
    /// `idle` is how long the server has not been asked for it; `None` if it does not say.
    pub(super) fn add(&mut self, key: &str, age: Duration, ttl: Duration, idle: Option<Duration>) {
        let Some(idle) = idle.filter(|_| age >= OLD) else { return };
        let numbers = self.0.entry(group(key)).or_default();
        numbers.ttls.push(millis(ttl));
        if idle + COARSE >= age {
            numbers.never += 1;
        } else {
            numbers.last.push(millis(age.saturating_sub(idle)));
        }
    }

    pub(super) fn groups(self) -> Vec<Group> {
        let group = |(name, mut numbers): (String, Numbers)| Group {
            name,
            entries: numbers.ttls.len() as u64,
            never_read: numbers.never,
            last_read_ms: quantile(&mut numbers.last, 90),
            median_ttl_ms: quantile(&mut numbers.ttls, 50),
        };
        self.0.into_iter().map(group).collect()
    }
}

/// What the groups suggest. Reads that memory answers do not reach the server, so it is said what was seen.
pub(super) fn advice(groups: &[Group]) -> Vec<String> {
    let mut all = Vec::new();
    for group in groups.iter().filter(|group| group.entries >= FEW) {
        let Group { name, entries, never_read, .. } = group;
        if never_read * 2 > *entries {
            all.push(format!(
                "`{name}`: {never_read} of {entries} were never read from the server after a minute: see whether they \
                 are worth storing, or shorten their TTL"
            ));
        } else if let (Some(last), Some(ttl)) = (group.last_read_ms, group.median_ttl_ms) {
            if last.saturating_mul(4) < ttl {
                all.push(format!(
                    "`{name}`: 9 of 10 were read last at an age of {}, but live for {}: half the TTL would do",
                    ms(last),
                    ms(ttl)
                ));
            } else if last.saturating_mul(5) > ttl.saturating_mul(4) {
                all.push(format!(
                    "`{name}`: they are read until their TTL of {} ends: a longer one would save loads",
                    ms(ttl)
                ));
            }
        }
    }
    if all.is_empty() {
        all.push("nothing that is old enough speaks for another TTL".into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(age: u64, ttl: u64, idle: u64, count: usize) -> String {
        let mut reads = Reads::default();
        let seconds = Duration::from_secs;
        for at in 0..count {
            reads.add(&format!("user:{at}"), seconds(age), seconds(ttl), Some(seconds(idle)));
        }
        advice(&reads.groups()).join("\n")
    }

    #[test]
    fn values_that_nobody_reads_live_too_long_and_those_read_to_their_end_too_short() {
        assert!(advised(3000, 3600, 2999, 10).contains("10 of 10 were never read"));
        assert!(advised(3000, 3600, 2700, 10).contains("an age of 5m 0s, but live for 1h 0m"));
        assert!(advised(3500, 3600, 5, 10).contains("a longer one would save loads"));
        assert!(advised(2000, 3600, 5, 10).contains("nothing"));
    }

    #[test]
    fn answers_of_models_are_grouped_as_diagnose_does() {
        let mut reads = Reads::default();
        for key in ["ai:acme:qa:s=1#a", "ai:acme:translate:s=1#a"] {
            reads.add(key, OLD * 2, OLD * 3, Some(OLD));
        }
        let names: Vec<String> = reads.groups().into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["ai:acme:qa:*", "ai:acme:translate:*"]);
    }

    #[test]
    fn few_and_young_entries_and_servers_that_do_not_say_suggest_nothing() {
        assert!(advised(3000, 3600, 2999, 9).contains("nothing"));
        assert!(advised(59, 3600, 58, 50).contains("nothing"));
        let mut reads = Reads::default();
        reads.add("k", OLD * 2, OLD * 3, None);
        assert!(reads.groups().is_empty());
    }
}
