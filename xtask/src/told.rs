//! A file in which test programs leave a line for each real thing that they ran against.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file, and the variable that names it to the tests. A line has the program and what it says, separated by tabs.
#[derive(Debug)]
pub(crate) struct Told {
    variable: &'static str,
    path: PathBuf,
}

impl Told {
    pub(crate) fn by(variable: &'static str) -> Self {
        let name = format!("{}-{}", variable.to_lowercase().replace('_', "-"), std::process::id());
        Self { variable, path: std::env::temp_dir().join(name) }
    }

    /// Tells a command that runs tests.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env(self.variable, &self.path);
    }

    /// What each program said: `redis 7.0.15 by native`.
    pub(crate) fn read(self) -> BTreeMap<PathBuf, BTreeSet<String>> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        drop(std::fs::remove_file(&self.path));
        parse(&text)
    }
}

fn parse(text: &str) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut told: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for (program, said) in text.lines().filter_map(|line| line.split_once('\t')) {
        told.entry(resolved(Path::new(program))).or_default().insert(said.replace('\t', " by "));
    }
    told
}

/// The same for each name of a file.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_says_a_thing_once() {
        let text = "/a\tredis 7.0.15\tnative\n/a\tredis 7.0.15\tnative\n/b\tChromium 156.0\n/a\tredis 8\tdocker\nhalf a line";
        let told = parse(text);
        let of = |program: &str| told[Path::new(program)].iter().cloned().collect::<Vec<_>>().join(", ");
        assert_eq!(told.len(), 2);
        assert_eq!(of("/a"), "redis 7.0.15 by native, redis 8 by docker");
        assert_eq!(of("/b"), "Chromium 156.0");
    }
}
