//! `cargo xtask lint`: format, clippy, documentation and dependencies, with warnings denied.

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, docs, no_arguments, process};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let root = root();
    let mut clean = process::shown(&mut cargo(&root, &["fmt", "--all", "--check"]))?;
    clean &= process::shown(&mut cargo(
        &root,
        &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    ))?;
    clean &= docs::build(&root)?;
    clean &= dependencies(&root)?;
    Ok(clean)
}

/// Licences, bans and sources need no network. The advisories need their database, so they are looked at only where
/// it can be had.
fn dependencies(root: &std::path::Path) -> Outcome {
    if !process::silent(&mut cargo(root, &["deny", "--version"])) {
        println!("\nSKIPPED cargo deny: it is not installed (`cargo install --locked cargo-deny`)");
        return Ok(true);
    }
    let mut clean = process::shown(&mut cargo(
        root,
        &["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
    ))?;
    if process::silent(&mut cargo(root, &["deny", "fetch", "db"])) {
        clean &= process::shown(&mut cargo(root, &["deny", "check", "advisories"]))?;
    } else {
        println!("\nSKIPPED cargo deny check advisories: their database cannot be fetched");
    }
    Ok(clean)
}
