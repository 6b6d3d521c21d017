//! Runs the example programs, and compares what they print with what it is said that they print.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Limit};
use crate::redis::Servers;

const LONGEST: Duration = Duration::from_secs(60);
/// Stands for any text within a line.
const ANY: &str = "[..]";

/// Runs an example to its end, and says what is wrong with it. `folder` is that of its package.
pub(crate) fn run(program: &Path, name: &str, folder: &Path, servers: &Servers) -> Result<(), String> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    servers.tell(&mut command);
    let ran = process::watched(&mut command, Limit::Total(LONGEST), |_| {})?;
    let verdict = match ran.status {
        None => Err(format!("still ran after {} s", LONGEST.as_secs())),
        Some(status) if !ran.succeeded() => Err(status.to_string()),
        Some(_) => {
            let path = folder.join("examples/expected").join(format!("{name}.txt"));
            std::fs::read_to_string(&path)
                .map_err(|error| format!("what it prints is not in {}: {error}", path.display()))
                .and_then(|expected| compare(&expected, &ran.output))
        }
    };
    if verdict.is_err() {
        println!("\n--- output of {name}\n{}", ran.output);
    }
    verdict
}

/// Whether the lines that are expected are printed in their order. Others may stand between them.
fn compare(expected: &str, output: &str) -> Result<(), String> {
    let mut printed = output.lines();
    let expected = expected.lines().filter(|line| !line.trim().is_empty());
    let mut count = 0;
    for line in expected {
        count += 1;
        if !printed.any(|printed| is_like(line, printed)) {
            return Err(format!("did not print `{line}` where it was expected"));
        }
    }
    if count == 0 { Err("nothing is expected of it".into()) } else { Ok(()) }
}

/// Whether a line is the pattern, where `[..]` stands for any text.
fn is_like(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.trim_end().split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| line.trim_end().strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_with_gaps() {
        assert!(is_like("a", "a") && !is_like("a", "ab") && !is_like("a", "ba"));
        assert!(is_like("a[..]c[..]", "abcd") && is_like("[..]", "") && is_like("a[..]", "a"));
        assert!(!is_like("a[..]c", "acb") && !is_like("a[..]b[..]c", "abbd"));
    }

    #[test]
    fn expected_lines_come_in_their_order() {
        let output = "one\n  two 2 ms\nthree\n";
        assert_eq!(compare("one\n\n  two [..] ms\n", output), Ok(()));
        assert!(compare("three\none\n", output).unwrap_err().contains("`one`"));
        assert!(compare("four\n", output).is_err());
    }

    #[test]
    fn an_example_of_which_nothing_is_expected_has_failed() {
        assert!(compare("\n", "one\n").is_err());
    }
}
