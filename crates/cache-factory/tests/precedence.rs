//! What wins over what, as a table: code, variables, the file, the environment, the preset.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use cache_factory::durations::secs;
use cache_factory::{CacheFactory, Environment};

/// In each row: which layers speak (code, variable, file, environment, preset), and whose number holds.
#[tokio::test]
async fn the_highest_layer_that_speaks_is_heard() {
    let path = std::env::temp_dir().join(format!("cache-precedence-{}.toml", std::process::id()));
    std::fs::write(&path, "default_ttl = 20").unwrap();
    for speaks in 0..32_u32 {
        let [preset, environment, file, variable, code] = [0, 1, 2, 3, 4].map(|bit| speaks & (1 << bit) != 0);
        let mut variables = vec![("CACHE_TYPE", "memory")];
        variables.extend(preset.then_some(("CACHE_PRESET", "web_app")));
        variables.extend(environment.then_some(("CACHE_ENVIRONMENT", "development")));
        variables.extend(file.then(|| ("CACHE_CONFIG", path.to_str().unwrap())));
        variables.extend(variable.then_some(("CACHE_DEFAULT_TTL", "30")));
        let mut setup = CacheFactory::from_variables(variables).unwrap();
        if code {
            setup = setup.default_ttl(secs(40));
        }
        let cache = setup.await.unwrap();
        let expected = match (code, variable, file, environment, preset) {
            (true, ..) => 40,
            (_, true, ..) => 30,
            (_, _, true, ..) => 20,
            (_, _, _, true, _) => 300,
            (_, _, _, _, true) => 1800,
            _ => 3600,
        };
        let ttl = cache.settings().default_ttl.as_duration();
        assert_eq!(
            ttl,
            secs(expected),
            "code {code}, variable {variable}, file {file}, environment {environment}"
        );
    }
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn the_environment_itself_is_a_setting_with_the_same_order() {
    let path = std::env::temp_dir().join(format!("cache-environment-{}.toml", std::process::id()));
    std::fs::write(&path, "environment = 'staging'\ntype = 'memory'").unwrap();
    let file = ("CACHE_CONFIG", path.to_str().unwrap());
    let variable = ("CACHE_ENVIRONMENT", "development");
    let from = |variables: &[(&str, &str)]| CacheFactory::from_variables(variables.iter().copied()).unwrap();
    for (setup, seconds) in [
        (from(&[file]), 1800),
        (from(&[file, variable]), 300),
        (from(&[file, variable]).environment(Environment::HighPerformance), 7200),
    ] {
        assert_eq!(setup.await.unwrap().settings().default_ttl.as_duration(), secs(seconds));
    }
    std::fs::remove_file(&path).unwrap();
}

/// Whether there is a tier 1 is one decision: the higher layer's word on it leaves nothing of the lower one's.
#[tokio::test]
async fn whether_there_is_a_tier_1_is_one_decision() {
    use std::sync::Arc;

    use cache_factory::TokioTimer;
    use cache_testkit::ReferenceServer;

    let path = std::env::temp_dir().join(format!("cache-tier1-{}.toml", std::process::id()));
    for (lower, upper, entries) in [
        ("l1_cache_size = 7\nl1_max_bytes = 65536", ("CACHE_ENABLE_L1_CACHE", "false"), 0),
        ("l1_cache_size = 7\nl1_max_bytes = 65536", ("CACHE_L1_CACHE_SIZE", "0"), 0),
        ("l1_cache_size = 0", ("CACHE_ENABLE_L1_CACHE", "true"), 100),
        ("l1_cache_size = 7", ("CACHE_ENABLE_L1_CACHE", "true"), 7),
        ("enable_l1_cache = false", ("CACHE_MAX_SIZE", "8"), 8),
        ("enable_l1_cache = true", ("CACHE_L1_CACHE_SIZE", "0"), 0),
        ("max_size = 9", ("CACHE_DEFAULT_TTL", "5"), 9),
    ] {
        std::fs::write(&path, lower).unwrap();
        let setup = CacheFactory::from_variables([("CACHE_CONFIG", path.to_str().unwrap()), upper]).unwrap();
        let store = ReferenceServer::new(Arc::new(TokioTimer::new())).connect();
        let cache = setup.store(Arc::new(store)).await.unwrap();
        assert_eq!(cache.stats().memory_usage.max_entries, entries, "{lower}, {upper:?}");
    }
    std::fs::remove_file(&path).unwrap();
}
