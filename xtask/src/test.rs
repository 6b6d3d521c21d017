//! `cargo xtask test`: every test of the workspace, every doc test, every example.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cargo::cargo;
use crate::libtest::{Report, Source, Suite};
use crate::process::{self, Limit};
use crate::redis::{self, Servers, WAYS};
use crate::told::{Told, resolved};
use crate::tree::{Package, Tree};
use crate::{Outcome, examples};

/// Longer than any doc test compiles, shorter than anybody wants to wait for a hung test.
const SILENCE: Duration = Duration::from_secs(300);

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    /// No doc tests, no examples.
    quick: bool,
    /// Only the tests that need a real server.
    only_redis: bool,
    /// The way to that server.
    way: Option<String>,
}

impl Wish {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => wish.quick = true,
                "--only-redis" => wish.only_redis = true,
                "--redis" => {
                    let way = arguments.next().filter(|way| WAYS.contains(&way.as_str()));
                    let way = way.ok_or_else(|| format!("`--redis` takes one of {}", WAYS.join(", ")))?;
                    wish.way = Some(way.clone());
                }
                other => {
                    return Err(format!("`{other}` is not one of `--quick`, `--only-redis`, `--redis WAY`"));
                }
            }
        }
        Ok(wish)
    }
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let wish = Wish::read(arguments)?;
    let servers = Servers::by(wish.way.clone())?;
    let browsers = Told::by("CACHE_TEST_BROWSER_REPORT");
    let tree = Tree::load()?;
    let executables = build(&tree.root)?;

    let mut report = Report::default();
    let mut arguments = vec!["test", "--workspace", "--all-features", "--no-fail-fast"];
    let meant: BTreeSet<&str> = executables
        .values()
        .filter(|built| built.is_for_redis(&tree))
        .map(|built| built.name.as_str())
        .collect();
    if wish.only_redis {
        if meant.is_empty() {
            return Err("no test is there for a real server".into());
        }
        arguments.extend(meant.iter().flat_map(|name| ["--test", name]));
    } else if wish.quick {
        arguments.extend(["--lib", "--bins", "--tests"]);
    }
    let mut command = cargo(&tree.root, &arguments);
    // Colours would hide the lines that are read here, and a quiet cargo would not print them.
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
    servers.tell(&mut command);
    browsers.tell(&mut command);
    println!("\n$ {}", process::display(&command));
    let ran = process::watched(&mut command, Limit::Silence(SILENCE), |line| {
        println!("{line}");
        report.line(line);
    })?;

    let mut rows: Vec<Row> = report.suites.iter().map(|suite| row(suite, &tree, &executables)).collect();
    let mut faults = if wish.only_redis { faults(&rows, &[]) } else { faults(&rows, &tree.packages) };
    if ran.status.is_none() {
        faults.push(format!("the tests were killed after {} s without a line", SILENCE.as_secs()));
    } else if !ran.succeeded() && rows.iter().all(|row| row.failed == 0) {
        faults.push("cargo failed, though no test did".into());
    }
    if !wish.quick && !wish.only_redis {
        rows.extend(examples(&tree, &executables, &servers));
    }
    let (launched, browsed) = (servers.read(), browsers.read());
    for row in &mut rows {
        row.servers = launched.get(&row.program).cloned().unwrap_or_default();
        row.browsers = browsed.get(&row.program).cloned().unwrap_or_default();
    }
    faults.extend(without_server(&rows));
    faults.extend(without_browser(&rows));
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
    program: PathBuf,
    /// What it ran against: `redis 7.0.15 by native`.
    servers: BTreeSet<String>,
    /// What it ran in: `Chromium 156.0`.
    browsers: BTreeSet<String>,
}

/// What cargo built, and what it is.
struct Executable {
    package: String,
    kind: String,
    name: String,
    folder: PathBuf,
}

impl Executable {
    fn is_for_redis(&self, tree: &Tree) -> bool {
        self.kind == "test" && redis::is_meant(&name_of(&self.package, tree), &self.name)
    }
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
        executables.insert(resolved(&path), executable);
    }
    Ok(executables)
}

fn row(suite: &Suite, tree: &Tree, executables: &BTreeMap<PathBuf, Executable>) -> Row {
    let program = match &suite.source {
        Source::Executable(path) => resolved(&tree.root.join(path)),
        _ => PathBuf::new(),
    };
    let (package, target) = match &suite.source {
        Source::Executable(path) => match executables.get(&program) {
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
        program,
        servers: BTreeSet::new(),
        browsers: BTreeSet::new(),
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

/// What is wrong with the tests that need a real server: none may pass by not running.
fn without_server(rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    if rows.iter().all(|row| row.servers.is_empty() || row.passed + row.failed == 0) {
        faults.push("no test ran against a Redis server".into());
    }
    for row in rows {
        let Some(test) = row.target.strip_prefix("tests/") else { continue };
        let (is_named, has_server) = (test.starts_with("redis_"), !row.servers.is_empty());
        if is_named && !has_server && row.passed > 0 {
            faults.push(format!("{} {} passed without a Redis server", row.package, row.target));
        }
        if has_server && !redis::is_meant(&row.package, test) {
            faults.push(format!(
                "{} {} uses a Redis server, so its name has to start with `redis_`",
                row.package, row.target
            ));
        }
    }
    faults
}

/// The pages are to be seen in a browser. A test that finds none fails, so it is enough that there is one.
fn without_browser(rows: &[Row]) -> Option<String> {
    let none = rows.iter().all(|row| row.browsers.is_empty() || row.passed + row.failed == 0);
    none.then(|| "no test ran in a browser".to_owned())
}

/// Runs each example to its end. An example that does not end well, or does not print what it should, has failed.
fn examples(tree: &Tree, executables: &BTreeMap<PathBuf, Executable>, servers: &Servers) -> Vec<Row> {
    let programs = executables.iter().filter(|(_, built)| built.kind == "example");
    programs
        .map(|(path, built)| {
            let verdict = examples::run(path, &built.name, &built.folder, servers);
            Row {
                package: name_of(&built.package, tree),
                target: target_name(built),
                passed: usize::from(verdict.is_ok()),
                failed: usize::from(verdict.is_err()),
                failures: verdict.err().into_iter().collect(),
                program: path.clone(),
                ..Row::default()
            }
        })
        .collect()
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
    for row in rows.iter().filter(|row| !row.servers.is_empty() && row.passed + row.failed > 0) {
        let servers: Vec<&str> = row.servers.iter().map(String::as_str).collect();
        let ran = row.passed + row.failed;
        println!("Redis: {ran} tests of {} {} ran against {}", row.package, row.target, servers.join(", "));
    }
    for row in rows.iter().filter(|row| !row.browsers.is_empty() && row.passed + row.failed > 0) {
        let browsers: Vec<&str> = row.browsers.iter().map(String::as_str).collect();
        let ran = row.passed + row.failed;
        println!("Browser: {ran} tests of {} {} ran in {}", row.package, row.target, browsers.join(", "));
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

    fn redis_row(target: &str, passed: usize, server: &str) -> Row {
        let servers = Some(server.to_owned()).filter(|server| !server.is_empty()).into_iter().collect();
        Row { target: target.into(), servers, ..row("a", passed, 0, 0) }
    }

    #[test]
    fn a_run_without_a_server_is_a_fault() {
        assert_eq!(without_server(&[row("a", 3, 0, 0)]), ["no test ran against a Redis server"]);
        assert_eq!(
            without_server(&[redis_row("tests/redis_x.rs", 3, "redis 7 by native")]),
            Vec::<String>::new()
        );
        // A server without a test against it is none.
        assert_eq!(without_server(&[redis_row("bin x", 0, "redis 7 by native")]).len(), 1);
    }

    #[test]
    fn a_run_without_a_browser_is_a_fault() {
        assert_eq!(without_browser(&[row("a", 3, 0, 0)]).as_deref(), Some("no test ran in a browser"));
        let browsers = ["Chromium 156.0".to_owned()].into();
        assert_eq!(without_browser(&[Row { browsers, ..row("a", 3, 0, 0) }]), None);
    }

    #[test]
    fn tests_named_after_redis_have_a_server_and_others_do_not() {
        let good = redis_row("tests/redis_x.rs", 3, "redis 7 by native");
        let idle = redis_row("tests/redis_y.rs", 3, "");
        let hidden = redis_row("tests/z.rs", 3, "redis 7 by native");
        let faults = without_server(&[good, idle, hidden]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(
            faults[0].contains("redis_y.rs passed without") && faults[1].contains("z.rs uses"),
            "{faults:?}"
        );
    }

    #[test]
    fn arguments_are_read_in_any_order_and_others_refused() {
        let read = |line: &str| Wish::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let wish = read("--only-redis --redis native --quick").unwrap();
        assert_eq!(wish, Wish { quick: true, only_redis: true, way: Some("native".into()) });
        assert_eq!(read("").unwrap(), Wish::default());
        for line in ["--redis", "--redis podman", "--fast", "native"] {
            assert!(read(line).is_err(), "{line}");
        }
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
