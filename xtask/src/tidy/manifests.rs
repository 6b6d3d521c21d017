//! What every manifest takes from the workspace, so that it is said once.

use toml::{Table, Value};

use super::Finding;
use crate::tree::{File, Tree};

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// Manifests that say themselves what the workspace says, and a workspace that allows unsafe code.
pub(super) fn own_ways(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let path = format!("{}/Cargo.toml", tree.folder(package));
        match tree.file(&path) {
            Some(file) => findings.extend(member(file)),
            None => findings.push(Finding::of(&path, "is missing")),
        }
    }
    match tree.file("Cargo.toml") {
        Some(file) => findings.extend(workspace(file)),
        None => findings.push(Finding::of("Cargo.toml", "is missing")),
    }
    findings
}

fn member(file: &File) -> Vec<Finding> {
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::of(&file.path, format!("cannot be read: {error}"))],
    };
    let mut findings = Vec::new();
    for field in INHERITED {
        if !is_inherited(at(&manifest, &["package", field])) {
            findings.push(Finding::of(
                &file.path,
                format!("`{field}.workspace = true` is missing in `[package]`"),
            ));
        }
    }
    if !is_inherited(at(&manifest, &["lints"])) {
        findings.push(Finding::of(&file.path, "`[lints] workspace = true` is missing"));
    }
    for (section, dependencies) in sections(&manifest) {
        for (name, dependency) in dependencies {
            if !is_inherited(Some(dependency)) {
                findings.push(Finding::of(
                    &file.path,
                    format!("`{name}` in `[{section}]` is not from the workspace"),
                ));
            }
        }
    }
    findings
}

fn workspace(file: &File) -> Vec<Finding> {
    let manifest: Table = file.text.parse().unwrap_or_default();
    let unsafe_code = at(&manifest, &["workspace", "lints", "rust", "unsafe_code"]);
    if unsafe_code.and_then(Value::as_str) == Some("forbid") {
        return Vec::new();
    }
    vec![Finding::of(&file.path, "`unsafe_code = \"forbid\"` is missing in `[workspace.lints.rust]`")]
}

/// The tables of dependencies of a manifest, also those for single platforms.
fn sections(manifest: &Table) -> Vec<(String, &Table)> {
    const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];
    let mut homes = vec![(String::new(), manifest)];
    for (platform, home) in manifest.get("target").and_then(Value::as_table).into_iter().flatten() {
        homes.extend(home.as_table().map(|home| (format!("target.{platform}."), home)));
    }
    let mut found = Vec::new();
    for (prefix, home) in homes {
        for kind in KINDS {
            let table = home.get(*kind).and_then(Value::as_table);
            found.extend(table.map(|table| (format!("{prefix}{kind}"), table)));
        }
    }
    found
}

fn at<'a>(manifest: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(manifest.get(*first)?, |value, part| value.get(part))
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    const GOOD: &str = "[package]\nname = \"cache-core\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
        [dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n";

    fn found(root: &str, member: &str) -> Vec<Finding> {
        own_ways(
            &Tree::of(&[("Cargo.toml", root), ("crates/cache-core/Cargo.toml", member)])
                .with("cache-core", &[]),
        )
    }

    #[test]
    fn a_manifest_that_inherits_is_fine() {
        assert_eq!(found(ROOT, GOOD), []);
    }

    #[test]
    fn every_own_way_is_found() {
        for (from, to) in [
            ("rust-version.workspace = true", "rust-version = \"1.90\""),
            ("license.workspace = true", "license = \"MIT\""),
            ("license.workspace = true", ""),
            ("[lints]\nworkspace = true", ""),
            ("[lints]\nworkspace = true", "[lints]\nworkspace = false"),
            ("serde.workspace = true", "serde = \"1\""),
            (
                "[dependencies]\nserde.workspace = true",
                "[target.'cfg(unix)'.dev-dependencies]\nserde = \"1\"",
            ),
        ] {
            assert!(GOOD.contains(from));
            assert_eq!(found(ROOT, &GOOD.replace(from, to)).len(), 1, "{to}");
        }
    }

    #[test]
    fn a_workspace_that_allows_unsafe_code_is_found() {
        assert_eq!(found(&ROOT.replace("forbid", "deny"), GOOD).len(), 1);
        assert_eq!(found("", GOOD).len(), 1);
    }
}
