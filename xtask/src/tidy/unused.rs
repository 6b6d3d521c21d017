//! Dependencies that nobody names.

use super::Finding;
use crate::rust::tokens;
use crate::tree::{Dependency, File, Package, Tree};

/// Declared dependencies that the crate's code does not name. Those of tests may be named by doc tests, which are
/// comments, by the README, and by pages that the crate includes.
pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let source = tree.source(package);
        let folder = tree.folder(package);
        let code = tree.below(&folder, ".rs");
        let included = |page: &&File| code.iter().any(|file| file.text.contains(&page.path));
        let pages = tree.below("docs", ".md").into_iter().filter(included);
        let readme = tree.file(&format!("{folder}/README.md"));
        let everything: Vec<&File> = code.iter().copied().chain(readme).chain(pages).collect();
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            let is_used = if dependency.is_shipped() {
                names(&source, &name) || is_for_a_feature(package, dependency)
            } else {
                everything.iter().any(|file| file.text.contains(&name))
            };
            if !is_used {
                findings.push(Finding::of(&package.name, format!("depends on {} in vain", dependency.name)));
            }
        }
    }
    findings
}

fn names(files: &[&File], name: &str) -> bool {
    files.iter().any(|file| tokens(&file.text).iter().any(|token| token.is(name)))
}

/// A dependency may be there only to switch on something in it: `feature = ["dep/other"]`.
fn is_for_a_feature(package: &Package, dependency: &Dependency) -> bool {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
    let starts = [format!("{name}/"), format!("{name}?/")];
    package.features.values().flatten().any(|enabled| starts.iter().any(|start| enabled.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, dependency: (&str, Option<&str>)) -> usize {
        let text = [("crates/cache-core/src/lib.rs", source)];
        dependencies(&Tree::of(&text).with("cache-core", &[dependency])).len()
    }

    #[test]
    fn a_dependency_that_only_a_comment_names_is_found() {
        assert_eq!(found("// serde_json::to_vec", ("serde-json", None)), 1);
        assert_eq!(found("use serde_json::to_vec;", ("serde-json", None)), 0);
    }

    #[test]
    fn a_doc_test_is_a_use_for_a_dependency_of_tests() {
        assert_eq!(found("/// # tokio::spawn(x)", ("tokio", Some("dev"))), 0);
        assert_eq!(found("", ("tokio", Some("dev"))), 1);
    }
}
