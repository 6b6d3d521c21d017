//! A break that nobody can run protects nothing.

use super::Finding;
use crate::breaks::FOLDER;
use crate::patch::Break;
use crate::tree::Tree;

/// Breaks whose header cannot be read.
pub(super) fn unreadable(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.below(FOLDER, ".patch") {
        let name =
            file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".patch")).unwrap_or_default();
        if let Err(problem) = Break::parse(name, &file.text) {
            findings.push(Finding::of(&file.path, problem));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_without_a_header_is_found() {
        let good = "Protects: x\nTest: cargo test -p x\n\ndiff --git a/x b/x\n";
        let found = unreadable(&Tree::of(&[
            ("tests/breaks/01-good.patch", good),
            ("tests/breaks/02-bare.patch", "diff --git a/x b/x\n"),
            ("tests/breaks/README.md", "no break"),
        ]));
        assert!(
            found.len() == 1 && found[0].to_string().starts_with("tests/breaks/02-bare.patch: "),
            "{found:?}"
        );
    }
}
