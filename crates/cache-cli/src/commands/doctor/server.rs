//! What the server is and how it is set.

use std::time::{Duration, SystemTime};

use cache_core::Error;

use super::Check;
use crate::info::{Info, is_nearly_full};
use crate::shown;
use crate::target::Target;

/// Clocks that are farther apart than this make ages hard to read.
const SKEW: Duration = Duration::from_secs(1);

pub(super) async fn check(target: &Target, checks: &mut Vec<Check>) -> Result<(), Error> {
    let server = target.server();
    match Info::ask(target).await? {
        Some(info) => {
            checks.extend([version(&info), role(&info), eviction(&info), memory(&info), saving(&info)]);
        }
        None => checks.push(Check::warn(
            "server",
            "this user may not ask for INFO",
            "version, eviction policy and memory were not checked: allow +info, or run as another user",
        )),
    }
    let before = SystemTime::now();
    let theirs = server.time().await?;
    let round_trip = before.elapsed().unwrap_or_default();
    checks.push(clock(theirs.map(|theirs| apart(theirs, before + round_trip / 2))));
    Ok(())
}

fn version(info: &Info) -> Check {
    const NAME: &str = "version";
    if let Some(version) = info.0.get("valkey_version") {
        return Check::ok(NAME, format!("Valkey {version}"));
    }
    let version = info.text("redis_version");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    let found = format!("Redis {version}");
    match (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) {
        (7.., _) | (6, 2..) => Check::ok(NAME, found),
        _ => Check::fail(NAME, found, "Redis 6.2 or later, or Valkey, is needed"),
    }
}

fn role(info: &Info) -> Check {
    const NAME: &str = "role";
    if info.text("role") == "slave" {
        return Check::fail(NAME, "a replica", "it takes no writes: use the address of its primary");
    }
    if info.text("cluster_enabled") == "1" {
        let advice = "the cache asks one node: use a server that is no part of a cluster";
        return Check::fail(NAME, "a node of a cluster", advice);
    }
    Check::ok(NAME, "a primary")
}

fn eviction(info: &Info) -> Check {
    const NAME: &str = "eviction";
    let (most, policy) = (info.number("maxmemory"), info.text("maxmemory_policy"));
    let found =
        format!("{policy}, maxmemory {}", if most == 0 { "not set".into() } else { shown::size(most) });
    match policy {
        _ if most == 0 => {
            let advice = "the server takes memory until the machine has none: set maxmemory";
            Check::warn(NAME, found, advice)
        }
        "noeviction" => {
            let advice =
                "writes are refused when it is full: set maxmemory-policy to volatile-lru or allkeys-lru";
            Check::warn(NAME, found, advice)
        }
        "allkeys-random" => {
            let advice =
                "it drops what invalidation goes by as well, and then all entries are void: use allkeys-lru";
            Check::warn(NAME, found, advice)
        }
        _ => Check::ok(NAME, found),
    }
}

fn memory(info: &Info) -> Check {
    const NAME: &str = "memory";
    let (used, most, evicted) =
        (info.number("used_memory"), info.number("maxmemory"), info.number("evicted_keys"));
    let of = if most == 0 { String::new() } else { format!(" of {}", shown::size(most)) };
    let found = format!("{}{of}, {evicted} keys dropped to make room", shown::size(used));
    if is_nearly_full(used, most) {
        Check::warn(
            NAME,
            found,
            "nine tenths are full: raise maxmemory, or see `cachectl diagnose high-memory`",
        )
    } else {
        Check::ok(NAME, found)
    }
}

/// A server that cannot save its data takes no writes, unless it is told to.
fn saving(info: &Info) -> Check {
    const NAME: &str = "saving";
    if info.text("loading") == "1" {
        return Check::fail(NAME, "it is loading its data", "wait until it has loaded");
    }
    let failed =
        ["rdb_last_bgsave_status", "aof_last_write_status"].into_iter().find(|name| info.text(name) == "err");
    match failed {
        Some(name) => {
            let advice = "writes are refused until it can save: see its disk, or set `save \"\"` for a cache";
            Check::warn(NAME, format!("{name} is err"), advice)
        }
        None => Check::ok(NAME, "nothing stops writes"),
    }
}

fn clock(apart: Option<Duration>) -> Check {
    const NAME: &str = "clock";
    match apart {
        None => Check::warn(NAME, "this user may not ask for TIME", "allow +time to have it checked"),
        Some(apart) if apart > SKEW => {
            let found = format!("{} apart from ours", shown::time(apart));
            let advice = "nothing in the cache goes by it, but dates in logs and reports do: see to NTP";
            Check::warn(NAME, found, advice)
        }
        Some(apart) => Check::ok(NAME, format!("{} apart from ours", shown::time(apart))),
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::Level::{self, Fail, Ok, Warn};

    fn info(fields: &[(&str, &str)]) -> Info {
        Info(fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    fn levels(judge: fn(&Info) -> Check, cases: &[(&[(&str, &str)], Level)]) {
        for (fields, level) in cases {
            let check = judge(&info(fields));
            assert_eq!(check.level, *level, "{check:?}");
            assert_eq!(check.advice.is_none(), *level == Ok, "who is warned is told what to do");
        }
    }

    #[test]
    fn old_servers_replicas_and_clusters_fail() {
        levels(
            version,
            &[
                (&[("redis_version", "7.0.15")], Ok),
                (&[("redis_version", "6.2.0")], Ok),
                (&[("redis_version", "6.0.16")], Fail),
                (&[("redis_version", "7.2.4"), ("valkey_version", "8.0.1")], Ok),
                (&[], Fail),
            ],
        );
        levels(
            role,
            &[(&[("role", "master")], Ok), (&[("role", "slave")], Fail), (&[("cluster_enabled", "1")], Fail)],
        );
    }

    #[test]
    fn a_server_without_bounds_or_without_room_is_warned_of() {
        let policy = |policy| [("maxmemory", "1000"), ("maxmemory_policy", policy)];
        levels(
            eviction,
            &[
                (&[("maxmemory", "0"), ("maxmemory_policy", "noeviction")], Warn),
                (&policy("noeviction"), Warn),
                (&policy("allkeys-random"), Warn),
                (&policy("allkeys-lru"), Ok),
                (&policy("volatile-ttl"), Ok),
            ],
        );
        levels(
            memory,
            &[
                (&[("used_memory", "900"), ("maxmemory", "1000")], Warn),
                (&[("used_memory", "880"), ("maxmemory", "1000")], Ok),
                (&[("used_memory", "880"), ("maxmemory", "0")], Ok),
            ],
        );
        levels(
            saving,
            &[(&[("rdb_last_bgsave_status", "err")], Warn), (&[("loading", "1")], Fail), (&[], Ok)],
        );
    }

    #[test]
    fn clocks_may_be_a_second_apart() {
        assert_eq!(clock(Some(SKEW)).level, Ok);
        assert_eq!(clock(Some(SKEW * 2)).level, Warn);
        assert_eq!(clock(None).level, Warn);
        let now = SystemTime::now();
        assert_eq!((apart(now, now + SKEW), apart(now + SKEW, now)), (SKEW, SKEW));
    }
}
