//! Counts by valgrind's callgrind.

use std::io::ErrorKind;
use std::process::Command;

use super::guest::CALLS;
use crate::l1::case::Case;

/// Instructions of one call: the difference of a long and a short run, so that what comes before and after is not in it.
///
/// # Errors
/// If valgrind is not there, or did not count.
pub fn per_call(contender: &str, case: &Case) -> Result<f64, String> {
    let (few, many) = (count(contender, case, CALLS.0)?, count(contender, case, CALLS.1)?);
    let difference = many.checked_sub(few).ok_or("more calls took fewer instructions")?;
    Ok((difference as f64 / (CALLS.1 - CALLS.0) as f64 * 10.0).round() / 10.0)
}

fn count(contender: &str, case: &Case, calls: usize) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["--guest", contender, case.name, &calls.to_string()])
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                "valgrind is not installed: it counts the instructions, and every package manager \
                                    has it under this name"
                    .into()
            }
            _ => format!("valgrind cannot be run: {error}"),
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed:\n{said}"));
    }
    collected(&said).ok_or_else(|| format!("valgrind did not say what it counted:\n{said}"))
}

/// The number in `==7== Collected : 123456`.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_valgrind_says() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n==7== Events    : Ir\n\
                    ==7== Collected : 54321\n==7== \n";
        assert_eq!(collected(said), Some(54321));
        assert_eq!(collected("==7== nothing"), None);
    }
}
