//! `cargo xtask tidy`: the sentences of the architecture, each as a rule that looks at the tree.
//!
//! A rule is a pure function from a tree to what it finds wrong there. Beside each stand two kinds of tests: the tree
//! as it is keeps the rule, and a small bad tree is reported.

mod arrows;
mod breaks;
mod documents;
mod features;
mod globals;
mod guide;
mod hidden;
mod leftovers;
mod length;
mod manifests;
mod readmes;
mod reserved;
mod runtime;
mod unused;
mod words;

use std::fmt;

pub(crate) use self::arrows::is_library;
use crate::tree::Tree;
use crate::{Outcome, book, links, no_arguments};

/// Something that breaks a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    /// At a line of a file.
    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }

    /// In a file or crate as a whole.
    pub(crate) fn of(path: &str, what: impl Into<String>) -> Self {
        Self::at(path, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

struct Rule {
    says: &'static str,
    find: fn(&Tree) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule { says: "arrows between crates go down only", find: arrows::upward },
    Rule { says: "memory, redis, ai and monitor do not know one another", find: arrows::acquainted },
    Rule {
        says: "only the crate that may names redis, reads the environment or a file, listens",
        find: reserved::trespassers,
    },
    Rule {
        says: "core and memory have no async runtime, the engine runs on tokio",
        find: runtime::misplaced,
    },
    Rule { says: "no library crate has a global of its own", find: globals::found },
    Rule { says: "features are additive", find: features::subtractive },
    Rule { says: "a file holds at most 400 lines of code", find: length::too_long },
    Rule {
        says: "manifests inherit from the workspace, unsafe code is forbidden",
        find: manifests::own_ways,
    },
    Rule { says: "no dependency is declared in vain", find: unused::dependencies },
    Rule { says: "nothing unfinished, ignored or sleeping is left", find: leftovers::found },
    Rule { says: "no file names the place where it was made", find: words::found },
    Rule { says: "README, architecture and changelog are there", find: documents::missing },
    Rule { says: "links lead somewhere", find: links::broken },
    Rule { says: "a crate's README links to no item and out of no crate", find: readmes::dead_links },
    Rule { says: "no line of Rust in a page is hidden", find: hidden::lines },
    Rule { says: "the book has every page once, and no link out of it", find: book::loose_ends },
    Rule { says: "each section of the guide has a page and a test", find: guide::gaps },
    Rule { says: "each break says what it protects and which test sees it", find: breaks::unreadable },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let tree = Tree::load()?;
    let mut broken = 0;
    for rule in RULES {
        let findings = (rule.find)(&tree);
        println!("{:<7} {}", if findings.is_empty() { "ok" } else { "BROKEN" }, rule.says);
        for finding in &findings {
            println!("        {finding}");
        }
        broken += usize::from(!findings.is_empty());
    }
    for finding in length::long(&tree) {
        println!("warning: {finding}");
    }
    println!("\n{} rules, {broken} broken", RULES.len());
    Ok(broken == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each rule's own file has the tests with bad samples; this is the test of the tree itself.
    #[test]
    fn the_tree_keeps_every_rule() {
        let tree = Tree::load().unwrap();
        let broken: Vec<String> = RULES
            .iter()
            .flat_map(|rule| {
                (rule.find)(&tree).into_iter().map(|finding| format!("{}: {finding}", rule.says))
            })
            .collect();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }

    #[test]
    fn the_tree_is_not_empty() {
        let tree = Tree::load().unwrap();
        assert!(tree.packages.iter().any(|package| package.name == "cache-core"));
        assert!(tree.file("crates/cache-core/src/lib.rs").is_some());
        let core = tree.packages.iter().find(|package| package.name == "cache-core").unwrap();
        assert!(tree.source(core).len() > 5, "rules that look at source must find some");
    }
}
