//! Where a Redis is, shown without its password.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::secret::REDACTED;

/// The address of a Redis server: `redis://user:password@host:port/database`, `unix:///path` or
/// `redis+unix:///path?db=0`.
///
/// `Debug`, `Display` and serialising leave out whatever could be a password, also if the address is badly written.
///
/// ```
/// use cache_factory::RedisUrl;
///
/// let url = RedisUrl::new("redis://app:pa55@cache.internal:6379/2");
/// assert_eq!(url.to_string(), "redis://***@cache.internal:6379/2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Keeps this address. Whether it can be used is found out when the setup is awaited.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The address with its password. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a password stands in it.
    pub(crate) fn has_password(&self) -> bool {
        let Some((_, rest)) = self.0.split_once("://") else { return false };
        let in_query = rest.split_once('?').is_some_and(|(_, query)| {
            query.split('&').any(|pair| pair.strip_prefix("pass=").is_some_and(|pass| !pass.is_empty()))
        });
        let in_front = user_info(rest)
            .and_then(|(user_info, _)| user_info.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty());
        in_query || in_front
    }

    /// This address without its password.
    pub(crate) fn without_password(&self) -> Self {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.clone() };
        let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
        let front = match user_info(front) {
            Some((user_info, place)) => match user_info.split(':').next() {
                Some("") | None => place.to_owned(),
                Some(user) => format!("{user}@{place}"),
            },
            None => front.to_owned(),
        };
        let kept: Vec<&str> =
            query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("pass=")).collect();
        let sign = if kept.is_empty() { "" } else { "?" };
        Self(format!("{scheme}://{front}{sign}{}", kept.join("&")))
    }
}

/// What stands before and after the last `@`, of what follows the scheme.
fn user_info(rest: &str) -> Option<(&str, &str)> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let at = authority.rfind('@')?;
    Some((&rest[..at], &rest[at + 1..]))
}

/// What may be shown of an address. A password may stand where none is expected, if signs in it were not escaped or
/// the `@` is missing: only what can be no part of one is shown.
fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return REDACTED.to_owned() };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
        return REDACTED.to_owned();
    }
    let last_at = rest.rfind('@');
    let query_at = rest.find('?');
    if let (Some(at), Some(query)) = (last_at, query_at)
        && query < at
    {
        return format!("{scheme}://{REDACTED}");
    }
    let (place, query) = match query_at {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (front, place) = match last_at {
        Some(at) => (format!("{REDACTED}@"), &place[at + 1..]),
        None => (String::new(), place),
    };
    let place = if is_place(place) { place } else { REDACTED };
    let query = query.map_or_else(String::new, |query| {
        let harmless = query
            .strip_prefix("db=")
            .is_some_and(|number| number.len() < 6 && number.bytes().all(|b| b.is_ascii_digit()));
        format!("?{}", if harmless { query } else { REDACTED })
    });
    format!("{scheme}://{front}{place}{query}")
}

/// Whether this is a path, or a host with a port and a database number that are numbers.
fn is_place(place: &str) -> bool {
    let is_number = |text: &str| text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if place.starts_with('/') {
        return true;
    }
    let (host_and_port, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !host_and_port.ends_with(']') => (host, port),
        _ => (host_and_port, ""),
    };
    let is_host = if let Some(address) = host.strip_prefix('[') {
        address.ends_with(']')
    } else {
        !host.is_empty() && !host.contains(':')
    };
    is_host && is_number(port) && is_number(database)
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl From<&str> for RedisUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_password_is_shown() {
        for url in [
            "redis://127.0.0.1:6379",
            "redis://cache.internal",
            "rediss://[::1]:6379/2",
            "unix:///run/redis.sock",
            "redis+unix:///run/redis.sock?db=3",
        ] {
            assert_eq!(RedisUrl::new(url).to_string(), url);
        }
        for (url, shown) in [
            ("redis://:canary@host:6379/0", "redis://***@host:6379/0"),
            ("redis://canary@host", "redis://***@host"),
            ("redis+unix:///s?db=1&pass=canary", "redis+unix:///s?***"),
        ] {
            assert_eq!(RedisUrl::new(url).to_string(), shown);
        }
    }

    #[test]
    fn a_password_in_an_address_that_is_badly_written_is_not_shown() {
        for url in [
            "canary",
            "redis:canary@host",
            "redis//:canary@host",
            ":canary@redis://host",
            "redis://:canary",
            "redis://user:canary:6379",
            "redis://:can/canary@host",
            "redis://:x?y/canary@host",
            "redis://:canary?z@host",
            "redis://:x#canary@host",
            "redis+unix:///s?pass=a@canary",
            "redis://host?pass=canary",
            "redis://host/0?pass=canary&db=1",
            "redis://host:canary/0",
            "redis://host/canary",
            "redis://[::1]:canary",
        ] {
            let url = RedisUrl::new(url);
            assert!(!format!("{url} {url:?}").contains("canary"), "{url}");
        }
    }

    #[test]
    fn a_password_can_be_taken_out() {
        for (url, without) in [
            ("redis://:canary@host:1/2", "redis://host:1/2"),
            ("redis://user:canary@host", "redis://user@host"),
            ("redis://host/0", "redis://host/0"),
            ("unix:///s?pass=canary", "unix:///s"),
            ("redis+unix:///s?pass=canary&db=1", "redis+unix:///s?db=1"),
            ("canary", "canary"),
        ] {
            let url = RedisUrl::new(url);
            assert_eq!(url.has_password(), url.expose().contains("://") && url.expose().contains("canary"));
            assert_eq!(url.without_password().expose(), without);
        }
    }
}
