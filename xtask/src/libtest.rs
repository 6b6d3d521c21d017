//! Reads what `cargo test` prints, line by line, into counts for each suite.

/// The tests of one executable, or the doc tests of one crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) source: Source,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
    /// Names of the failed tests.
    pub(crate) failures: Vec<String>,
    started: usize,
    ended: usize,
}

/// What cargo says that it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// An executable, by its path.
    Executable(String),
    /// The doc tests of the library with this name.
    Doc(String),
    /// Lines before anything was announced.
    #[default]
    Unknown,
}

impl Suite {
    /// Whether all that was started also gave its result. A suite that crashed or was killed did not.
    pub(crate) fn is_complete(&self) -> bool {
        self.started > 0 && self.started == self.ended
    }
}

/// All suites of a run, in the order in which they ran.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) suites: Vec<Suite>,
}

impl Report {
    /// Reads one line.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(source) = announced(line) {
            self.suites.push(Suite { source, ..Suite::default() });
            return;
        }
        if is_start(line) {
            self.current().started += 1;
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            let suite = self.current();
            suite.ended += 1;
            suite.passed += count(counts, "passed");
            suite.failed += count(counts, "failed");
            suite.ignored += count(counts, "ignored");
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.current().failures.push(name.to_owned());
        }
    }

    fn current(&mut self) -> &mut Suite {
        if self.suites.is_empty() {
            self.suites.push(Suite::default());
        }
        let last = self.suites.len() - 1;
        &mut self.suites[last]
    }
}

/// `Running tests/x.rs (target/debug/deps/x-0123)` or `Doc-tests crate_name`.
fn announced(line: &str) -> Option<Source> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("Running ") {
        let path = rest.strip_suffix(')')?.rsplit_once(" (")?.1;
        return Some(Source::Executable(path.to_owned()));
    }
    line.strip_prefix("Doc-tests ").map(|name| Source::Doc(name.to_owned()))
}

/// `running 3 tests`
fn is_start(line: &str) -> bool {
    line.strip_prefix("running ")
        .and_then(|rest| rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test")))
        .is_some_and(|number| number.parse::<usize>().is_ok())
}

/// The number before `word` in `ok. 3 passed; 0 failed; …`.
fn count(counts: &str, word: &str) -> usize {
    counts
        .split([';', '.'])
        .filter_map(|part| part.trim().split_once(' '))
        .find(|(_, what)| *what == word)
        .and_then(|(number, _)| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Suite> {
        let mut report = Report::default();
        text.lines().for_each(|line| report.line(line));
        report.suites
    }

    #[test]
    fn counts_are_read_for_each_suite() {
        let suites = read(
            "   Compiling cache-core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/cache_core-01)

running 3 tests
test a ... ok
test b::c ... FAILED
test d ... ignored

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s

   Doc-tests cache_core

running 1 test
test src/lib.rs - (line 1) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 2 tests
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
",
        );
        assert_eq!(suites.len(), 2);
        assert_eq!(suites[0].source, Source::Executable("target/debug/deps/cache_core-01".into()));
        assert_eq!((suites[0].passed, suites[0].failed, suites[0].ignored), (1, 1, 1));
        assert_eq!(suites[0].failures, ["b::c"]);
        assert_eq!(suites[1].source, Source::Doc("cache_core".into()));
        assert_eq!(suites[1].passed, 3, "a doc test run has several blocks");
        assert!(suites.iter().all(Suite::is_complete));
    }

    #[test]
    fn a_suite_that_dies_is_not_complete() {
        let crashed = "Running tests/x.rs (target/debug/deps/x-1)\n\nrunning 2 tests\ntest a ... ok\nerror: test failed";
        assert!(!read(crashed)[0].is_complete());
        let silent = "Running tests/x.rs (target/debug/deps/x-1)\n";
        assert!(!read(silent)[0].is_complete());
    }

    #[test]
    fn what_a_test_prints_about_running_is_not_taken_for_a_suite() {
        assert_eq!(announced("running 3 tests"), None);
        assert_eq!(announced("Running late"), None);
        assert!(!is_start("running out of tests"));
    }
}
