//! What the tests say of the servers that they ran against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use crate::told::Told;

/// The ways to a server that can be forced.
pub(crate) const WAYS: &[&str] = &["docker", "native", "url", "fetch"];

/// The servers of a run of tests: which way they come, and what each program says that it had.
#[derive(Debug)]
pub(crate) struct Servers {
    way: Option<String>,
    told: Told,
}

impl Servers {
    /// For a run of tests with this way forced.
    pub(crate) fn by(way: Option<String>) -> Result<Self, String> {
        if way.as_deref() == Some("url") && std::env::var_os("CACHE_TEST_REDIS_URL").is_none() {
            return Err("`--redis url` needs the address of a server in CACHE_TEST_REDIS_URL".into());
        }
        Ok(Self { way, told: Told::by("CACHE_TEST_REDIS_REPORT") })
    }

    /// Tells a command that runs tests.
    pub(crate) fn tell(&self, command: &mut Command) {
        self.told.tell(command);
        if let Some(way) = &self.way {
            command.env("CACHE_TEST_REDIS", way);
        }
    }

    /// Which program ran against which servers: `redis 7.0.15 by native`.
    pub(crate) fn read(self) -> BTreeMap<PathBuf, BTreeSet<String>> {
        self.told.read()
    }
}

/// Whether a test target is there for what needs a real server: `--only-redis` runs these.
pub(crate) fn is_meant(package: &str, test: &str) -> bool {
    package == "cache-redis" || test.starts_with("redis_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_test_says_that_it_needs_a_server() {
        assert!(is_meant("cache-testkit", "redis_launcher") && is_meant("cache-redis", "conformance"));
        assert!(!is_meant("cache-testkit", "proxy") && !is_meant("cache-tiered", "redisish"));
    }

    #[test]
    fn a_way_is_told_to_the_tests() {
        let servers = Servers::by(Some("fetch".into())).unwrap();
        let mut command = Command::new("true");
        servers.tell(&mut command);
        let told: Vec<_> = command.get_envs().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(told, ["CACHE_TEST_REDIS", "CACHE_TEST_REDIS_REPORT"]);
    }
}
