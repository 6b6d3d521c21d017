//! `cargo xtask test`: every test of the workspace, every doc test, every example.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::Outcome;
use crate::cargo::cargo;
use crate::libtest::{Report, Source, Suite};
use crate::process::{self, Limit};
use crate::tree::{Package, Tree};

/// Longer than any doc test compiles, shorter than anybody wants to wait for a hung test.
const SILENCE: Duration = Duration::from_secs(300);
const EXAMPLE: Duration = Duration::from_secs(60);

/// `--quick` leaves out doc tests and examples.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let quick = match arguments {
        [] => false,
        [only] if only == "--quick" => true,
        _ => return Err("`--quick` is the only argument".into()),
    };
    let tree = Tree::load()?;
    let executables = build(&tree.root)?;

    let mut report = Report::default();
    let mut arguments = vec!["test", "--workspace", "--all-features", "--no-fail-fast"];
    if quick {
        arguments.extend(["--lib", "--bins", "--tests"]);
    }
    let mut command = cargo(&tree.root, &arguments);
    // Colours would hide the lines that are read here, and a quiet cargo would not print them.
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    println!("\n$ {}", process::display(&command));
    let ran = process::watched(&mut command, Limit::Silence(SILENCE), |line| {
        println!("{line}");
        report.line(line);
    })?;

    let mut rows: Vec<Row> = report.suites.iter().map(|suite| row(suite, &tree, &executables)).collect();
    let mut faults = faults(&rows, &tree.packages);
    if ran.status.is_none() {
        faults.push(format!("the tests were killed after {} s without a line", SILENCE.as_secs()));
    } else if !ran.succeeded() && rows.iter().all(|row| row.failed == 0) {
        faults.push("cargo failed, though no test did".into());
    }
    if !quick {
        rows.extend(examples(&tree, &executables)?);
    }
    Ok(summary(&rows, &faults))
}

/// A line of the summary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    package: String,
    target: String,
    passed: usize,
    failed: usize,
    ignored: usize,
    failures: Vec<String>,
}

/// What cargo built, and what it is.
struct Executable {
    package: String,
    kind: String,
    name: String,
    folder: PathBuf,
}

/// Builds everything, so that a failure to build is told from a failure of a test.
fn build(root: &Path) -> Result<BTreeMap<PathBuf, Executable>, String> {
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        executable: Option<PathBuf>,
        #[serde(default)]
        package_id: String,
        #[serde(default)]
        manifest_path: PathBuf,
        #[serde(default)]
        target: crate::tree::Target,
    }
    let mut command = cargo(
        root,
        &["test", "--workspace", "--all-features", "--no-run", "--message-format=json-render-diagnostics"],
    );
    println!("$ {}", process::display(&command));
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the tests do not compile".into());
    }
    let mut executables = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Message>(line) else { continue };
        let Some(path) = message.executable else { continue };
        let executable = Executable {
            package: message.package_id,
            kind: message.target.kind.concat(),
            name: message.target.name,
            folder: message.manifest_path.parent().unwrap_or(root).to_path_buf(),
        };
        executables.insert(path, executable);
    }
    Ok(executables)
}

fn row(suite: &Suite, tree: &Tree, executables: &BTreeMap<PathBuf, Executable>) -> Row {
    let (package, target) = match &suite.source {
        Source::Executable(path) => match executables.get(&tree.root.join(path)) {
            Some(built) => (name_of(&built.package, tree), target_name(built)),
            None => ("?".into(), path.clone()),
        },
        Source::Doc(library) => {
            let owner = tree.packages.iter().find(|package| package.name.replace('-', "_") == *library);
            (owner.map_or_else(|| library.clone(), |package| package.name.clone()), "doc tests".into())
        }
        Source::Unknown => ("?".into(), "?".into()),
    };
    let mut row = Row {
        package,
        target,
        passed: suite.passed,
        failed: suite.failed,
        ignored: suite.ignored,
        failures: suite.failures.clone(),
    };
    if !suite.is_complete() {
        row.failed += 1;
        row.failures.push("ended without a result: it crashed or was killed".into());
    }
    row
}

fn name_of(id: &str, tree: &Tree) -> String {
    tree.packages
        .iter()
        .find(|package| package.id == id)
        .map_or_else(|| id.to_owned(), |package| package.name.clone())
}

fn target_name(built: &Executable) -> String {
    match built.kind.as_str() {
        "test" => format!("tests/{}.rs", built.name),
        "example" => format!("examples/{}.rs", built.name),
        "bin" => format!("bin {}", built.name),
        _ => "unit tests".into(),
    }
}

/// What is wrong with a run beside tests that failed.
fn faults(rows: &[Row], packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    if rows.iter().all(|row| row.passed + row.failed == 0) {
        faults.push("no test ran".into());
    }
    for row in rows.iter().filter(|row| row.ignored > 0) {
        faults.push(format!(
            "{} {}: {} ignored, a test that does not run proves nothing",
            row.package, row.target, row.ignored
        ));
    }
    for package in packages {
        if !rows.iter().any(|row| row.package == package.name && row.passed + row.failed > 0) {
            faults.push(format!("{} ran no test", package.name));
        }
    }
    faults
}

/// Runs each example to its end. An example that does not end well, or not at all, has failed.
fn examples(tree: &Tree, executables: &BTreeMap<PathBuf, Executable>) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (path, built) in executables.iter().filter(|(_, built)| built.kind == "example") {
        let mut row =
            Row { package: name_of(&built.package, tree), target: target_name(built), ..Row::default() };
        let mut command = Command::new(path);
        command.current_dir(&built.folder);
        let ran = process::watched(&mut command, Limit::Total(EXAMPLE), |_| {})?;
        if ran.succeeded() {
            row.passed = 1;
        } else {
            row.failed = 1;
            row.failures.push(match ran.status {
                Some(status) => status.to_string(),
                None => format!("still ran after {} s", EXAMPLE.as_secs()),
            });
            println!("\n--- output of {} {}\n{}", row.package, row.target, ran.output);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn summary(rows: &[Row], faults: &[String]) -> bool {
    println!("\n{:<44} {:>7} {:>7} {:>7}", "suite", "passed", "failed", "ignored");
    for row in rows {
        let suite = format!("{} {}", row.package, row.target);
        println!("{suite:<44} {:>7} {:>7} {:>7}", row.passed, row.failed, row.ignored);
        for failure in &row.failures {
            println!("    FAILED {failure}");
        }
    }
    println!();
    for fault in faults {
        println!("error: {fault}");
    }
    let passed: usize = rows.iter().map(|row| row.passed).sum();
    let failed: usize = rows.iter().map(|row| row.failed).sum();
    println!("{passed} passed, {failed} failed");
    failed == 0 && faults.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(package: &str, passed: usize, failed: usize, ignored: usize) -> Row {
        Row { package: package.into(), passed, failed, ignored, ..Row::default() }
    }

    fn package(name: &str) -> Package {
        Package { name: name.into(), ..Package::default() }
    }

    #[test]
    fn a_run_without_a_fault_has_none() {
        assert_eq!(faults(&[row("a", 3, 0, 0)], &[package("a")]), Vec::<String>::new());
    }

    #[test]
    fn a_crate_that_ran_no_test_is_a_fault() {
        let found =
            faults(&[row("a", 3, 0, 0), row("b", 0, 0, 0)], &[package("a"), package("b"), package("c")]);
        assert_eq!(found, ["b ran no test", "c ran no test"]);
    }

    #[test]
    fn an_ignored_test_is_a_fault() {
        let found = faults(&[row("a", 3, 0, 1)], &[package("a")]);
        assert!(found.len() == 1 && found[0].contains("1 ignored"), "{found:?}");
    }

    #[test]
    fn a_run_of_nothing_is_a_fault() {
        assert_eq!(faults(&[], &[]), ["no test ran"]);
    }

    #[test]
    fn a_suite_that_crashed_counts_as_a_failed_test() {
        let mut report = Report::default();
        for line in ["Running tests/x.rs (target/debug/deps/x-1)", "running 2 tests", "test a ... ok"] {
            report.line(line);
        }
        let row = super::row(&report.suites[0], &Tree::default(), &BTreeMap::new());
        assert_eq!(row.failed, 1);
        assert!(!summary(&[row], &[]));
    }
}
