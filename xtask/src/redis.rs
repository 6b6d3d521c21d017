//! What the tests say of the servers that they ran against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The ways to a server that can be forced.
pub(crate) const WAYS: &[&str] = &["docker", "native", "url", "fetch"];

/// The file in which each launch of a server leaves a line: program, version and way, separated by tabs.
#[derive(Debug)]
pub(crate) struct Servers {
    way: Option<String>,
    report: PathBuf,
}

impl Servers {
    /// For a run of tests with this way forced.
    pub(crate) fn by(way: Option<String>) -> Result<Self, String> {
        if way.as_deref() == Some("url") && std::env::var_os("CACHE_TEST_REDIS_URL").is_none() {
            return Err("`--redis url` needs the address of a server in CACHE_TEST_REDIS_URL".into());
        }
        let report = std::env::temp_dir().join(format!("cache-test-servers-{}", std::process::id()));
        Ok(Self { way, report })
    }

    /// Tells a command that runs tests.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("CACHE_TEST_REDIS_REPORT", &self.report);
        if let Some(way) = &self.way {
            command.env("CACHE_TEST_REDIS", way);
        }
    }

    /// Which program ran against which servers: `redis 7.0.15 by native`.
    pub(crate) fn read(self) -> BTreeMap<PathBuf, BTreeSet<String>> {
        let text = std::fs::read_to_string(&self.report).unwrap_or_default();
        drop(std::fs::remove_file(&self.report));
        parse(&text)
    }
}

fn parse(text: &str) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut servers: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, '\t');
        if let (Some(program), Some(version), Some(way)) = (parts.next(), parts.next(), parts.next()) {
            let program = resolved(Path::new(program));
            servers.entry(program).or_default().insert(format!("{version} by {way}"));
        }
    }
    servers
}

/// The same for each name of a file.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// Whether a test target is there for what needs a real server: `--only-redis` runs these.
pub(crate) fn is_meant(package: &str, test: &str) -> bool {
    package == "cache-redis" || test.starts_with("redis_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_servers_once() {
        let text = "/a\tredis 7.0.15\tnative\n/a\tredis 7.0.15\tnative\n/b\tvalkey 9.1.2\tfetch\n/a\tredis 8\tdocker\nhalf a line";
        let servers = parse(text);
        let of = |program: &str| servers[Path::new(program)].iter().cloned().collect::<Vec<_>>().join(", ");
        assert_eq!(servers.len(), 2);
        assert_eq!(of("/a"), "redis 7.0.15 by native, redis 8 by docker");
        assert_eq!(of("/b"), "valkey 9.1.2 by fetch");
    }

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
