//! `cargo xtask nightly`: what takes too long for every change.

use crate::cargo::cargo;
use crate::external::nightly;
use crate::tree::root;
use crate::{Outcome, api, breaks, check, features, no_arguments, process, test};

/// Eight times as many as proptest tries by itself.
const PROPERTY_CASES: &str = "2000";

/// Pure enough for an interpreter that knows no network and little of the system.
const UNDER_MIRI: &[&str] = &["cache-core", "cache-memory"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let mut clean = breaks::run(&[])?;
    clean &= features::run(&[])?;
    clean &= api::run(&[])?;
    let mut long = cargo(&root(), &["test", "--workspace", "--all-features", "--no-fail-fast"]);
    clean &= process::shown(long.env("PROPTEST_CASES", PROPERTY_CASES))?;
    // The other server that speaks the protocol.
    clean &= test::run(&["--only-redis".into(), "--redis".into(), "fetch".into()])?;
    // Fails if a hit through the handle costs more than twice what the bare map does.
    clean &= process::shown(&mut cargo(&root(), &["bench", "--package", "cache-tiered", "--bench", "hit"]))?;
    clean &= check::nightly()?;
    clean &= miri()?;
    Ok(clean)
}

fn miri() -> Outcome {
    let nightly = || {
        let mut command = nightly(&root());
        command.arg("miri");
        command
    };
    if !process::silent(nightly().arg("--version")) {
        println!("\nSKIPPED miri: it is not installed (`rustup +nightly component add miri`)");
        return Ok(true);
    }
    let mut clean = true;
    for package in UNDER_MIRI {
        let mut command = nightly();
        command.args(["test", "--lib", "--package", package]);
        // Clocks and random seeds come from the system; a few property cases are enough at this speed.
        command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "8");
        clean &= process::shown(&mut command)?;
    }
    Ok(clean)
}
