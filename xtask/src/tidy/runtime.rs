//! Which crates may stand on an async runtime.

use super::Finding;
use crate::cargo::cargo;
use crate::process;
use crate::tree::Tree;

const WITHOUT: &[&str] = &["cache-core", "cache-memory"];
const ON_TOKIO: &[&str] = &["cache-tiered"];
const RUNTIMES: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "async-executor",
    "async-global-executor",
    "futures-executor",
    "monoio",
    "compio",
];

/// Runtimes where none may be, and an engine without one.
pub(super) fn misplaced(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let name = package.name.as_str();
        if !WITHOUT.contains(&name) && !ON_TOKIO.contains(&name) {
            continue;
        }
        // The graph of this crate alone: what others switch on for it in the workspace is not its doing.
        let arguments =
            ["tree", "--package", name, "--edges=normal", "--all-features", "--prefix=none", "--format={p}"];
        match process::read(&mut cargo(&tree.root, &arguments)) {
            Ok(graph) => findings.extend(judge(name, &graph)),
            Err(problem) => findings.push(Finding::of(name, problem)),
        }
    }
    findings
}

/// Judges a crate by the list of all crates that it stands on, one a line: `name v1.2.3`.
fn judge(name: &str, graph: &str) -> Vec<Finding> {
    let below = |wanted: &str| graph.lines().any(|line| line.split(' ').next() == Some(wanted));
    let mut findings = Vec::new();
    if WITHOUT.contains(&name) {
        for runtime in RUNTIMES.iter().filter(|runtime| below(runtime)) {
            findings.push(Finding::of(name, format!("stands on {runtime}, it has no async runtime")));
        }
    }
    if ON_TOKIO.contains(&name) && !below("tokio") {
        findings.push(Finding::of(name, "does not stand on tokio, the engine runs there"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_below_the_core_is_found() {
        assert_eq!(judge("cache-core", "cache-core v0.1.0\ntokio v1.48.0\n").len(), 1);
        assert_eq!(judge("cache-core", "cache-core v0.1.0\ntokio-like v1.0.0\n").len(), 0);
    }

    #[test]
    fn an_engine_without_tokio_is_found() {
        assert_eq!(judge("cache-tiered", "cache-tiered v0.1.0\nsmol v2.0.0\n").len(), 1);
        assert_eq!(judge("cache-tiered", "cache-tiered v0.1.0\ntokio v1.48.0\n").len(), 0);
    }

    #[test]
    fn a_graph_that_cannot_be_had_is_a_finding() {
        let tree = Tree { root: std::env::temp_dir().join("no-such-folder"), ..Tree::default() };
        assert_eq!(misplaced(&tree.with("cache-core", &[])).len(), 1);
    }
}
