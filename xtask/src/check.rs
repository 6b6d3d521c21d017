//! `cargo xtask check`: promises that are proven by measurement.

use std::time::Duration;

use crate::cargo::cargo;
use crate::libtest::Report;
use crate::process::Limit;
use crate::tree::root;
use crate::{Outcome, process};

/// The programs of `checks/`, by what they prove.
const CHECKS: &[&str] = &["staleness"];
/// How many orders of threads are tried for each test of them, if it is not said.
const SCHEDULES: u64 = 20_000;
/// Every night.
const MANY_SCHEDULES: u64 = 1_000_000;
/// The longest that building, or one of their tests, may say nothing.
const SILENCE: Duration = Duration::from_secs(3_600);

/// What is looked at for every change: that the check sees what it is there for, and the faults of which each touches a
/// protection of its own.
const SHORT: &[&[&str]] = &[
    &["staleness", "--controls"],
    &["staleness", "--strict", "--seconds", "5", "--fault", "calm,blackhole-6,lost-replies,lost-pushes"],
    &["staleness", "--strict", "--seconds", "5", "--fault", "lost-replies", "--feed", "pubsub"],
];
/// What is looked at every night: every fault for a minute, with both ways of going on without the store, and with
/// the lesser feeds.
const LONG: &[&[&str]] = &[
    &["staleness", "--controls"],
    &["staleness", "--fault", "all", "--seconds", "60"],
    &["staleness", "--fault", "all", "--seconds", "60", "--strict"],
    &["staleness", "--fault", "all", "--seconds", "20", "--feed", "pubsub"],
    &["staleness", "--fault", "all", "--seconds", "20", "--feed", "ttl_only"],
    &["staleness", "--fault", "all", "--seconds", "20", "--feed", "mixed"],
];

/// Takes the name of a check, and passes the rest on to it; or `short`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((name, [])) if name == "short" => Ok(schedules(SCHEDULES)? & all(SHORT)?),
        Some((name, rest)) if name == "schedules" => match rest {
            [] => schedules(SCHEDULES),
            [count] => {
                let wrong = || format!("`{count}` is no number of schedules");
                schedules(count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?)
            }
            _ => Err("a number of schedules is the only argument".into()),
        },
        Some((name, rest)) if CHECKS.contains(&name.as_str()) => {
            let mut command = program(name);
            command.args(rest);
            // Standard output is the check's alone, so that it can be read by a program.
            let status =
                command.status().map_err(|error| format!("`{}`: {error}", process::display(&command)))?;
            Ok(status.success())
        }
        _ => Err(format!(
            "which check? There is: {}, schedules [N], and `short` for the short form of all",
            CHECKS.join(", ")
        )),
    }
}

/// Every check in its long form.
pub(crate) fn nightly() -> Outcome {
    Ok(schedules(MANY_SCHEDULES)? & all(LONG)?)
}

/// Tier 1 with locks and atomics of which a test chooses who comes next. A build of its own, because it is another map.
fn schedules(count: u64) -> Outcome {
    let mut command =
        cargo(&root(), &["test", "--quiet", "--release", "--package", "cache-memory", "--test", "schedules"]);
    command.env("RUSTFLAGS", "--cfg shuttle").env("CARGO_TARGET_DIR", root().join("target/schedules"));
    command.env("SCHEDULES", count.to_string());
    println!(
        "
$ {}",
        process::display(&command)
    );
    let mut report = Report::default();
    let ran = process::watched(&mut command, Limit::Silence(SILENCE), |line| {
        println!("{line}");
        report.line(line);
    })?;
    // Built without the flag the suite is empty, and green.
    let tests: usize = report.suites.iter().map(|suite| suite.passed).sum();
    if ran.succeeded() && tests == 0 { Err("no schedule was tried".into()) } else { Ok(ran.succeeded()) }
}

fn all(checks: &[&[&str]]) -> Outcome {
    let mut clean = true;
    for check in checks {
        if let Some((name, arguments)) = check.split_first() {
            clean &= process::shown(program(name).args(arguments))?;
        }
    }
    Ok(clean)
}

fn program(name: &str) -> std::process::Command {
    cargo(&root(), &["run", "--quiet", "--release", "--package", "checks", "--bin", name, "--"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_see_whether_the_check_sees_anything() {
        for form in [SHORT, LONG] {
            assert!(form.iter().any(|check| check.contains(&"--controls")));
            assert!(form.iter().all(|check| CHECKS.contains(&check[0])));
        }
    }
}
