//! What the environment says of a cache.

use std::ffi::OsString;
use std::path::PathBuf;

use cache_core::Problems;

use super::CacheConfig;
use super::file::read_file;
use super::meant::meant;
use super::paths::Path;
use super::read::read;
use super::tree::Tree;
use crate::presets::{self, Preset};
use crate::ranges;

/// What all our variables start with.
const PREFIX: &str = "CACHE_";
/// The test kit's variables.
const TESTS: &str = "CACHE_TEST_";
const FILE: &str = "CACHE_CONFIG";
const PRESET: &str = "CACHE_PRESET";

/// The presets that a variable can name, and what is so if it names none.
pub(crate) struct Presets {
    pub(crate) named: &'static [(&'static str, &'static Preset)],
    pub(crate) otherwise: &'static Preset,
}

/// Of caches for any values.
pub(crate) const PRESETS: Presets = Presets {
    named: &[("web_app", &presets::WEB_APP), ("testing", &presets::TESTING)],
    otherwise: &presets::CONFIG,
};

/// Of any cache.
pub(crate) const ALL_PRESETS: Presets = Presets {
    named: &[
        ("web_app", &presets::WEB_APP),
        ("testing", &presets::TESTING),
        #[cfg(feature = "ai")]
        ("ai_app", &presets::AI_APP),
    ],
    otherwise: &presets::CONFIG,
};

/// Of caches for answers of language models.
#[cfg(feature = "ai")]
pub(crate) const AI_PRESETS: Presets =
    Presets { named: &[("ai_app", &presets::AI_APP)], otherwise: &presets::AI_CONFIG };

/// What variables, the file that they name, and the preset that they name come to.
pub(crate) struct Said {
    pub(crate) preset: &'static Preset,
    pub(crate) config: CacheConfig,
}

impl Said {
    /// Looks at every variable that starts with `CACHE_` and finds all that is wrong with them and with the file.
    pub(crate) fn by(
        presets: &Presets,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        problems: &mut Problems,
    ) -> Self {
        let (mut preset, mut file, mut entries) = (presets.otherwise, None, Vec::new());
        let mut alone = Vec::new();
        let paths = Path::all();
        for (name, value) in ours(variables, problems) {
            if name == FILE {
                file = Some(PathBuf::from(value));
            } else if name == PRESET {
                match presets.named.iter().find(|(known, _)| *known == value) {
                    Some((_, known)) => preset = known,
                    None => {
                        let known: Vec<&str> = presets.named.iter().map(|(name, _)| *name).collect();
                        problems.add(format!("{PRESET} names no preset, there are: {}", known.join(", ")));
                    }
                }
            } else if let Some(path) = paths.iter().find(|path| path.variable() == name) {
                alone.extend(check_alone(&name, *path, &value, problems));
                entries.push((*path, value));
            } else {
                let known: Vec<String> = paths.iter().map(|path| path.variable()).collect();
                let all = known.iter().map(String::as_str).chain([FILE, PRESET]);
                let hint = meant(&name, all);
                problems.add(format!(
                    "{name} is unknown, there are: {FILE}, {PRESET}, {}{hint}",
                    known.join(", ")
                ));
            }
        }
        let mut together = Problems::default();
        let config = read(tree(entries), &mut together);
        // What is wrong with each by itself was said above, with its name.
        let new = together.into_list().into_iter().filter(|problem| !alone.contains(problem));
        new.for_each(|problem| problems.add(problem));
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

/// Whether a variable makes sense by itself: says what is wrong with its name, and returns it without.
fn check_alone(name: &str, path: Path, value: &str, problems: &mut Problems) -> Vec<String> {
    let mut found = Problems::default();
    let config = read(tree([(path, value.to_owned())]), &mut found);
    ranges::check(&config, &mut found);
    problems.add_all(found.clone(), name);
    found.into_list()
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

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_variable_that_means_the_same() {
        let values = [
            ("type", "redis"),
            ("namespace", "shop"),
            ("default_ttl", "120"),
            ("environment", "high-performance"),
            ("stale_for", "0.5"),
            ("load_timeout", "20"),
            ("negative_window", "2.25"),
            ("l1_cache_size", "300"),
            ("max_size", "300"),
            ("enable_l1_cache", "true"),
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
            ("debug_logging", "true"),
            ("breaker.failures", "3"),
            ("breaker.window", "10"),
            ("breaker.open_for", "2.5"),
            ("performance_monitor.enabled", "false"),
            ("performance_monitor.memory_warning", "1000000"),
            ("performance_monitor.memory_critical", "2000000"),
            ("performance_monitor.hit_ratio_warning", "0.75"),
            ("performance_monitor.operation_slow", "0.02"),
            ("ai.text_hash_threshold", "100"),
            ("ai.operation_ttls", "qa=60, translate=0.5"),
            ("ai.store_no_request_text", "true"),
            ("ai.only_if_cached", "true"),
            ("redis.url", "redis://h/3"),
            ("redis.password", "secret"),
            ("redis.password_file", "/run/secret"),
            ("redis.ca_file", "/etc/ca.pem"),
            ("redis.cert_file", "/etc/cert.pem"),
            ("redis.key_file", "/etc/key.pem"),
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
            let said = Said::by(&PRESETS, [variable], &mut problems).config;
            problems.configuration().unwrap();
            assert_eq!(said, CacheConfig::from_toml(&toml).unwrap());
            assert_ne!(said, CacheConfig::default(), "{name}");
        }
    }
}
