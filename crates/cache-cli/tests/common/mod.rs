//! What the tests share: a server, a cache of an application on it, and the program run beside it.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::Command;
use cache_factory::{Cache, CacheConfig, CacheFactory};
use cache_testkit::redis::{RedisServer, fresh_namespace};
use serde_json::Value;

/// The server of this process, for tests that leave it as it is.
pub(crate) fn shared() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::shared_or_launch().unwrap())
}

/// A namespace that no other test uses.
pub(crate) fn fresh(test: &str) -> String {
    fresh_namespace(test).unwrap().as_str().to_owned()
}

/// The cache of an application.
pub(crate) async fn cache(server: &RedisServer, namespace: &str) -> Cache {
    let toml = format!("namespace = '{namespace}'\n[redis]\nurl = '{}'", server.url());
    CacheFactory::new().from_config(CacheConfig::from_toml(&toml).unwrap()).await.unwrap()
}

/// The program, with nothing in its environment that speaks of a cache.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachectl"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CACHE_")) {
        command.env_remove(name);
    }
    command.timeout(Duration::from_secs(120));
    command
}

/// How a run ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Its one line of JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn assert_without(&self, word: &str) {
        assert!(!format!("{}{}", self.stdout, self.stderr).contains(word), "{word} in {self:?}");
    }
}

/// Runs the program on a server's namespace.
pub(crate) fn run(server: &RedisServer, namespace: &str, arguments: &[&str]) -> Ran {
    let mut command = program();
    command.args(["--url", &server.url(), "--namespace", namespace]).args(arguments);
    Ran::of(&mut command)
}

/// The same with `--json`.
pub(crate) fn run_json(server: &RedisServer, namespace: &str, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["--json"];
    all.extend(arguments);
    let ran = run(server, namespace, &all);
    (ran.code, ran.json())
}

/// A terminal: our end, and the one that a program is given.
#[cfg(unix)]
pub(crate) fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).and_then(|()| unlockpt(&ours)).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = std::fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (std::fs::File::from(ours), theirs)
}
