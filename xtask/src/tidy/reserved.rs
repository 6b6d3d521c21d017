//! Paths that only one crate may name.

use super::Finding;
use super::arrows::is_library;
use crate::rust::{Path, paths, split};
use crate::tree::{Package, Tree};

struct Reserved {
    what: &'static str,
    owners: &'static [&'static str],
    /// Test kit and tools may do it too.
    binds_libraries_only: bool,
    is_named_by: fn(&[&str]) -> bool,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        what: "the Redis client",
        owners: &["cache-redis"],
        binds_libraries_only: false,
        is_named_by: |parts| parts.first() == Some(&"redis"),
    },
    Reserved {
        what: "the environment",
        owners: &["cache-factory"],
        binds_libraries_only: true,
        is_named_by: |parts| {
            parts.starts_with(&["std", "env"]) || parts.first() == Some(&"env") && parts.len() > 1
        },
    },
    Reserved {
        what: "a file",
        // Settings, and certificates, which each connection reads anew.
        owners: &["cache-factory", "cache-redis"],
        binds_libraries_only: true,
        is_named_by: |parts| {
            let fs =
                |parts: &[&str]| parts.starts_with(&["std", "fs"]) || parts.starts_with(&["tokio", "fs"]);
            let short = matches!(parts.first(), Some(&"fs" | &"File" | &"OpenOptions")) && parts.len() > 1;
            fs(parts) || short
        },
    },
    Reserved {
        what: "a listening socket",
        owners: &["cache-monitor"],
        binds_libraries_only: true,
        is_named_by: |parts| parts.contains(&"TcpListener") || parts.contains(&"UnixListener"),
    },
];

/// Paths in shipped code of crates that have no business with them.
pub(super) fn trespassers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| tree.folder(package).starts_with("crates/")) {
        for file in tree.source(package) {
            for path in paths(&split(&file.path, &file.text).shipped) {
                for reserved in taken(package, &path) {
                    findings.push(Finding::at(
                        &file.path,
                        path.line,
                        format!(
                            "`{}`: only {} may deal with {}",
                            path.text,
                            reserved.owners.join(" and "),
                            reserved.what
                        ),
                    ));
                }
            }
        }
        let redis = package
            .dependencies
            .iter()
            .any(|dependency| dependency.is_shipped() && dependency.name == "redis");
        if redis && package.name != "cache-redis" {
            findings.push(Finding::of(&package.name, "only cache-redis depends on the Redis client"));
        }
    }
    findings
}

fn taken<'a>(package: &Package, path: &Path) -> impl Iterator<Item = &'a Reserved> {
    let parts: Vec<&str> = path.text.split("::").collect();
    RESERVED.iter().filter(move |reserved| {
        !reserved.owners.contains(&package.name.as_str())
            && (is_library(package) || !reserved.binds_libraries_only)
            && (reserved.is_named_by)(&parts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, source: &str) -> usize {
        let path = format!("crates/{name}/src/lib.rs");
        trespassers(&Tree::of(&[(&path, source)]).with(name, &[])).len()
    }

    #[test]
    fn each_reserved_path_is_found_outside_of_its_crate() {
        for (owner, source) in [
            ("cache-redis", "fn f() { redis::Client::open(x) }"),
            ("cache-redis", "use redis::{Client, aio::X};"),
            ("cache-factory", "fn f() { std::env::var(x) }"),
            ("cache-factory", "use std::{env, sync::Arc};"),
            ("cache-factory", "use std::env; fn f() { env::var(x) }"),
            ("cache-factory", "fn f() { std::fs::read(x) }"),
            ("cache-factory", "use std::fs::File;"),
            ("cache-factory", "fn f() { File::open(x) }"),
            ("cache-redis", "fn f() { File::open(x) }"),
            ("cache-factory", "fn f() { tokio::fs::read(x) }"),
            ("cache-monitor", "use tokio::net::{TcpListener, TcpStream};"),
            ("cache-monitor", "fn f() { std::os::unix::net::UnixListener::bind(x) }"),
        ] {
            assert!(found("cache-tiered", source) > 0, "{source}");
            assert_eq!(found(owner, source), 0, "{source}");
        }
    }

    #[test]
    fn names_that_only_look_alike_are_fine() {
        let source = "use crate::redis::X; fn f() { cache_redis::open(env!(\"X\")); crate::env::read(); self.fs() } // std::env::var";
        assert_eq!(found("cache-tiered", source), 0);
    }

    #[test]
    fn tests_and_the_test_kit_may_read_files_but_the_kit_names_no_redis() {
        assert_eq!(found("cache-core", "#[cfg(test)] mod tests { use std::fs; }"), 0);
        assert_eq!(found("cache-testkit", "use std::fs::File; use std::env;"), 0);
        assert_eq!(found("cache-testkit", "use redis::Client;"), 1);
    }

    #[test]
    fn a_dependency_on_the_client_is_found() {
        let tree =
            Tree::of(&[]).with("cache-tiered", &[("redis", None)]).with("cache-redis", &[("redis", None)]);
        assert_eq!(trespassers(&tree).len(), 1);
    }
}
