//! What the numbers mean, and what to do about it.

use cache_core::Feed;
use serde::Serialize;

use super::sample::{LARGE, Sample};
use crate::args::Trouble;
use crate::commands::stats::Server;
use crate::entry::State;
use crate::info::is_nearly_full;
use crate::out::Level;
use crate::shown::{part, size};

/// Reads of the server below which its ratio says nothing.
const FEW_READS: u64 = 100;

/// Something that was found, with the number behind it.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) about: Trouble,
    pub(super) level: Level,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

/// What was seen beside the entries.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) is_up: bool,
    pub(super) feed: Feed,
    pub(super) reason: String,
    pub(super) foreign_keys: u64,
    /// Values above it are worth compressing, in bytes.
    pub(super) threshold: u64,
    pub(super) server: Option<Server>,
    /// What goes wrong of all that a cache does, as a try has shown.
    pub(super) trouble: Option<String>,
}

pub(super) fn of(sample: &Sample, seen: &Seen) -> Vec<Finding> {
    let mut findings = not_working(sample, seen);
    findings.extend(low_hit_rate(sample, seen.server.as_ref()));
    findings.extend(high_memory(sample, seen));
    findings
}

/// Collects the findings of one trouble.
struct List(Trouble, Vec<Finding>);

impl List {
    fn add(&mut self, is_found: bool, level: Level, found: String, advice: &str) {
        if is_found {
            self.1.push(Finding { about: self.0, level, found, advice: Some(advice.to_owned()) });
        }
    }

    /// What was found, or that nothing was.
    fn end(mut self, fine: String) -> Vec<Finding> {
        if self.1.is_empty() {
            self.1.push(Finding { about: self.0, level: Level::Ok, found: fine, advice: None });
        }
        self.1
    }
}

fn not_working(sample: &Sample, seen: &Seen) -> Vec<Finding> {
    let (mut list, all) = (List(Trouble::NotWorking, Vec::new()), sample.entries());
    list.add(
        !seen.is_up,
        Level::Fail,
        format!("the link is not up: {}", seen.reason),
        "see `cachectl doctor`",
    );
    list.add(
        seen.trouble.is_some(),
        Level::Fail,
        seen.trouble.clone().unwrap_or_default(),
        "a cache needs all of its operations: see `cachectl doctor`",
    );
    list.add(
        all == 0,
        Level::Warn,
        "the namespace has no entries".into(),
        "see that the service uses this namespace, server and database, and that its breaker is closed",
    );
    let damaged = sample.of(State::Damaged);
    list.add(
        damaged > 0,
        Level::Fail,
        format!("{damaged} of {all} entries are damaged, or were moved here from other keys"),
        "no cache reads them: look for what else writes here, then `cachectl invalidate key …`",
    );
    let foreign = seen.foreign_keys
        + [State::Foreign, State::WrongType, State::Unreadable]
            .map(|state| sample.of(state))
            .iter()
            .sum::<u64>();
    list.add(
        foreign > 0,
        Level::Warn,
        format!("{foreign} keys hold what this cache cannot read"),
        "they are misses: give other programs another namespace, and all services the same release and features",
    );
    let loading = sample.of(State::Loading);
    list.add(
        loading > 10 && loading > all / 10,
        Level::Warn,
        format!("{loading} of {all} keys are being loaded just now"),
        "loaders hang or are slow: see their times and load_timeout",
    );
    list.add(
        !seen.feed.announces(),
        Level::Warn,
        format!("changes by others are not told: {}", seen.reason),
        "copies in memory are asked for again after untracked_max_age: see `cachectl doctor`",
    );
    list.end(format!("the link is up, and all {all} entries can be read"))
}

fn low_hit_rate(sample: &Sample, server: Option<&Server>) -> Vec<Finding> {
    let (mut list, all) = (List(Trouble::LowHitRate, Vec::new()), sample.entries());
    let mut ratio = "the server does not tell its ratio".to_owned();
    if let Some(server) = server {
        let reads = server.hits + server.misses;
        ratio = format!("{} of the server's {reads} reads were hits", part(server.hits, reads));
        list.add(
            reads >= FEW_READS && server.hits < reads / 10 * 6,
            Level::Warn,
            ratio.clone(),
            "60 % is what to expect: see TTLs, and whether keys hold what differs in every request (times, ids)",
        );
        list.add(
            server.evicted > 0,
            Level::Warn,
            format!("{} keys were dropped to make room", server.evicted),
            "they are misses before their time: raise maxmemory, or store less (see high memory)",
        );
    }
    let short = sample.short();
    list.add(
        all >= 10 && short > all / 2,
        Level::Warn,
        format!("{short} of {all} entries were to live for a minute at most"),
        "raise default_ttl, or the TTL of these calls",
    );
    let void = sample.of(State::Invalidated);
    list.add(
        all >= 10 && void > all / 4,
        Level::Warn,
        format!("{void} of {all} entries were invalidated before their time"),
        "tags are too broad, or clear is called too often: invalidate by narrower tags",
    );
    list.end(format!("{ratio}; nothing in {all} entries speaks against it"))
}

fn high_memory(sample: &Sample, seen: &Seen) -> Vec<Finding> {
    let (mut list, all) = (List(Trouble::HighMemory, Vec::new()), sample.entries());
    if let Some(server) = &seen.server {
        let (used, most) = (server.used_bytes, server.max_bytes);
        list.add(
            is_nearly_full(used, most),
            Level::Warn,
            format!("{} of {} are used", size(used), size(most)),
            "raise maxmemory, or store less: the groups below take up most",
        );
        list.add(
            most == 0 && used > 1 << 30,
            Level::Warn,
            format!("{} are used, and there is no bound", size(used)),
            "set maxmemory and a maxmemory-policy",
        );
    }
    list.add(
        sample.uncompressed > 0 && sample.uncompressed_bytes > sample.bytes / 4,
        Level::Warn,
        format!(
            "{} values above {} are stored as they are, {} in all",
            sample.uncompressed,
            size(seen.threshold),
            size(sample.uncompressed_bytes)
        ),
        "see `cachectl advise` for what compression would save",
    );
    list.add(
        sample.large > 0,
        Level::Warn,
        format!("{} of {all} values are larger than {}", sample.large, size(LARGE)),
        "store parts of them, or references",
    );
    list.add(
        sample.endless > 0,
        Level::Warn,
        format!("{} of {all} keys never end", sample.endless),
        "no cache writes such keys: somebody removed their time, or another program writes here",
    );
    list.end(format!("{} in {all} entries, nothing stands out", size(sample.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(server: Server) -> Seen {
        let (feed, reason) = (Feed::Tracking, String::new());
        Seen {
            is_up: true,
            feed,
            reason,
            foreign_keys: 0,
            threshold: 1000,
            server: Some(server),
            trouble: None,
        }
    }

    fn found(seen: &Seen, about: Trouble, words: &str) -> bool {
        let findings = of(&Sample::default(), seen);
        findings.iter().any(|finding| {
            finding.about == about && finding.found.contains(words) && finding.level > Level::Ok
        })
    }

    #[test]
    fn a_ratio_counts_from_a_hundred_reads_on() {
        let ratio = |hits, misses| {
            found(&seen(Server { hits, misses, ..Server::default() }), Trouble::LowHitRate, "reads were hits")
        };
        assert!(ratio(59, 41) && ratio(0, 100));
        assert!(!ratio(60, 40) && !ratio(0, 99));
    }

    #[test]
    fn memory_that_is_nearly_full_and_links_that_are_down_are_found() {
        let memory = |used_bytes, max_bytes| {
            let server = Server { used_bytes, max_bytes, ..Server::default() };
            found(&seen(server), Trouble::HighMemory, "used")
        };
        assert!(memory(900, 1000) && memory(2 << 30, 0));
        assert!(!memory(880, 1000) && !memory(1 << 20, 0));
        let down = Seen { is_up: false, ..seen(Server::default()) };
        assert!(found(&down, Trouble::NotWorking, "the link is not up"));
        let untold = Seen { feed: Feed::Polled, ..seen(Server::default()) };
        assert!(found(&untold, Trouble::NotWorking, "not told"));
    }

    #[test]
    fn each_trouble_says_something_also_if_there_is_none() {
        let findings = of(&Sample::default(), &seen(Server::default()));
        for trouble in [Trouble::NotWorking, Trouble::LowHitRate, Trouble::HighMemory] {
            assert!(findings.iter().any(|finding| finding.about == trouble), "{findings:?}");
        }
    }
}
