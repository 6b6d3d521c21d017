//! Follows the links of the pages to files and headings of this repository. Addresses elsewhere are left alone.

use crate::tidy::Finding;
use crate::tree::{File, Tree};

/// Links that lead nowhere.
pub(crate) fn broken(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, link) in links(&file.text) {
            if let Some(problem) = problem(tree, file, &link) {
                findings.push(Finding::at(
                    &file.path,
                    line,
                    format!("the link `{link}` leads nowhere: {problem}"),
                ));
            }
        }
    }
    findings
}

fn problem(tree: &Tree, from: &File, link: &str) -> Option<String> {
    // The README of a crate names Rust items without links: `tidy/readmes.rs` finds those that are.
    let is_item = from.path.starts_with("crates/") && !link.contains(['.', '/', '#']);
    if is_item || link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { from.path.clone() } else { resolve(&from.path, path) };
    let is_folder = tree.files.iter().any(|file| file.path.starts_with(&format!("{target}/")));
    match tree.file(&target) {
        None if is_folder => None,
        // What is no text is no file of the tree, but still a file.
        None if !tree.root.as_os_str().is_empty() && tree.root.join(&target).is_file() => None,
        None => Some(format!("there is no `{target}`")),
        Some(file) if !heading.is_empty() && target.ends_with(".md") => (!headings(&file.text)
            .any(|found| found == heading))
        .then(|| format!("`{target}` has no such heading")),
        Some(_) => None,
    }
}

/// The path from the root of a link in the file `from`.
pub(crate) fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Inline links and link definitions outside of code, with their lines.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((number, target.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    found.retain(|(_, target)| !target.is_empty());
    found
}

/// The headings of a page as links name them: in lower case, without punctuation, with `-` for each space.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (line.starts_with('#') && title.starts_with(' ')).then(|| {
            let lower = title.trim().to_lowercase();
            lower
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
    })
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            return None;
        }
        (!in_code).then_some((index + 1, line))
    })
}

/// The line without what stands between back-ticks, unless that is the text of a link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::of(&[
            ("README.md", "[a](docs/a.md) [web](https://example.org/x) [f](docs)\n"),
            ("docs/a.md", "# The `first` page, really\n[up](../README.md) [self](#the-first-page-really)\n"),
        ])
    }

    fn with(text: &str) -> Vec<String> {
        let mut tree = tree();
        tree.files.push(File { path: "docs/b.md".into(), text: text.into() });
        broken(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        assert_eq!(with("[x](a.md#the-first-page-really)\n[`code`](a.md)\n"), Vec::<String>::new());
    }

    #[test]
    fn a_link_to_a_missing_file_is_found() {
        let found = with("text\n[x](missing.md)\n");
        assert!(found.len() == 1 && found[0].starts_with("docs/b.md:2: "), "{found:?}");
        assert_eq!(with("[x]: missing.md\n").len(), 1);
        assert_eq!(with("[`code`](missing.md)\n").len(), 1);
    }

    #[test]
    fn a_link_to_a_missing_heading_is_found() {
        assert_eq!(with("[x](a.md#second-page)\n").len(), 1);
        assert_eq!(with("[x](#no)\n").len(), 1);
    }

    #[test]
    fn items_in_readmes_are_left_to_their_own_rule_and_files_are_not() {
        let readme = |text: &str| broken(&Tree::of(&[("crates/x/README.md", text)])).len();
        assert_eq!(readme("[`Cache`]: Cache\n[open](Cache::open)\n"), 0);
        assert_eq!(readme("[guide](guide.md)\n"), 1);
        assert_eq!(with("[`Cache`]: Cache\n").len(), 1, "elsewhere nobody would check it");
    }

    #[test]
    fn code_is_not_read() {
        assert_eq!(with("```rust\nlet x = a[0](b);\n```\nand `y[0](c)` too\n"), Vec::<String>::new());
    }
}
