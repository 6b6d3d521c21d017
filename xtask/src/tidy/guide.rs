//! The list of the guide: each of its sections has a page and a test.

use super::Finding;
use crate::tree::Tree;

const LIST: &str = "docs/guide/README.md";
/// Where the pages are included as documentation, so that their snippets are compiled and run.
const DOCTESTS: &str = "crates/cache-factory/src/guide.rs";

/// The sections of the guide that users have, as they are called there.
const SECTIONS: &[&str] = &[
    "One-Line Cache Setup",
    "Session Storage",
    "API Response Caching",
    "AI Response Caching",
    "Choose Your Cache Type",
    "Performance Characteristics",
    "Environment-Based Recommendations",
    "Pitfall 1: Cache Key Inconsistency",
    "Pitfall 2: TTL Confusion",
    "Pitfall 3: Memory Leaks in Development",
    "Pitfall 4: Redis Connection Errors",
    "Pitfall 5: AI Cache Parameter Mismatches",
    "Memory Tier Optimization",
    "Hot Data Preloading",
    "Compression Optimization",
    "TTL Strategy Optimization",
    "Batch Operations",
    "Built-in Cache Metrics",
    "Real-time Monitoring Dashboard",
    "Cache Miss Investigation",
    "Key Generation Debugging",
    "Comprehensive Error Handling",
    "Circuit Breaker for Cache Operations",
    "Development Environment Configuration",
    "Development Cache Utilities",
    "Unit Test Cache Setup",
    "Test Helpers",
    "VS Code Settings",
    "Code Snippets",
    "Pre-deployment Validation",
    "Production Monitoring Setup",
    "Issue: Cache Not Working",
    "Issue: Low Hit Rates",
    "Issue: High Memory Usage",
    "Production-Ready Configuration",
    "Multi-Environment Configuration",
    "High-Performance Configuration",
    "Related Documentation",
];

/// Sections without a page or a test, pages whose snippets nobody compiles, tests that are not there.
pub(super) fn gaps(tree: &Tree) -> Vec<Finding> {
    let Some(list) = tree.file(LIST) else { return vec![Finding::of(LIST, "is missing")] };
    let mut findings = Vec::new();
    let rows: Vec<Row<'_>> =
        list.text.lines().enumerate().filter_map(|(at, line)| Row::read(at + 1, line)).collect();
    for section in SECTIONS {
        let count = rows.iter().filter(|row| row.section == *section).count();
        if count != 1 {
            findings.push(Finding::of(
                LIST,
                format!("the section `{section}` stands there {count} times, not once"),
            ));
        }
    }
    for row in &rows {
        let mut wrong = |what: String| findings.push(Finding::at(LIST, row.line, what));
        if !SECTIONS.contains(&row.section) {
            wrong(format!("the guide has no section `{}`", row.section));
        }
        // Where links lead is looked at by the rule for links.
        if row.pages.is_empty() {
            wrong(format!("`{}` has no page", row.section));
        }
        if row.tests.is_empty() {
            wrong(format!("`{}` has no test", row.section));
        }
        for (file, name) in &row.tests {
            if !is_there(tree, file, name) {
                wrong(format!("there is no test `{name}` in `{file}`"));
            }
        }
    }
    let doctests = tree.file(DOCTESTS).map_or("", |file| &file.text);
    for page in tree.below("docs/guide", ".md").iter().filter(|page| page.text.contains("```rust")) {
        if !doctests.contains(&format!("include_str!(\"../../../{}\")", page.path)) {
            findings.push(Finding::of(&page.path, format!("its snippets are not compiled by {DOCTESTS}")));
        }
    }
    findings
}

/// A line of the list: `| section | [page](page.md) | `file` `test`, … |`.
struct Row<'a> {
    line: usize,
    section: &'a str,
    pages: Vec<&'a str>,
    tests: Vec<(&'a str, &'a str)>,
}

impl<'a> Row<'a> {
    fn read(line: usize, text: &'a str) -> Option<Self> {
        let mut cells = text.strip_prefix('|')?.split('|').map(str::trim);
        let (section, pages, tests) = (cells.next()?, cells.next()?, cells.next()?);
        if section.starts_with("---") || section == "section of the guide" {
            return None;
        }
        let pages = pages.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let words: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        let tests = words.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect();
        Some(Self { line, section, pages, tests })
    }
}

/// Whether the file below `crates` has a test of this name. An example is a program that is run, and is its own test.
fn is_there(tree: &Tree, file: &str, name: &str) -> bool {
    let Some(file) = tree.file(&format!("crates/{file}")) else { return false };
    let is_example = file.path.contains("/examples/") && name == "main";
    let is_test = file.text.split("fn ").zip(file.text.split("fn ").skip(1)).any(|(before, after)| {
        after.starts_with(&format!("{name}("))
            && before
                .trim_end_matches("async ")
                .trim_end()
                .lines()
                .last()
                .is_some_and(|line| line.contains("test"))
    });
    is_test || is_example && file.text.contains("fn main()")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str =
        "#[tokio::test]\nasync fn it_holds() {}\n\n#[test]\nfn it_does_not() {}\n\nfn helper() {}\n";

    fn tree(row: &str) -> Tree {
        let rest: String = SECTIONS[1..].iter().map(|section| complete(section)).collect();
        let list = format!("| section of the guide | page | test |\n|---|---|---|\n{row}{rest}");
        Tree::of(&[
            (LIST, &list),
            (DOCTESTS, "#[doc = include_str!(\"../../../docs/guide/a.md\")]\n"),
            ("docs/guide/a.md", "```rust\n```\n"),
            ("crates/x/tests/y.rs", TESTS),
            ("crates/x/examples/e.rs", "fn main() {}\n"),
        ])
    }

    fn complete(section: &str) -> String {
        format!("| {section} | [A](a.md) | `x/tests/y.rs` `it_holds`, `x/examples/e.rs` `main` |\n")
    }

    fn found(row: &str) -> usize {
        gaps(&tree(row)).len()
    }

    #[test]
    fn a_complete_list_is_fine() {
        assert_eq!(gaps(&tree(&complete(SECTIONS[0]))), []);
    }

    #[test]
    fn what_is_missing_is_found() {
        let first = SECTIONS[0];
        assert_eq!(found(""), 1, "a section");
        assert_eq!(found(&format!("| {first} | | `x/tests/y.rs` `it_does_not` |\n")), 1, "a page");
        assert_eq!(found(&format!("| {first} | [A](a.md) | |\n")), 1, "a test");
        for test in ["helper", "gone", ""] {
            assert_eq!(found(&format!("| {first} | [A](a.md) | `x/tests/y.rs` `{test}` |\n")), 1, "{test}");
        }
        assert_eq!(found(&format!("{}{}", complete(first), complete("Something else"))), 1, "a stranger");
    }

    #[test]
    fn a_page_whose_snippets_nobody_compiles_is_found() {
        let mut tree = tree(&complete(SECTIONS[0]));
        tree.files.push(crate::tree::File { path: "docs/guide/b.md".into(), text: "```rust\n```\n".into() });
        assert_eq!(gaps(&tree).len(), 1);
    }
}
