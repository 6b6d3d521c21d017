//! The project's own tasks. A person and the continuous integration call the same ones.

mod api;
mod bench;
mod book;
mod breaks;
mod cargo;
mod check;
mod docs;
mod examples;
mod external;
mod features;
mod libtest;
mod links;
mod lint;
mod nightly;
mod patch;
mod process;
mod redis;
mod rust;
mod screenshots;
mod symbols;
mod test;
mod tidy;
mod told;
mod tree;

use std::process::ExitCode;

/// How a task ends: `Ok(false)` when it has said itself what is wrong, `Err` when it could not do its work.
type Outcome = Result<bool, String>;

struct Task {
    name: &'static str,
    line: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        line: "every test, doc test and example [--quick] [--only-redis] [--redis docker|native|url|fetch]",
        run: test::run,
    },
    Task {
        name: "lint",
        line: "format, clippy, documentation and dependencies, warnings denied",
        run: lint::run,
    },
    Task { name: "tidy", line: "the rules of the architecture, as tests of the source", run: tidy::run },
    Task {
        name: "docs",
        line: "builds documentation and book, warnings denied, follows links and looks names up in the index",
        run: docs::run,
    },
    Task {
        name: "features",
        line: "every crate with each feature alone, with none and with all",
        run: features::run,
    },
    Task {
        name: "api",
        line: "what others rely on: types of other crates, oldest dependencies, changes since the last release [--bless]",
        run: api::run,
    },
    Task {
        name: "bench",
        line: "what things cost beside what they are compared with: l1, hit-ratio, rss, redis [--json] [--report]",
        run: bench::run,
    },
    Task {
        name: "check",
        line: "proves promises by measurement: short | staleness [--seconds N] [--fault NAME|all] [--controls] …",
        run: check::run,
    },
    Task {
        name: "screenshots",
        line: "the pictures of the live page, made in a browser",
        run: screenshots::run,
    },
    Task {
        name: "breaks",
        line: "removes each protection and sees its test turn red [part of a name]",
        run: breaks::run,
    },
    Task {
        name: "nightly",
        line: "what takes long: breaks, checks, features, more property cases, miri",
        run: nightly::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        help();
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: there is no task `{name}`");
        help();
        return ExitCode::FAILURE;
    };
    match (task.run)(rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn help() {
    println!("cargo xtask <task>\n");
    for task in TASKS {
        println!("  {:<11} {}", task.name, task.line);
    }
}

/// Refuses what a task has no use for.
fn no_arguments(arguments: &[String]) -> Result<(), String> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(format!("`{argument}` is of no use here, this task takes no arguments")),
    }
}
