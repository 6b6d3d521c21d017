//! `cargo xtask bench`: what things cost, beside what they are compared with.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, process};

/// The programs of `benches/`, by what they measure.
const BENCHES: &[&str] = &["redis", "ai"];
/// Those that need a server.
const WITH_SERVER: &[&str] = &["redis"];
const URL: &str = "CACHE_TEST_REDIS_URL";

/// Takes the name of a bench, and passes the rest on to it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first().filter(|(name, _)| BENCHES.contains(&name.as_str()))
    else {
        return Err(format!("which bench? There is: {}", BENCHES.join(", ")));
    };
    let needs_server = WITH_SERVER.contains(&name.as_str()) && std::env::var_os(URL).is_none();
    let server = if needs_server { Some(Server::start()?) } else { None };
    let mut command =
        cargo(&root(), &["run", "--quiet", "--release", "--package", "benches", "--bin", name, "--"]);
    command.args(rest);
    if let Some(server) = &server {
        command.env(URL, &server.url);
    }
    // Standard output is the bench's alone, so that it can be read by a program.
    let status = command.status().map_err(|error| format!("`{}`: {error}", process::display(&command)))?;
    Ok(status.success())
}

/// A server as the tests have it. It ends with its input.
struct Server {
    url: String,
    process: Child,
}

impl Server {
    fn start() -> Result<Self, String> {
        let arguments = [
            "run",
            "--quiet",
            "--package",
            "cache-testkit",
            "--features",
            "redis",
            "--bin",
            "cache-test-redis",
        ];
        let mut command = cargo(&root(), &arguments);
        let cannot = |error: std::io::Error| format!("no server for the bench: {error}");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(cannot)?;
        }
        let Some((url, what)) = line.trim().split_once(' ') else {
            return Err("no server for the bench".into());
        };
        eprintln!("server: {what}");
        Ok(Self { url: url.to_owned(), process })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}
