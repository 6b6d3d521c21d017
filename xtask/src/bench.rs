//! `cargo xtask bench`: what things cost, beside what they are compared with.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, process};

/// Programs of `benches/`, by what they measure.
struct Bench {
    name: &'static str,
    /// In place of others of the same name, if the arguments have this flag, which is passed on.
    flag: Option<&'static str>,
    /// Run one after the other with the same arguments.
    programs: &'static [&'static str],
    needs_server: bool,
    /// What the measurements are called in the documentation, if they are there.
    section: Option<&'static str>,
}

const INSTRUCTIONS: &str = "--instructions";
const REPORT: &str = "--report";
const URL: &str = "CACHE_TEST_REDIS_URL";

const BENCHES: &[Bench] = &[
    bench("l1", &["l1", "l1-memory"]),
    Bench { flag: Some(INSTRUCTIONS), section: Some("instructions"), ..bench("l1", &["l1-instructions"]) },
    bench("hit-ratio", &["hit-ratio"]),
    bench("rss", &["rss"]),
    Bench { needs_server: true, section: None, ..bench("redis", &["redis"]) },
    bench("ai", &["ai"]),
];

const fn bench(name: &'static str, programs: &'static [&'static str]) -> Bench {
    Bench { name, flag: None, programs, needs_server: false, section: Some(name) }
}

/// Takes the name of a bench, and passes the rest on to it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (bench, rest) = named(arguments)?;
    let needs_server = bench.needs_server && std::env::var_os(URL).is_none();
    let server = if needs_server { Some(Server::start()?) } else { None };
    let url = server.as_ref().map(|server| server.url.as_str());
    if rest.iter().any(|argument| argument == REPORT) {
        let section = bench.section.ok_or_else(|| format!("there is no report of {}", bench.name))?;
        return report(section, bench, rest);
    }
    for program in bench.programs {
        // Standard output is the bench's alone, so that it can be read by a program.
        if !measure(program, rest, url, Stdio::inherit())? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn named(arguments: &[String]) -> Result<(&'static Bench, &[String]), String> {
    let known = || {
        let mut names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        names.dedup();
        format!("which bench? There is: {}", names.join(", "))
    };
    let (name, rest) = arguments.split_first().ok_or_else(known)?;
    let wanted =
        |bench: &&Bench| bench.name == name && bench.flag.is_none_or(|flag| rest.iter().any(|it| it == flag));
    // The one with a flag comes after the one without.
    let bench = BENCHES.iter().rfind(wanted).ok_or_else(known)?;
    Ok((bench, rest))
}

/// Measures, keeps what came out below `target/bench`, and writes it into the documentation.
fn report(section: &str, bench: &Bench, arguments: &[String]) -> Outcome {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let arguments: Vec<String> = arguments.iter().filter(|argument| *argument != REPORT).cloned().collect();
    let mut json = arguments.clone();
    json.push("--json".into());
    let mut files = Vec::new();
    for program in bench.programs {
        let file = folder.join(format!("{program}.jsonl"));
        let output = File::create(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if !measure(program, &json, None, output.into())? {
            return Ok(false);
        }
        files.push(file);
    }
    let command =
        [vec!["cargo xtask bench".into(), bench.name.into()], arguments, vec![REPORT.into()]].concat();
    write(section, &command.join(" "), &files)
}

fn write(section: &str, command: &str, files: &[PathBuf]) -> Outcome {
    let paths = files.iter().map(|file| file.to_string_lossy().into_owned());
    let arguments: Vec<String> = [section.to_owned(), command.to_owned()].into_iter().chain(paths).collect();
    measure("report", &arguments, None, Stdio::inherit())
}

/// Builds and runs one program, and tells whether it succeeded.
fn measure(program: &str, arguments: &[String], url: Option<&str>, output: Stdio) -> Outcome {
    let root: &Path = &root();
    let mut command = cargo(
        root,
        &["run", "--quiet", "--profile", "bench", "--package", "benches", "--bin", program, "--"],
    );
    command.args(arguments).stdout(output);
    if let Some(url) = url {
        command.env(URL, url);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(line: &str) -> Result<&'static [&'static str], String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        named(&words).map(|(bench, _)| bench.programs)
    }

    #[test]
    fn a_flag_chooses_among_benches_of_one_name() {
        assert_eq!(programs("l1 --json"), Ok(["l1", "l1-memory"].as_slice()));
        assert_eq!(programs("l1 --bless --instructions"), Ok(["l1-instructions"].as_slice()));
        assert_eq!(programs("redis"), Ok(["redis"].as_slice()));
    }

    #[test]
    fn an_unknown_bench_is_told_which_there_are() {
        for line in ["", "l2", "--instructions"] {
            assert_eq!(
                programs(line),
                Err("which bench? There is: l1, hit-ratio, rss, redis, ai".into()),
                "{line}"
            );
        }
    }

    #[test]
    fn only_the_one_for_redis_needs_a_server() {
        let needing: Vec<_> =
            BENCHES.iter().filter(|bench| bench.needs_server).map(|bench| bench.name).collect();
        assert_eq!(needing, ["redis"]);
    }
}
