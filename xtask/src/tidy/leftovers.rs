//! What a half-done change leaves behind, and tests that wait by the clock.

use super::Finding;
use crate::rust::{Token, paths, split};
use crate::tree::{File, Tree};

/// Unfinished code and ignored tests anywhere, fixed sleeps in tests.
pub(super) fn found(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let split = split(&file.path, &file.text);
        for tokens in [&split.shipped, &split.tests] {
            findings.extend(unfinished(file, tokens));
        }
        // A test that sleeps is slow where it passes and fails where the machine is slow.
        for path in paths(&split.tests).iter().filter(|path| is_sleep(&path.text)) {
            findings.push(Finding::at(
                &file.path,
                path.line,
                format!("a test waits for what it wants, `{}` is none", path.text),
            ));
        }
    }
    findings
}

fn is_sleep(path: &str) -> bool {
    ["thread::sleep", "time::sleep", "thread::sleep_ms", "time::sleep_until", "time::interval"]
        .iter()
        .any(|sleep| path == *sleep || path.ends_with(&format!("::{sleep}")))
}

fn unfinished(file: &File, tokens: &[Token<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let follows = |offset: usize, sign: &str| tokens.get(at + offset).is_some_and(|next| next.is(sign));
        for name in ["todo", "unimplemented", "dbg"] {
            if token.is(name) && follows(1, "!") {
                findings.push(Finding::at(&file.path, token.line, format!("`{name}!` is left")));
            }
        }
        if token.is("#") && follows(1, "[") && follows(2, "ignore") {
            findings.push(Finding::at(&file.path, token.line, "an ignored test proves nothing"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, source: &str) -> usize {
        found(&Tree::of(&[(path, source)])).len()
    }

    #[test]
    fn unfinished_code_is_found_wherever_it_is() {
        for source in [
            "fn f() { todo!() }",
            "fn f() { std::unimplemented!() }",
            "#[cfg(test)] mod t { fn f() { dbg!(1); } }",
        ] {
            assert_eq!(count("crates/cache-core/src/x.rs", source), 1, "{source}");
        }
        assert_eq!(count("crates/cache-core/src/x.rs", "// todo!()\nfn todo() {}"), 0);
    }

    #[test]
    fn an_ignored_test_is_found() {
        assert_eq!(count("crates/x/tests/a.rs", "#[test] #[ignore = \"slow\"] fn f() {}"), 1);
        assert_eq!(count("xtask/src/a.rs", "#[cfg(test)] mod tests { #[test] #[ignore] fn f() {} }"), 1);
    }

    #[test]
    fn a_test_that_sleeps_is_found_in_every_spelling() {
        for source in [
            "fn f() { std::thread::sleep(x) }",
            "use std::thread; fn f() { thread::sleep(x) }",
            "async fn f() { tokio::time::sleep(x).await }",
            "use tokio::time::{self, sleep};",
        ] {
            assert_eq!(count("crates/x/tests/a.rs", source), 1, "{source}");
            assert_eq!(
                count("crates/x/src/a.rs", &format!("#[cfg(test)] mod tests {{ {source} }}")),
                1,
                "{source}"
            );
            assert_eq!(count("crates/x/src/a.rs", source), 0, "shipped code may wait: {source}");
        }
    }
}
