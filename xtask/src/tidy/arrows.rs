//! Which crate may depend on which.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::{Package, Tree};

/// A crate, and our crates that it may depend on. Tests, examples and benches of a crate may use what they like.
struct Layer {
    name: &'static str,
    may: &'static [&'static str],
    /// Only behind a feature.
    may_optionally: &'static [&'static str],
    is_library: bool,
}

const LAYERS: &[Layer] = &[
    library("cache-core", &[]),
    library("cache-codec", &["cache-core"]),
    library("cache-memory", &["cache-core"]),
    library("cache-redis", &["cache-core"]),
    library("cache-tiered", &["cache-core", "cache-codec"]),
    library("cache-ai", &["cache-core", "cache-tiered"]),
    Layer { may_optionally: &["cache-tiered"], ..library("cache-monitor", &["cache-core"]) },
    library(
        "cache-factory",
        &[
            "cache-core",
            "cache-codec",
            "cache-memory",
            "cache-redis",
            "cache-tiered",
            "cache-ai",
            "cache-monitor",
            "cache-macros",
        ],
    ),
    library("cache-macros", &[]),
    tool("cache-testkit", &["cache-core", "cache-tiered"]),
    // It looks at stored bytes and at the server itself, which a cache has no use for.
    tool("cache-cli", &["cache-core", "cache-codec", "cache-redis", "cache-factory"]),
    tool("xtask", &[]),
];

/// Comparisons, checks and applications know everybody.
const FREE: &[&str] = &["benches", "checks", "web-app"];

const STRANGERS: &[&str] = &["cache-memory", "cache-redis", "cache-ai", "cache-monitor"];

const fn library(name: &'static str, may: &'static [&'static str]) -> Layer {
    Layer { name, may, may_optionally: &[], is_library: true }
}

const fn tool(name: &'static str, may: &'static [&'static str]) -> Layer {
    Layer { name, may, may_optionally: &[], is_library: false }
}

/// Whether applications link it: not a tool, not the test kit.
pub(crate) fn is_library(package: &Package) -> bool {
    LAYERS.iter().any(|layer| layer.is_library && layer.name == package.name)
}

/// Dependencies that the table does not allow, and crates that it does not know.
pub(super) fn upward(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        if FREE.contains(&package.name.as_str()) {
            continue;
        }
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name) else {
            findings
                .push(Finding::of(&package.name, "is not in the table of layers (xtask/src/tidy/arrows.rs)"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.is_shipped()) {
            let name = dependency.name.as_str();
            let is_ours = tree.packages.iter().any(|other| other.name == name);
            let allowed =
                layer.may.contains(&name) || dependency.optional && layer.may_optionally.contains(&name);
            if is_ours && !allowed {
                findings.push(Finding::of(&package.name, format!("may not depend on {name}")));
            }
        }
    }
    findings
}

/// Backends that reach one another, by whatever way.
pub(super) fn acquainted(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for from in STRANGERS {
        for to in reachable(tree, from) {
            if to != *from && STRANGERS.contains(&to) {
                findings.push(Finding::of(from, format!("knows {to}")));
            }
        }
    }
    findings
}

fn reachable<'a>(tree: &'a Tree, from: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        let package = tree.packages.iter().find(|package| package.name == name);
        for dependency in package.iter().flat_map(|package| &package.dependencies) {
            if dependency.is_shipped() && seen.insert(&dependency.name) {
                next.push(&dependency.name);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_up_is_found() {
        let tree = Tree::of(&[])
            .with("cache-tiered", &[("cache-core", None)])
            .with("cache-core", &[("cache-tiered", None)]);
        assert_eq!(upward(&tree), [Finding::of("cache-core", "may not depend on cache-tiered")]);
    }

    #[test]
    fn a_build_dependency_is_an_arrow_and_a_dev_dependency_is_none() {
        let tree = |kind| Tree::of(&[]).with("cache-core", &[]).with("xtask", &[("cache-core", Some(kind))]);
        assert_eq!(upward(&tree("build")).len(), 1);
        assert_eq!(upward(&tree("dev")), []);
    }

    #[test]
    fn the_monitor_knows_the_engine_only_behind_a_feature() {
        let mut tree =
            Tree::of(&[]).with("cache-tiered", &[]).with("cache-monitor", &[("cache-tiered", None)]);
        assert_eq!(upward(&tree).len(), 1);
        tree.packages[1].dependencies[0].optional = true;
        assert_eq!(upward(&tree), []);
    }

    #[test]
    fn a_crate_that_nobody_has_placed_is_found() {
        assert_eq!(upward(&Tree::of(&[]).with("cache-extra", &[])).len(), 1);
    }

    #[test]
    fn backends_that_meet_on_a_detour_are_found() {
        let tree = Tree::of(&[])
            .with("cache-ai", &[("cache-tiered", None)])
            .with("cache-tiered", &[("cache-redis", None)])
            .with("cache-redis", &[]);
        assert_eq!(acquainted(&tree), [Finding::of("cache-ai", "knows cache-redis")]);
    }
}
