//! `cargo xtask check`: promises that are proven by measurement.

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, process};

/// The programs of `checks/`, by what they prove.
const CHECKS: &[&str] = &["staleness"];

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
];

/// Takes the name of a check, and passes the rest on to it; or `short`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((name, [])) if name == "short" => all(SHORT),
        Some((name, rest)) if CHECKS.contains(&name.as_str()) => {
            let mut command = program(name);
            command.args(rest);
            // Standard output is the check's alone, so that it can be read by a program.
            let status =
                command.status().map_err(|error| format!("`{}`: {error}", process::display(&command)))?;
            Ok(status.success())
        }
        _ => Err(format!(
            "which check? There is: {}, and `short` for the short form of all",
            CHECKS.join(", ")
        )),
    }
}

/// Every check in its long form.
pub(crate) fn nightly() -> Outcome {
    all(LONG)
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
