//! `cargo xtask bench`: what things cost, beside what they are compared with.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, process};

/// Programs of `benches/`.
struct Bench {
    name: &'static str,
    /// Run one after the other with the same arguments.
    programs: &'static [&'static str],
    needs_server: bool,
}

const BENCHES: &[Bench] = &[
    Bench { name: "l1", programs: &["l1", "l1-memory"], needs_server: false },
    Bench { name: "redis", programs: &["redis"], needs_server: true },
];
const URL: &str = "CACHE_TEST_REDIS_URL";

/// Takes the name of a bench, and passes the rest on to it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let named = |name: &String| BENCHES.iter().find(|bench| bench.name == name);
    let Some((bench, rest)) = arguments.split_first().and_then(|(name, rest)| Some((named(name)?, rest)))
    else {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(format!("which bench? There is: {}", names.join(", ")));
    };
    let needs_server = bench.needs_server && std::env::var_os(URL).is_none();
    let server = if needs_server { Some(Server::start()?) } else { None };
    for program in bench.programs {
        let arguments =
            ["run", "--quiet", "--profile", "bench", "--package", "benches", "--bin", program, "--"];
        let mut command = cargo(&root(), &arguments);
        command.args(rest);
        if let Some(server) = &server {
            command.env(URL, &server.url);
        }
        // Standard output is the bench's alone, so that it can be read by a program.
        let status =
            command.status().map_err(|error| format!("`{}`: {error}", process::display(&command)))?;
        if !status.success() {
            return Ok(false);
        }
    }
    Ok(true)
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
