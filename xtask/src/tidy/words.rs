//! The project speaks of itself alone: no paths of a machine it was made on, no hosts it was fetched from.

use super::Finding;
use crate::tree::Tree;

/// Each cut in two, so that this file does not break its own rule.
const WORDS: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("../sha", "red"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/tmp/", "target"),
    ("crates", ".io"),
    ("py", "pi.org"),
    ("npm", "js."),
    ("deb", "ian.org"),
];

/// The lock file names its registry by itself.
const EXCEPT: &[&str] = &["Cargo.lock"];

/// Lines that name a place.
pub(super) fn found(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !EXCEPT.contains(&file.path.as_str())) {
        for (index, line) in file.text.lines().enumerate() {
            for (head, tail) in WORDS {
                if line.contains(&format!("{head}{tail}")) {
                    findings.push(Finding::at(&file.path, index + 1, format!("names `{head}{tail}`")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_in_any_file() {
        for (head, tail) in WORDS {
            let text = format!("fine\nsee {head}{tail}x\n");
            let found = found(&Tree::of(&[("docs/a.md", &text), ("Cargo.lock", &text)]));
            assert!(
                found.len() == 1 && found[0].to_string().starts_with("docs/a.md:2: "),
                "{head}{tail}: {found:?}"
            );
        }
    }
}
