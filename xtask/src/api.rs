//! `cargo xtask api`: what others rely on. What cannot be checked is said, and does not count as checked.

use std::path::Path;
use std::process::Command;

use crate::cargo::cargo;
use crate::external::{self, nightly};
use crate::tree::{Tree, paths};
use crate::{Outcome, process};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let bless = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--bless"] => true,
        _ => return Err("the only argument is `--bless`, which writes the page of external types".into()),
    };
    let tree = Tree::load()?;
    let mut checks = vec![("types of other crates", external::check(&tree, bless)?.ok_or(NO_NIGHTLY))];
    if !bless {
        checks.push(("the oldest versions that manifests allow", oldest(&tree.root)?));
        checks.push(("what has changed since the last release", changes(&tree.root)?));
    }
    println!();
    for (what, verdict) in &checks {
        match verdict {
            Ok(true) => println!("ok       {what}"),
            Ok(false) => println!("FAILED   {what}"),
            Err(why) => println!("SKIPPED  {what}: {why}"),
        }
    }
    Ok(!checks.iter().any(|(_, verdict)| *verdict == Ok(false)))
}

const NO_NIGHTLY: &str = "there is no nightly toolchain (`rustup toolchain install nightly`)";

/// Whether a check passed, or why it was not made.
type Verdict = Result<bool, &'static str>;

/// Compiles a copy of the tree with the oldest direct dependencies that the manifests allow, which somebody may have.
fn oldest(root: &Path) -> Result<Verdict, String> {
    if !process::silent(nightly(root).arg("--version")) {
        return Ok(Err(NO_NIGHTLY));
    }
    let copy = root.join("target/oldest/tree");
    let cannot = |error: std::io::Error| format!("cannot copy the tree to {}: {error}", copy.display());
    if copy.exists() {
        std::fs::remove_dir_all(&copy).map_err(cannot)?;
    }
    for path in paths(root)? {
        let target = copy.join(&path);
        std::fs::create_dir_all(target.parent().unwrap_or(&copy)).map_err(cannot)?;
        std::fs::copy(root.join(&path), target).map_err(cannot)?;
    }
    if !process::shown(nightly(&copy).args(["update", "--quiet", "-Zdirect-minimal-versions"]))? {
        return Ok(Ok(false));
    }
    // What ships, with all features; by the stable toolchain.
    let mut check = cargo(&copy, &["check", "--workspace", "--all-features", "--locked"]);
    check.args(["--exclude", "benches", "--exclude", "checks", "--exclude", "xtask"]);
    Ok(Ok(process::shown(check.env("CARGO_TARGET_DIR", root.join("target/oldest/build")))?))
}

/// Compares with the last release, which is the last tag `v…`.
fn changes(root: &Path) -> Result<Verdict, String> {
    let mut last = Command::new("git");
    last.current_dir(root).args(["tag", "--list", "v*", "--sort=-version:refname"]);
    let tags = process::read(&mut last)?;
    let Some(tag) = tags.lines().next() else {
        return Ok(Err("nothing has been released, so there is nothing to compare with"));
    };
    if !process::silent(cargo(root, &["semver-checks", "--version"]).arg("--quiet")) {
        return Ok(Err(
            "cargo-semver-checks is not installed (`cargo install --locked cargo-semver-checks`)",
        ));
    }
    let mut compare = cargo(root, &["semver-checks", "--workspace", "--baseline-rev", tag]);
    Ok(Ok(process::shown(&mut compare)?))
}
