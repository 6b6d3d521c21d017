//! `cargo xtask breaks`: removes each protection in turn and sees its test turn red.
//!
//! A protection that can be removed while all tests stay green is not protected. Works on a copy of the tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::Outcome;
use crate::cargo::cargo;
use crate::libtest::Report;
use crate::patch::Break;
use crate::process::{self, Limit, Ran};
use crate::tree::{paths, root};

/// Where the breaks are kept.
pub(crate) const FOLDER: &str = "tests/breaks";

/// A test that hangs without its protection is red too.
const HUNG: Duration = Duration::from_secs(120);
const BUILD: Duration = Duration::from_secs(1200);

/// Takes a part of a name, to run only some.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let part = match arguments {
        [] => "",
        [part] => part,
        _ => return Err("a part of a name is the only argument".into()),
    };
    let bench = Bench::new(&root())?;
    let breaks = bench.breaks(part)?;
    if breaks.is_empty() {
        return Err(format!("no break in {FOLDER} is called like `{part}`"));
    }

    bench.reset()?;
    // Breaks often share a test: whether it is green without them is asked once.
    let mut green: BTreeMap<&[String], Verdict> = BTreeMap::new();
    for case in &breaks {
        if !green.contains_key(case.test.as_slice()) {
            println!("green? cargo {}", case.test.join(" "));
            green.insert(&case.test, bench.judge(case)?);
        }
    }

    let mut rows = Vec::new();
    for case in &breaks {
        println!("red?   {}", case.name);
        let start = Instant::now();
        let verdict = match &green[case.test.as_slice()] {
            Verdict::Green => bench.judge_broken(case)?,
            Verdict::Red => Verdict::Useless("its test is red without it".into()),
            Verdict::Useless(why) => Verdict::Useless(format!("without it: {why}")),
        };
        if let Verdict::Useless(why) = &verdict {
            println!("{why}");
        }
        rows.push((case, verdict, start.elapsed()));
    }
    Ok(summary(&rows))
}

/// What became of a break.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A test turned red, as it must.
    Red,
    /// The protection is gone and nobody noticed.
    Green,
    /// The break itself does not work.
    Useless(String),
}

/// What a run of the named test says of the protection, once it was built.
fn verdict(ran: &Ran) -> Verdict {
    if ran.status.is_none() {
        return Verdict::Red;
    }
    let mut report = Report::default();
    ran.output.lines().for_each(|line| report.line(line));
    if ran.succeeded() {
        return if tests_in(&report) > 0 {
            Verdict::Green
        } else {
            Verdict::Useless("it runs no test".into())
        };
    }
    // A suite without a result crashed: the loudest way to turn red.
    if report.suites.iter().any(|suite| suite.failed > 0 || !suite.is_complete()) {
        Verdict::Red
    } else {
        Verdict::Useless(format!("its command failed, but no test did:\n{}", ran.output))
    }
}

fn tests_in(report: &Report) -> usize {
    report.suites.iter().map(|suite| suite.passed + suite.failed).sum()
}

/// A copy of the tree to break things in. Kept between runs, so that little is built anew.
struct Bench {
    /// The tree as it was at the start, whatever is done to it meanwhile.
    files: BTreeMap<String, Vec<u8>>,
    copy: PathBuf,
    target: PathBuf,
}

impl Bench {
    fn new(source: &Path) -> Result<Self, String> {
        let folder = source.join("target/breaks");
        let (copy, target) = (folder.join("tree"), folder.join("build"));
        std::fs::create_dir_all(&copy).map_err(|error| cannot("make", "target/breaks", &error))?;
        let mut files = BTreeMap::new();
        for path in paths(source)? {
            let bytes = std::fs::read(source.join(&path)).map_err(|error| cannot("read", &path, &error))?;
            files.insert(path, bytes);
        }
        Ok(Self { files, copy, target })
    }

    /// The breaks whose name has `part` in it, in order.
    fn breaks(&self, part: &str) -> Result<Vec<Break>, String> {
        let mut breaks = Vec::new();
        for (path, bytes) in &self.files {
            let name =
                path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')?.strip_suffix(".patch"));
            let Some(name) = name.filter(|name| name.contains(part)) else { continue };
            let text = String::from_utf8_lossy(bytes);
            breaks.push(Break::parse(name, &text).map_err(|problem| format!("{path}: {problem}"))?);
        }
        Ok(breaks)
    }

    /// Makes the copy equal to the tree. Files that are equal keep their times, others get the present, so that cargo
    /// sees exactly what changed.
    fn reset(&self) -> Result<(), String> {
        for path in paths(&self.copy)?.iter().filter(|path| !self.files.contains_key(*path)) {
            std::fs::remove_file(self.copy.join(path)).map_err(|error| cannot("remove", path, &error))?;
        }
        for (path, bytes) in &self.files {
            let to = self.copy.join(path);
            if std::fs::read(&to).is_ok_and(|old| old == *bytes) {
                continue;
            }
            let written =
                to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&to, bytes));
            written.and_then(|()| touch(&to)).map_err(|error| cannot("write", path, &error))?;
        }
        Ok(())
    }

    /// What the test says of the copy with the break in it. The copy is whole again afterwards.
    fn judge_broken(&self, case: &Break) -> Result<Verdict, String> {
        let verdict = match self.apply(case) {
            Ok(()) => self.judge(case),
            Err(problem) => Ok(Verdict::Useless(format!("it does not apply: {problem}"))),
        };
        self.reset()?;
        verdict
    }

    /// What the test says of the copy as it is.
    fn judge(&self, case: &Break) -> Result<Verdict, String> {
        let built = self.run(&case.build(), BUILD)?;
        if !built.succeeded() {
            return Ok(Verdict::Useless(format!("it does not compile:\n{}", built.output)));
        }
        Ok(verdict(&self.run(&case.test, HUNG)?))
    }

    fn apply(&self, case: &Break) -> Result<(), String> {
        let patch = self.copy.join(FOLDER).join(format!("{}.patch", case.name));
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(&self.copy).arg("apply").args(arguments).arg(&patch);
            // The copy lies inside of the repository. Git would take that for its tree and skip the patch in silence.
            command.env("GIT_CEILING_DIRECTORIES", self.copy.parent().unwrap_or(&self.copy));
            process::read(&mut command)
        };
        git(&["--whitespace=nowarn"])?;
        let changed = git(&["--numstat", "-z"])?;
        for path in changed.split_terminator('\0').filter_map(|line| line.rsplit('\t').next()) {
            let changed = self.copy.join(path);
            if changed.exists() {
                touch(&changed).map_err(|error| cannot("touch", path, &error))?;
            }
        }
        Ok(())
    }

    fn run(&self, arguments: &[String], limit: Duration) -> Result<Ran, String> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = cargo(&self.copy, &arguments);
        command.env("CARGO_TARGET_DIR", &self.target);
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_QUIET", "false");
        process::watched(&mut command, Limit::Total(limit), |_| {})
    }
}

fn cannot(what: &str, path: &str, error: &std::io::Error) -> String {
    format!("cannot {what} {path}: {error}")
}

/// Gives a file the present as its time, even where a change falls within one tick of the file system's clock.
fn touch(path: &Path) -> std::io::Result<()> {
    std::fs::File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

fn summary(rows: &[(&Break, Verdict, Duration)]) -> bool {
    println!("\n{:<36} {:>5} {:<8} protects", "break", "s", "");
    for (case, verdict, took) in rows {
        let word = match verdict {
            Verdict::Red => "red",
            Verdict::Green => "GREEN",
            Verdict::Useless(_) => "USELESS",
        };
        println!("{:<36} {:>5} {word:<8} {}", case.name, took.as_secs(), case.protects);
    }
    let red = rows.iter().filter(|(_, verdict, _)| *verdict == Verdict::Red).count();
    println!("\n{red} of {} protections are seen by their test", rows.len());
    red == rows.len()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn ran(code: Option<i32>, output: &str) -> Ran {
        Ran { status: code.map(|code| ExitStatus::from_raw(code << 8)), output: output.into() }
    }

    const RUNNING: &str = "Running tests/x.rs (target/debug/deps/x-1)\n\nrunning 1 test\n";

    #[test]
    fn a_failed_test_is_red() {
        let output =
            format!("{RUNNING}test a ... FAILED\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n");
        assert_eq!(verdict(&ran(Some(101), &output)), Verdict::Red);
    }

    #[test]
    fn a_crashed_or_hung_test_is_red() {
        assert_eq!(verdict(&ran(Some(101), RUNNING)), Verdict::Red);
        assert_eq!(verdict(&ran(None, RUNNING)), Verdict::Red);
    }

    #[test]
    fn a_test_that_passes_without_the_protection_is_green() {
        let output = format!("{RUNNING}test a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n");
        assert_eq!(verdict(&ran(Some(0), &output)), Verdict::Green);
    }

    #[test]
    fn a_command_that_runs_no_test_or_fails_otherwise_is_useless() {
        let none = "Running tests/x.rs (target/debug/deps/x-1)\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed\n";
        assert!(matches!(verdict(&ran(Some(0), none)), Verdict::Useless(_)));
        assert!(matches!(verdict(&ran(Some(101), "error: could not compile `x`\n")), Verdict::Useless(_)));
    }
}
