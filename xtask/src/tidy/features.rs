//! Features add. Code that is only there without a feature would be taken away by it.

use super::Finding;
use super::arrows::is_library;
use crate::rust::{Token, split};
use crate::tree::Tree;

/// Files where a missing feature is answered with an error that names it, and the reason.
const ALLOWED: &[(&str, &str)] = &[
    (
        "crates/cache-codec/src/compression.rs",
        "a compression level that this build cannot do is an error that names the feature",
    ),
    (
        "crates/cache-redis/src/tls.rs",
        "an address that asks for TLS, which this build does not have, is an error that names the feature",
    ),
];

/// `cfg(not(feature = …))` in all its forms, outside of the files that may.
pub(super) fn subtractive(tree: &Tree) -> Vec<Finding> {
    unless_allowed(tree, ALLOWED)
}

fn unless_allowed(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| is_library(package)) {
        for file in tree.source(package) {
            let lines = negated(&split(&file.path, &file.text).shipped);
            let is_allowed = allowed.iter().any(|(path, _)| *path == file.path);
            if is_allowed && lines.is_empty() {
                findings.push(Finding::of(
                    &file.path,
                    "is allowed what it does not do, in xtask/src/tidy/features.rs",
                ));
            } else if !is_allowed {
                findings.extend(lines.iter().map(|line| {
                    Finding::at(&file.path, *line, "this code goes away when a feature is added")
                }));
            }
        }
    }
    findings
}

/// Lines with a `not(…)` that has a `feature` inside.
fn negated(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is("not") || !tokens.get(at + 1).is_some_and(|next| next.is("(")) {
            continue;
        }
        let mut depth = 0usize;
        for inner in &tokens[at + 1..] {
            if inner.is("(") {
                depth += 1;
            } else if inner.is(")") {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            } else if inner.is("feature") {
                lines.push(token.line);
                break;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, allowed: &[(&str, &str)]) -> usize {
        let text = [("crates/cache-codec/src/x.rs", source)];
        unless_allowed(&Tree::of(&text).with("cache-codec", &[]), allowed).len()
    }

    #[test]
    fn every_form_of_taking_away_is_found() {
        for source in [
            "#[cfg(not(feature = \"lz4\"))] fn f() {}",
            "#[cfg(all(unix, not(any(feature = \"a\", feature = \"b\"))))] fn f() {}",
            "fn f() { if cfg!(not(feature = \"lz4\")) {} }",
            "#![cfg_attr(not(feature = \"std\"), no_std)]",
        ] {
            assert_eq!(found(source, &[]), 1, "{source}");
        }
    }

    #[test]
    fn adding_is_fine_and_so_is_an_allowed_file() {
        assert_eq!(found("#[cfg(feature = \"lz4\")] fn f() {} #[cfg(not(unix))] fn g() {}", &[]), 0);
        assert_eq!(
            found("#[cfg(not(feature = \"lz4\"))] x", &[("crates/cache-codec/src/x.rs", "says so")]),
            0
        );
    }
}
