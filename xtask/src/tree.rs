//! The repository as the tasks see it: its files and the packages of its workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::cargo::cargo;
use crate::process;

/// What a rule looks at. Tests make small ones by hand.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Every file under version control, or about to be, that is text. Sorted by path.
    pub(crate) files: Vec<File>,
    pub(crate) packages: Vec<Package>,
}

/// A text file and its path from the root, with `/` between the parts.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A member of the workspace, as `cargo metadata` describes it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    pub(crate) rename: Option<String>,
    pub(crate) optional: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Tree {
    /// The tree that this program was built from.
    pub(crate) fn load() -> Result<Self, String> {
        let root = root();
        let mut files = Vec::new();
        for path in paths(&root)? {
            let bytes =
                std::fs::read(root.join(&path)).map_err(|error| format!("cannot read {path}: {error}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File { path, text });
            }
        }
        let packages = packages(&root)?;
        Ok(Self { root, files, packages })
    }

    /// The file at this path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Files below a folder whose names end like this.
    pub(crate) fn below(&self, folder: &str, end: &str) -> Vec<&File> {
        let folder = format!("{folder}/");
        self.files.iter().filter(|file| file.path.starts_with(&folder) && file.path.ends_with(end)).collect()
    }

    /// The folder of a package, from the root.
    pub(crate) fn folder(&self, package: &Package) -> String {
        let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
        folder.strip_prefix(&self.root).unwrap_or(folder).to_string_lossy().replace('\\', "/")
    }

    /// The source of the package itself, without tests, examples and benches beside it.
    pub(crate) fn source(&self, package: &Package) -> Vec<&File> {
        self.below(&format!("{}/src", self.folder(package)), ".rs")
    }
}

#[cfg(test)]
impl Tree {
    /// A tree of these files, without packages.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        Self { files, ..Self::default() }
    }

    /// The same with a package at `crates/{name}`, which depends on these in this way.
    pub(crate) fn with(mut self, name: &str, dependencies: &[(&str, Option<&str>)]) -> Self {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).into(),
                kind: kind.map(Into::into),
                ..Dependency::default()
            })
            .collect();
        self.packages.push(Package {
            name: name.into(),
            manifest_path: format!("crates/{name}/Cargo.toml").into(),
            dependencies,
            targets: vec![Target { name: name.replace('-', "_"), kind: vec!["lib".into()] }],
            ..Package::default()
        });
        self
    }
}

impl Package {
    /// Whether it has a library that others can use.
    pub(crate) fn has_library(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib" || kind == "proc-macro"))
    }

    /// Whether it is a macro that runs in the compiler.
    pub(crate) fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

impl Dependency {
    /// Whether the crate that is shipped needs it: tests, examples and benches of a crate may use what they like.
    pub(crate) fn is_shipped(&self) -> bool {
        self.kind.as_deref() != Some("dev")
    }
}

/// The root of the repository: the folder above this package.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Every file under version control, or about to be, sorted. Without version control: every file.
pub(crate) fn paths(root: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    if root.join(".git").exists() {
        let mut list = Command::new("git");
        list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        paths.extend(process::read(&mut list)?.split_terminator('\0').map(str::to_owned));
        // A deleted file is listed until its deletion is committed.
        paths.retain(|path| root.join(path).is_file());
    } else {
        walk(root, "", &mut paths).map_err(|error| format!("cannot list {}: {error}", root.display()))?;
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            if path != "target" {
                walk(root, &path, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let json = process::read(&mut cargo(root, &["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Metadata = serde_json::from_str(&json)
        .map_err(|error| format!("cannot read what `cargo metadata` says: {error}"))?;
    Ok(metadata.packages)
}
