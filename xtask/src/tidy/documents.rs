//! Pages that have to be there.

use super::Finding;
use crate::tree::Tree;

const ARCHITECTURE: &str = "docs/architecture.md";
const CHANGELOG: &str = "CHANGELOG.md";
const INCLUDED: &str = "#![doc = include_str!(\"../README.md\")]";
/// The beginning of the same for a README whose snippets need features: it is the documentation always, and tested with them.
const TESTED_WITH: &str = "#![cfg_attr(any(not(doctest), ";

/// READMEs that are missing or not the crate's documentation, crates that the architecture does not name, and a
/// changelog without a place for the next change.
pub(super) fn missing(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let architecture = tree.file(ARCHITECTURE).map_or("", |file| &file.text);
    for package in &tree.packages {
        if !architecture.contains(&format!("`{}`", package.name)) {
            findings.push(Finding::of(ARCHITECTURE, format!("does not name `{}`", package.name)));
        }
        let folder = tree.folder(package);
        if !folder.starts_with("crates/") {
            continue;
        }
        let readme = format!("{folder}/README.md");
        if tree.file(&readme).is_none() {
            findings.push(Finding::of(&readme, "is missing"));
        }
        let library = format!("{folder}/src/lib.rs");
        let is_included = tree.file(&library).is_some_and(|file| includes_readme(&file.text));
        if package.has_library() && !is_included {
            findings.push(Finding::of(
                &library,
                format!("`{INCLUDED}` is missing: the README is the documentation"),
            ));
        }
    }
    if !tree
        .file(CHANGELOG)
        .is_some_and(|file| file.text.lines().any(|line| line.trim() == "## [Unreleased]"))
    {
        findings.push(Finding::of(CHANGELOG, "a line `## [Unreleased]` is missing"));
    }
    findings
}

fn includes_readme(text: &str) -> bool {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).map(dense).collect();
    let whole = dense(INCLUDED);
    let inner = whole.trim_start_matches("#![").trim_end_matches(']');
    let ends_with_it = |rest: &str| rest.split(")]").next().is_some_and(|it| it.ends_with(inner));
    code.contains(&whole) || code.split(&dense(TESTED_WITH)).skip(1).any(ends_with_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("docs/architecture.md", "- `cache-core`: the vocabulary\n"),
        ("CHANGELOG.md", "# Changes\n\n## [Unreleased]\n"),
        ("crates/cache-core/README.md", "# cache-core\n"),
        ("crates/cache-core/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
    ];

    #[test]
    fn complete_documents_are_fine() {
        assert_eq!(missing(&Tree::of(FILES).with("cache-core", &[])), []);
    }

    #[test]
    fn a_readme_may_be_tested_with_features_but_is_always_the_documentation() {
        let readme = "doc = include_str!(\"../README.md\")";
        let fine = [
            format!("#![cfg_attr(any(not(doctest), feature = \"http\"), {readme})]\n"),
            format!("#![cfg_attr(\n    any(not(doctest), all(feature = \"a\")),\n    {readme}\n)]\n"),
        ];
        assert!(fine.iter().all(|text| includes_readme(text)));
        let missing = [
            format!("#![cfg_attr(feature = \"http\", {readme})]\n"),
            format!("#![cfg_attr(doctest, {readme})]\n"),
            format!("// #![{readme}]\n"),
            format!("#![cfg_attr(any(not(doctest), test), allow(x))]\n#[{readme}]\nmod x {{}}\n"),
        ];
        assert!(!missing.iter().any(|text| includes_readme(text)));
    }

    #[test]
    fn each_missing_document_is_found() {
        for (gone, _) in FILES {
            let rest: Vec<_> = FILES.iter().filter(|(path, _)| path != gone).copied().collect();
            assert_eq!(missing(&Tree::of(&rest).with("cache-core", &[])).len(), 1, "{gone}");
            let emptied: Vec<_> =
                FILES.iter().map(|(path, text)| (*path, if path == gone { "" } else { text })).collect();
            let expected = usize::from(!gone.ends_with("README.md"));
            assert_eq!(missing(&Tree::of(&emptied).with("cache-core", &[])).len(), expected, "{gone}");
        }
    }
}
