//! `cargo xtask features`: features are additive, so every crate compiles with each of them alone.

use std::path::Path;

use crate::cargo::cargo;
use crate::tree::{Package, Tree};
use crate::{Outcome, no_arguments, process};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let tree = Tree::load()?;
    let mut failed = Vec::new();
    let mut count = 0;
    for package in &tree.packages {
        for features in combinations(package) {
            let mut arguments = vec!["check", "--package", &package.name];
            arguments.extend(features.iter().map(String::as_str));
            count += 1;
            if !process::shown(&mut warnings_denied(&tree.root, &arguments))? {
                failed.push(arguments.join(" "));
            }
        }
        // What is left without the default features has to work, not only to compile.
        if package.features.get("default").is_some_and(|default| !default.is_empty()) {
            let arguments = ["test", "--no-fail-fast", "--package", &package.name, "--no-default-features"];
            count += 1;
            if !process::shown(&mut warnings_denied(&tree.root, &arguments))? {
                failed.push(arguments.join(" "));
            }
        }
    }
    println!("\n{} of {count} combinations failed", failed.len());
    for command in &failed {
        println!("    FAILED cargo {command}");
    }
    Ok(failed.is_empty())
}

/// Nothing, each feature alone, the defaults, everything.
fn combinations(package: &Package) -> Vec<Vec<String>> {
    let mut all = vec![vec!["--no-default-features".to_owned()]];
    if package.features.is_empty() {
        return all;
    }
    for feature in package.features.keys().filter(|feature| *feature != "default") {
        all.push(vec!["--no-default-features".into(), "--features".into(), feature.clone()]);
    }
    all.push(vec![]);
    all.push(vec!["--all-features".into()]);
    all
}

/// Code that is dead without a feature shows only as a warning. A target folder of its own, because other flags would
/// rebuild everything in the usual one.
fn warnings_denied(root: &Path, arguments: &[&str]) -> std::process::Command {
    let mut command = cargo(root, arguments);
    command.env("RUSTFLAGS", "-D warnings").env("CARGO_TARGET_DIR", root.join("target/features"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_tried_alone() {
        let package = Package {
            features: [("default", vec!["json"]), ("json", vec![]), ("lz4", vec![])]
                .into_iter()
                .map(|(name, on)| (name.to_owned(), on.into_iter().map(str::to_owned).collect()))
                .collect(),
            ..Package::default()
        };
        let lines: Vec<String> = combinations(&package).iter().map(|c| c.join(" ")).collect();
        assert_eq!(
            lines,
            [
                "--no-default-features",
                "--no-default-features --features json",
                "--no-default-features --features lz4",
                "",
                "--all-features"
            ]
        );
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(combinations(&Package::default()).len(), 1);
    }
}
