//! Who may see and do what: encryption, the user's rights, and whether changes are told.

use std::net::IpAddr;

use cache_core::{Error, Feed, LinkState, Store};

use super::Check;
use crate::target::Target;

/// The commands without which the cache does not work, and those without which it works less well.
const NEEDED: &[&[&str]] = &[
    &["GET", KEY],
    &["GETRANGE", KEY, "0", "1"],
    &["STRLEN", KEY],
    &["EXISTS", KEY],
    &["PTTL", KEY],
    &["SET", KEY, "x", "PX", "1"],
    &["DEL", KEY],
    &["UNLINK", KEY],
    &["MULTI"],
    &["EXEC"],
    &["EVALSHA", "x", "1", KEY],
    &["SCRIPT", "LOAD", "x"],
    &["ZADD", MARKS, "1", "n"],
    &["ZCARD", MARKS],
    &["ZINCRBY", MARKS, "1", "n"],
    &["ZMSCORE", MARKS, "n"],
    &["ZRANGE", MARKS, "0", "1"],
    &["ZRANGEBYSCORE", MARKS, "0", "1"],
    &["ZREMRANGEBYSCORE", MARKS, "0", "1"],
    &["ZSCORE", MARKS, "n"],
    &["PING"],
];
const WANTED: &[&[&str]] = &[
    &["SCAN", "0"],
    &["INFO"],
    &["CLIENT", "TRACKING", "ON", "NOLOOP"],
    &["CLIENT", "KILL", "ID", "1"],
    &["CONFIG", "GET", "maxmemory"],
];

/// They stand for a key of the namespace and for its marks.
const KEY: &str = "{key}";
const MARKS: &str = "{marks}";

pub(super) async fn check(target: &Target, checks: &mut Vec<Check>) -> Result<(), Error> {
    checks.push(encryption(&target.inspection.url.to_string()));
    let server = target.server();
    match server.user().await? {
        Some(user) => {
            let (needed, wanted) =
                (denied(target, &user, NEEDED).await?, denied(target, &user, WANTED).await?);
            checks.push(rights(&user, needed, wanted));
        }
        None => checks.push(rights("?", None, None)),
    }
    checks.push(tracking(&target.store().link_state()));
    Ok(())
}

fn encryption(url: &str) -> Check {
    const NAME: &str = "encryption";
    let (scheme, place) = url.split_once("://").unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default().split('/').next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => place.rsplit_once(':').map_or(place, |(host, _)| host),
    };
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if ["rediss", "valkeys"].contains(&scheme) {
        return Check::ok(NAME, "TLS, and the server's certificate is valid");
    }
    if scheme.contains("unix") || is_here {
        return Check::ok(NAME, "none, and nothing leaves this machine");
    }
    let advice =
        "who can listen on the network reads values and password: use rediss://, or a private network";
    Check::warn(NAME, "none", advice)
}

/// Those commands that the user may not run; `None` if the server does not say.
async fn denied(
    target: &Target,
    user: &str,
    commands: &[&[&'static str]],
) -> Result<Option<Vec<String>>, Error> {
    let (key, marks) = (format!("{}cachectl", target.namespace().prefix()), target.namespace().prefix());
    let mut denied = Vec::new();
    for command in commands {
        let real: Vec<&str> = command
            .iter()
            .map(|word| match *word {
                KEY => key.as_str(),
                MARKS => marks,
                word => word,
            })
            .collect();
        match target.server().may(user, &real).await? {
            Some(true) => {}
            Some(false) if ["CLIENT", "CONFIG", "SCRIPT"].contains(&command[0]) => {
                denied.push(format!("{} {}", command[0], command[1]));
            }
            Some(false) => denied.push(command[0].to_owned()),
            None => return Ok(None),
        }
    }
    Ok(Some(denied))
}

fn rights(user: &str, needed: Option<Vec<String>>, wanted: Option<Vec<String>>) -> Check {
    const NAME: &str = "rights";
    let (Some(needed), Some(wanted)) = (needed, wanted) else {
        let found = format!("user {user}: the server does not say what it may do");
        return Check::ok(NAME, format!("{found}; the operations above were tried"));
    };
    if !needed.is_empty() {
        let found = format!("user {user} may not: {}", needed.join(", "));
        return Check::fail(
            NAME,
            found,
            "the cache needs them: ACL SETUSER with these commands and its keys",
        );
    }
    if !wanted.is_empty() {
        let found = format!("user {user} may not: {}", wanted.join(", "));
        let advice = "the cache works without, but is told less or cannot be looked at: allow them";
        return Check::warn(NAME, found, advice);
    }
    Check::ok(NAME, format!("user {user} may do all that the cache asks for"))
}

fn tracking(link: &LinkState) -> Check {
    const NAME: &str = "tracking";
    let reason = link.reason.as_deref().unwrap_or("no reason known");
    match link.feed {
        Feed::Tracking => Check::ok(NAME, "the server tells what others change, as a test just showed"),
        Feed::PubSub => Check::warn(
            NAME,
            format!("writers publish what they change: {reason}"),
            "changes by programs that are no caches are not told: allow CLIENT TRACKING over RESP3",
        ),
        _ => Check::warn(
            NAME,
            format!("changes are not told: {reason}"),
            "copies in memory live for untracked_max_age: allow CLIENT TRACKING over RESP3, without a proxy in between",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::Level;

    #[test]
    fn only_what_leaves_the_machine_needs_encryption() {
        for (url, level) in [
            ("rediss://cache.internal:6379", Level::Ok),
            ("redis://127.0.0.1:6379", Level::Ok),
            ("redis://***@localhost:6379/2", Level::Ok),
            ("redis://[::1]:6379", Level::Ok),
            ("unix:///run/redis.sock", Level::Ok),
            ("redis://cache.internal:6379", Level::Warn),
            ("redis://***@10.0.0.1/0", Level::Warn),
            ("redis://***", Level::Warn),
        ] {
            assert_eq!(encryption(url).level, level, "{url}");
        }
    }

    #[test]
    fn a_missing_right_fails_if_the_cache_needs_it() {
        let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(rights("a", list(&[]), list(&[])).level, Level::Ok);
        assert_eq!(rights("a", list(&[]), list(&["INFO"])).level, Level::Warn);
        assert_eq!(rights("a", list(&["EVAL"]), list(&["INFO"])).level, Level::Fail);
        assert_eq!(rights("a", None, None).level, Level::Ok);
    }
}
