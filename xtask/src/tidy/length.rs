//! A file that grows too long hides a concept.

use std::collections::BTreeSet;

use super::Finding;
use crate::rust::split;
use crate::tree::Tree;

const LIMIT: usize = 400;
const TARGET: usize = 300;

/// Files beyond the limit.
pub(super) fn too_long(tree: &Tree) -> Vec<Finding> {
    longer_than(tree, LIMIT, usize::MAX)
}

/// Files between the target and the limit: worth a look.
pub(super) fn long(tree: &Tree) -> Vec<Finding> {
    longer_than(tree, TARGET, LIMIT)
}

fn longer_than(tree: &Tree, least: usize, most: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.packages.iter().flat_map(|package| tree.source(package)) {
        let lines = lines_of_code(&file.path, &file.text);
        if lines > least && lines <= most {
            findings.push(Finding::of(&file.path, format!("{lines} lines of code, {TARGET} are plenty")));
        }
    }
    findings
}

/// Lines with shipped code on them: no blank lines, comments or tests.
fn lines_of_code(path: &str, text: &str) -> usize {
    let split = split(path, text);
    let lines: BTreeSet<usize> =
        split.shipped.iter().flat_map(|token| token.line..=token.last_line).collect();
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_counted() {
        let text = "//! doc\n\nfn a() {\n    /* x\n y */ b(); // z\n}\nconst C: &str = \"1\n2\n\";\n#[cfg(test)]\nmod tests {\n fn t() {}\n}\n";
        assert_eq!(lines_of_code("crates/x/src/lib.rs", text), 6);
    }

    #[test]
    fn a_long_file_is_found() {
        let tree = |lines: usize| {
            let text = "a();\n".repeat(lines);
            Tree::of(&[("crates/cache-core/src/x.rs", &text)]).with("cache-core", &[])
        };
        assert_eq!(too_long(&tree(401)).len(), 1);
        assert_eq!((too_long(&tree(400)).len(), long(&tree(400)).len()), (0, 1));
        assert_eq!(long(&tree(300)).len(), 0);
    }
}
