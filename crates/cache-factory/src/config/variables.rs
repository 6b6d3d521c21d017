//! What the environment says of a cache.

use std::ffi::OsString;
use std::path::PathBuf;

use cache_core::Problems;

use super::CacheConfig;
use super::fields::{Fields, Table};
use super::file::read_file;
use super::meant::meant;
use super::read::read;
use super::tree::Tree;
use super::value::Setting;
use crate::presets::{self, Preset};
use crate::ranges;

/// What all our variables start with.
const PREFIX: &str = "CACHE_";
/// The test kit's variables.
const TESTS: &str = "CACHE_TEST_";
const FILE: &str = "CACHE_CONFIG";
const PRESET: &str = "CACHE_PRESET";
const PRESETS: &[(&str, &Preset)] = &[("web_app", &presets::WEB_APP), ("testing", &presets::TESTING)];

/// What variables, the file that they name, and the preset that they name come to.
pub(crate) struct Said {
    pub(crate) preset: &'static Preset,
    pub(crate) config: CacheConfig,
}

impl Said {
    /// Looks at every variable that starts with `CACHE_` and finds all that is wrong with them and with the file.
    pub(crate) fn by(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        problems: &mut Problems,
    ) -> Self {
        let (mut preset, mut file, mut entries) = (&presets::CONFIG, None, Vec::new());
        let paths = Path::all();
        for (name, value) in ours(variables, problems) {
            if name == FILE {
                file = Some(PathBuf::from(value));
            } else if name == PRESET {
                match PRESETS.iter().find(|(known, _)| *known == value) {
                    Some((_, known)) => preset = known,
                    None => {
                        let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                        problems.add(format!("{PRESET} names no preset, there are: {}", known.join(", ")));
                    }
                }
            } else if let Some(path) = paths.iter().find(|path| path.variable() == name) {
                check_alone(&name, *path, &value, problems);
                entries.push((*path, value));
            } else {
                let known: Vec<String> = paths.iter().map(Path::variable).collect();
                let all = known.iter().map(String::as_str).chain([FILE, PRESET]);
                let hint = meant(&name, all);
                problems.add(format!(
                    "{name} is unknown, there are: {FILE}, {PRESET}, {}{hint}",
                    known.join(", ")
                ));
            }
        }
        // What is wrong with each was said above.
        let config = read(tree(entries), &mut Problems::default());
        ranges::contradictions(&config, problems);
        let config = match file {
            Some(file) => config.over(read_file(&file, problems)),
            None => config,
        };
        Self { preset, config }
    }
}

/// Those variables that are about a cache.
fn ours(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let mut ours = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || name.starts_with(TESTS) {
            continue;
        }
        match value.into_string() {
            Ok(value) => ours.push((name.into_owned(), value)),
            Err(_) => problems.add(format!("{name} is not UTF-8")),
        }
    }
    // Their order in the environment says nothing; what is said of them should not change with it.
    ours.sort();
    ours
}

/// Whether a variable makes sense by itself, so that what is wrong is said with its name.
fn check_alone(name: &str, path: Path, value: &str, problems: &mut Problems) {
    let mut found = Problems::default();
    let config = read(tree([(path, value.to_owned())]), &mut found);
    ranges::check(&config, &mut found);
    problems.add_all(found, name);
}

/// A tree of these leaves. Settings go two levels deep at most.
fn tree(leaves: impl IntoIterator<Item = (Path, String)>) -> Tree {
    let mut top: Vec<(String, Tree)> = Vec::new();
    for (Path { table, name }, value) in leaves {
        let leaf = (name.to_owned(), Tree::Word(value));
        let Some(table) = table else {
            top.push(leaf);
            continue;
        };
        match top.iter_mut().find(|(name, _)| name == table) {
            Some((_, Tree::Table(leaves))) => leaves.push(leaf),
            _ => top.push((table.to_owned(), Tree::Table(vec![leaf]))),
        }
    }
    Tree::Table(top)
}

/// Where a setting is.
#[derive(Clone, Copy)]
struct Path {
    table: Option<&'static str>,
    name: &'static str,
}

impl Path {
    /// All there are.
    fn all() -> Vec<Self> {
        let mut lister = Lister { table: None, paths: Vec::new() };
        CacheConfig::default().visit(&mut lister);
        lister.paths
    }

    /// The variable for it: `CACHE_REDIS_URL` for `redis.url`.
    fn variable(&self) -> String {
        let table = self.table.map(|table| format!("{table}_")).unwrap_or_default();
        format!("{PREFIX}{table}{}", self.name).to_uppercase()
    }
}

struct Lister {
    table: Option<&'static str>,
    paths: Vec<Path>,
}

impl Fields for Lister {
    fn field<T: Setting>(&mut self, name: &'static str, _: &'static str, _: &mut Option<T>) {
        self.paths.push(Path { table: self.table, name });
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &mut Option<T>) {
        let mut inner = Self { table: Some(name), paths: Vec::new() };
        T::default().visit(&mut inner);
        self.paths.append(&mut inner.paths);
    }
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_variable_that_means_the_same() {
        let values = [
            ("type", "redis"),
            ("namespace", "shop"),
            ("default_ttl", "120"),
            ("stale_for", "0.5"),
            ("load_timeout", "20"),
            ("negative_window", "2.25"),
            ("l1_cache_size", "300"),
            ("l1_max_bytes", "1048576"),
            ("max_value_bytes", "65536"),
            ("compression_threshold", "500"),
            ("compression_level", "2"),
            ("format", "msgpack"),
            ("store_timeout", "0.1"),
            ("wait_for_write", "true"),
            ("claims", "false"),
            ("on_store_error", "fail"),
            ("lease", "0.5"),
            ("disconnected_max_age", "90"),
            ("untracked_max_age", "0.25"),
            ("replay_queue", "100"),
            ("production", "true"),
            ("breaker.failures", "3"),
            ("breaker.window", "10"),
            ("breaker.open_for", "2.5"),
            ("ai.text_hash_threshold", "100"),
            ("ai.operation_ttls", "qa=60, translate=0.5"),
            ("ai.store_no_request_text", "true"),
            ("ai.only_if_cached", "true"),
            ("redis.url", "redis://h/3"),
            ("redis.password", "secret"),
            ("redis.password_file", "/run/secret"),
            ("redis.connect_timeout", "0.25"),
            ("redis.fail_on_connection_error", "true"),
            ("redis.feed", "ttl_only"),
        ];
        let paths = Path::all();
        assert_eq!(paths.len(), values.len());
        for (path, (name, value)) in paths.iter().zip(values) {
            let is_text = value.parse::<f64>().is_err() && value.parse::<bool>().is_err();
            let toml = if is_text { format!("{name} = '{value}'") } else { format!("{name} = {value}") };
            let variable = (path.variable().into(), value.into());
            let mut problems = Problems::default();
            let said = Said::by([variable], &mut problems).config;
            problems.configuration().unwrap();
            assert_eq!(said, CacheConfig::from_toml(&toml).unwrap());
            assert_ne!(said, CacheConfig::default(), "{name}");
        }
    }
}
