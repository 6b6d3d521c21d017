//! Library crates keep no state of their own beside what their callers hold.

use super::Finding;
use super::arrows::is_library;
use crate::rust::{Token, split};
use crate::tree::Tree;

/// Files that may have a global, and why.
const ALLOWED: &[(&str, &str)] = &[];

/// `static` items and the macros that make them. `task_local!` belongs to a task and is no global.
pub(super) fn found(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| is_library(package)) {
        for file in tree.source(package) {
            if ALLOWED.iter().any(|(path, _)| *path == file.path) {
                continue;
            }
            for token in globals(&split(&file.path, &file.text).shipped) {
                findings.push(Finding::at(
                    &file.path,
                    token.line,
                    format!("`{}` makes a global", token.text),
                ));
            }
        }
    }
    findings
}

fn globals<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    let mut depth_in_task_local = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let is_macro = tokens.get(at + 1).is_some_and(|next| next.is("!"));
        if depth_in_task_local > 0 || (token.is("task_local") && is_macro) {
            depth_in_task_local = match token.text {
                "task_local" => 1,
                "{" => depth_in_task_local + 1,
                // The macro's own brace is the second.
                "}" if depth_in_task_local == 2 => 0,
                "}" => depth_in_task_local - 1,
                _ => depth_in_task_local,
            };
        } else if token.is("static") || (is_macro && (token.is("thread_local") || token.is("lazy_static"))) {
            found.push(*token);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(source: &str) -> usize {
        let text = [("crates/cache-core/src/lib.rs", source)];
        found(&Tree::of(&text).with("cache-core", &[])).len()
    }

    #[test]
    fn globals_of_every_kind_are_found() {
        for source in [
            "static A: AtomicU64 = AtomicU64::new(0);",
            "fn f() { static A: OnceLock<X> = OnceLock::new(); }",
            "pub(crate) static mut A: u8 = 0;",
            "thread_local! { const A: u8 = 0; }",
            "std::thread_local!(u8);",
            "lazy_static! { ref A: u8 = 0; }",
            "tokio::task_local! { static A: u8; } static B: u8 = 0;",
        ] {
            assert_eq!(count(source), 1, "{source}");
        }
    }

    #[test]
    fn what_is_no_global_is_fine() {
        for source in [
            "const A: &'static str = \"static\"; // static",
            "tokio::task_local! { static A: u8; }",
            "fn f<T: 'static>() {}",
            "#[cfg(test)] mod tests { static A: u8 = 0; }",
        ] {
            assert_eq!(count(source), 0, "{source}");
        }
    }
}
