//! `cargo xtask bench`: what things cost, beside what they are compared with.

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, process};

/// The programs of `benches/`, by what they measure.
const BENCHES: &[&str] = &["redis"];

/// Takes the name of a bench, and passes the rest on to it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first().filter(|(name, _)| BENCHES.contains(&name.as_str())) else {
        return Err(format!("which bench? {} are there", BENCHES.join(", ")));
    };
    let mut command = cargo(&root(), &["run", "--quiet", "--release", "--package", "benches", "--bin", name, "--"]);
    command.args(rest);
    // Standard output is the bench's alone, so that it can be piped.
    let status = command.status().map_err(|error| format!("`{}`: {error}", process::display(&command)))?;
    Ok(status.success())
}
