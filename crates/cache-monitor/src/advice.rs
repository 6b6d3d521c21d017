//! Advice: pure functions over what was noted. Each names the setting, the reason, and the number behind it.

use serde::Serialize;

use crate::snapshot::CacheSnapshot;

/// What could be set otherwise, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Recommendation {
    /// The cache that it is about.
    pub cache: String,
    /// The setting, by the name that it has in code and files; `keys` and `values` if it is not a setting.
    pub setting: &'static str,
    /// What to do.
    pub advice: String,
    /// What it is based on, for people.
    pub reason: String,
    /// The number behind it: a share from 0 to 1, or seconds, as `reason` says.
    pub evidence: f64,
}

/// With less to go by nothing is said.
const ENOUGH: u64 = 100;

/// What could be set otherwise for this cache. The most valuable first, by the order of the rules, which are few.
pub(crate) fn recommend(cache: &CacheSnapshot) -> Vec<Recommendation> {
    let rules: [fn(&CacheSnapshot) -> Option<Recommendation>; 8] = [
        inconsistent_keys,
        similar_keys,
        tier_1_too_small,
        ttl_too_short,
        compression_finds_nothing,
        values_left_plain,
        loads_that_fail,
        foreign_values,
    ];
    rules.iter().filter_map(|rule| rule(cache)).collect()
}

fn found(
    cache: &CacheSnapshot,
    setting: &'static str,
    evidence: f64,
    advice: impl Into<String>,
    reason: String,
) -> Option<Recommendation> {
    Some(Recommendation { cache: cache.cache.clone(), setting, advice: advice.into(), reason, evidence })
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn misses(cache: &CacheSnapshot) -> u64 {
    cache.misses.values().sum()
}

fn missed(cache: &CacheSnapshot, reason: &str) -> u64 {
    cache.misses.get(reason).copied().unwrap_or(0)
}

/// Many keys, each missed once and not asked for again.
fn inconsistent_keys(cache: &CacheSnapshot) -> Option<Recommendation> {
    let (all, share) = (misses(cache), share(cache.first_misses, misses(cache)));
    if all < ENOUGH || share < 0.8 || cache.stats.hit_ratio >= 0.5 {
        return None;
    }
    let reason = format!("{} of {all} misses were of keys that nobody had asked for before", percent(share));
    let advice =
        "look for what changes from call to call in your keys: times, random numbers, the order of options";
    found(cache, "keys", share, advice, reason)
}

/// Keys that miss although one that looks alike is stored.
fn similar_keys(cache: &CacheSnapshot) -> Option<Recommendation> {
    let (all, alike) = (misses(cache), missed(cache, "other_key"));
    let share = share(alike, all);
    if all < ENOUGH || share < 0.05 {
        return None;
    }
    let reason = format!(
        "{} of {all} misses were of keys that differ from a stored one only in case, separators or spaces",
        percent(share)
    );
    found(cache, "keys", share, "make your keys in one place", reason)
}

fn tier_1_too_small(cache: &CacheSnapshot) -> Option<Recommendation> {
    let usage = &cache.stats.memory_usage;
    let has_store = cache.stats.link.is_some();
    let reads = cache.stats.reads.total();
    // With a store behind it, what tier 1 lets go costs a round trip instead of a miss.
    let lost = if has_store { cache.stats.reads.tier2_hits } else { missed(cache, "evicted") };
    let share = share(lost, reads);
    if reads < ENOUGH || usage.max_entries == 0 || usage.evicted < ENOUGH || share < 0.1 {
        return None;
    }
    let of_entries = usage.entries as f64 / usage.max_entries as f64;
    let (setting, held) = if of_entries >= usage.utilization {
        ("l1_cache_size", format!("{} of {} entries", usage.entries, usage.max_entries))
    } else {
        ("l1_max_bytes", format!("{} of {} bytes", usage.bytes, usage.max_bytes))
    };
    let what = if has_store { "went to the store" } else { "missed what had made room" };
    let reason = format!(
        "tier 1 holds {held}, {} entries have made room for others, and {} of {reads} reads {what}",
        usage.evicted,
        percent(share)
    );
    found(cache, setting, share, "make tier 1 larger", reason)
}

fn ttl_too_short(cache: &CacheSnapshot) -> Option<Recommendation> {
    let (all, expired) = (misses(cache), missed(cache, "expired"));
    let (share, wanted) = (share(expired, all), &cache.wanted_after);
    if expired < ENOUGH || share < 0.2 || wanted.count < ENOUGH {
        return None;
    }
    let (half, most) = (wanted.latency.p50, wanted.latency.p95);
    let reason = format!(
        "{} of {all} misses were of keys that had expired; half of those were wanted again within {half:.0} s of being \
         stored, 95 of 100 within {most:.0} s",
        percent(share)
    );
    let advice = format!(
        "if the data allows it, {half:.0} s would answer half of them; `stale_for` answers while loading"
    );
    found(cache, "default_ttl", half, advice, reason)
}

fn compression_finds_nothing(cache: &CacheSnapshot) -> Option<Recommendation> {
    let written = &cache.written;
    let left = share(written.compressed_to, written.compressed_from);
    if written.compressed < ENOUGH || left < 0.85 {
        return None;
    }
    let mean = written.compressed_from / written.compressed;
    let reason = format!(
        "{} compressed values of {mean} bytes on average keep {} of their length",
        written.compressed,
        percent(left)
    );
    let advice = format!("raise it above {mean} bytes, or try a higher `compression_level`");
    found(cache, "compression_threshold", left, advice, reason)
}

fn values_left_plain(cache: &CacheSnapshot) -> Option<Recommendation> {
    let written = &cache.written;
    let plain = written.values.saturating_sub(written.compressed);
    let bytes = written.bytes.saturating_sub(written.compressed_from);
    let (mean, share) = (bytes.checked_div(plain).unwrap_or(0), share(bytes, written.bytes));
    if written.stored_bytes == 0 || plain < ENOUGH || mean < 500 || share < 0.5 {
        return None;
    }
    let reason = format!(
        "{} of the bytes that went to the store were in {plain} values of {mean} bytes on average that were not compressed",
        percent(share)
    );
    let advice = format!("try {} bytes, if the values can be compressed at all", mean / 2);
    found(cache, "compression_threshold", share, advice, reason)
}

fn loads_that_fail(cache: &CacheSnapshot) -> Option<Recommendation> {
    let loads = &cache.stats.loads;
    let share = share(loads.failed, loads.started);
    if loads.started < ENOUGH || share < 0.05 || cache.stats.reads.stale_hits > 0 {
        return None;
    }
    let reason =
        format!("{} of {} loads failed, and no stale value could answer", percent(share), loads.started);
    found(
        cache,
        "stale_for",
        share,
        "let values answer for a while after their time when a load fails",
        reason,
    )
}

fn foreign_values(cache: &CacheSnapshot) -> Option<Recommendation> {
    let refused: u64 = cache.refusals.values().sum();
    let reads = cache.stats.reads.total();
    let share = share(refused, reads);
    let (reason, count) = cache.refusals.iter().max_by_key(|(_, count)| **count)?;
    if refused < ENOUGH || share < 0.01 {
        return None;
    }
    let text = format!(
        "{} of {reads} reads found something unreadable, mostly `{reason}` ({count})",
        percent(share)
    );
    let advice = match *reason {
        "wrong_type" => "one key is used for values of different types: put the type into the key",
        "missing_codec" | "future" => "other processes have other versions or features: bring them in step",
        _ => "another program writes under this namespace: give each its own",
    };
    found(cache, if *reason == "wrong_type" { "values" } else { "namespace" }, share, advice, text)
}

#[cfg(test)]
mod tests {
    use cache_core::LinkStatus;

    use super::*;

    /// Settings named for a cache that is like this.
    fn advised(change: impl FnOnce(&mut CacheSnapshot)) -> Vec<(&'static str, f64)> {
        let mut cache = CacheSnapshot { cache: "app".to_owned(), ..Default::default() };
        change(&mut cache);
        cache.stats.hit_ratio = cache.stats.reads.hit_ratio();
        recommend(&cache).into_iter().map(|found| (found.setting, found.evidence)).collect()
    }

    #[test]
    fn nothing_is_said_of_what_is_fine_or_hardly_used() {
        assert_eq!(advised(|_| {}), []);
        assert_eq!(
            advised(|cache| (cache.first_misses, cache.misses) = (9, [("never_stored", 9)].into())),
            []
        );
        assert_eq!(
            advised(|cache| {
                cache.stats.reads.tier1_hits = 10_000;
                cache.stats.loads.started = 1000;
                cache.misses = [("never_stored", 500), ("expired", 20)].into();
                cache.first_misses = 500;
                cache.written.values = 1000;
                cache.written.bytes = 200_000;
                cache.written.stored_bytes = 260_000;
            }),
            []
        );
    }

    #[test]
    fn keys_that_are_each_missed_once_are_suspicious_if_little_is_found() {
        let many = |hits| {
            advised(|cache| {
                cache.misses = [("never_stored", 900), ("expired", 100)].into();
                (cache.first_misses, cache.stats.reads.misses) = (900, 1000);
                cache.stats.reads.tier1_hits = hits;
            })
        };
        assert_eq!(many(10), [("keys", 0.9)]);
        assert_eq!(many(5000), []);
        assert_eq!(
            advised(|cache| cache.misses = [("never_stored", 90), ("other_key", 10)].into()),
            [("keys", 0.1)]
        );
    }

    #[test]
    fn tier_1_is_too_small_if_what_it_let_go_is_wanted() {
        let small = |link, tier2_hits, entries, bytes| {
            advised(|cache| {
                cache.stats.link = link;
                cache.stats.reads.tier1_hits = 700;
                cache.stats.reads.tier2_hits = tier2_hits;
                let usage = &mut cache.stats.memory_usage;
                (usage.entries, usage.max_entries, usage.evicted) = (entries, 100, 500);
                (usage.bytes, usage.max_bytes) = (bytes, 1000);
                usage.utilization = bytes as f64 / 1000.0;
                cache.misses = [("evicted", 300)].into();
                cache.stats.reads.misses = if link.is_some() { 0 } else { 300 };
            })
        };
        assert_eq!(small(Some(LinkStatus::Up), 300, 100, 500), [("l1_cache_size", 0.3)]);
        assert_eq!(small(Some(LinkStatus::Up), 300, 50, 990), [("l1_max_bytes", 0.3)]);
        assert_eq!(small(None, 0, 100, 500), [("l1_cache_size", 0.3)]);
        assert_eq!(small(Some(LinkStatus::Up), 10, 100, 500), []);
    }

    #[test]
    fn ttls_follow_from_when_expired_keys_are_wanted_again() {
        let short = |expired| {
            advised(|cache| {
                cache.misses = [("expired", expired), ("never_stored", 300)].into();
                cache.wanted_after.count = expired;
                (cache.wanted_after.latency.p50, cache.wanted_after.latency.p95) = (90.0, 300.0);
            })
        };
        assert_eq!(short(200), [("default_ttl", 90.0)]);
        assert_eq!(short(50), []);
    }

    #[test]
    fn compression_is_judged_by_what_it_saves() {
        let written = |values, bytes, compressed, from, to| {
            advised(|cache| {
                let written = &mut cache.written;
                (written.values, written.bytes, written.stored_bytes) = (values, bytes, bytes);
                (written.compressed, written.compressed_from, written.compressed_to) = (compressed, from, to);
            })
        };
        assert_eq!(written(1000, 5_000_000, 1000, 5_000_000, 4_500_000), [("compression_threshold", 0.9)]);
        assert_eq!(written(1000, 5_000_000, 1000, 5_000_000, 1_000_000), []);
        assert_eq!(written(1000, 1_500_000, 0, 0, 0), [("compression_threshold", 1.0)]);
        assert_eq!(written(1000, 100_000, 0, 0, 0), [], "too short to be worth it");
    }

    #[test]
    fn failing_loads_and_foreign_values_are_said() {
        let loads = advised(|cache| (cache.stats.loads.started, cache.stats.loads.failed) = (1000, 100));
        assert_eq!(loads, [("stale_for", 0.1)]);
        let refused = |reason| {
            advised(|cache| {
                cache.refusals = [(reason, 200)].into();
                cache.stats.reads.misses = 1000;
            })
        };
        assert_eq!(refused("wrong_type"), [("values", 0.2)]);
        assert_eq!(refused("foreign"), [("namespace", 0.2)]);
    }
}
