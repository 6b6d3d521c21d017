//! Configurations: how they are read, what is wrong with them, and that each setting of them reaches the cache.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use cache_factory::durations::{days, secs};
use cache_factory::{CacheConfig, ErrorKind};

/// Every setting there is.
#[cfg(all(feature = "json", feature = "lz4"))]
const ALL: &str = r#"
    type = "redis"
    namespace = "shop"
    default_ttl = 120
    stale_for = 0.5
    load_timeout = 20
    negative_window = 2.25
    l1_cache_size = 300
    l1_max_bytes = 1048576
    max_value_bytes = 65536
    compression_threshold = 500
    compression_level = 2
    format = "json"
    store_timeout = 0.1
    wait_for_write = true
    claims = false
    on_store_error = "fail"
    lease = 0.5
    disconnected_max_age = 90
    replay_queue = 100
    production = true

    [breaker]
    failures = 3
    window = 10
    open_for = 2.5

    [ai]
    text_hash_threshold = 100
    store_no_request_text = true
    only_if_cached = false
    operation_ttls = { qa = 60, translate = 0.5 }

    [redis]
    url = "redis://127.0.0.1:6379/3"
    password_file = "/run/secrets/redis"
    connect_timeout = 0.25
    fail_on_connection_error = true
"#;

fn message(result: Result<CacheConfig, cache_factory::Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Configuration, Some("CacheConfig")));
    error.message().to_owned()
}

#[cfg(all(feature = "json", feature = "lz4"))]
#[test]
fn every_setting_is_read() {
    use std::path::PathBuf;
    use std::time::Duration;

    use cache_factory::{CacheType, Format, OnStoreError};

    let config = CacheConfig::from_toml(ALL).unwrap();
    assert_eq!(config.r#type, Some(CacheType::Redis));
    assert_eq!(config.namespace.as_deref(), Some("shop"));
    assert_eq!(config.default_ttl, Some(secs(120)));
    assert_eq!(config.stale_for, Some(Duration::from_millis(500)));
    assert_eq!(config.load_timeout, Some(secs(20)));
    assert_eq!(config.negative_window, Some(Duration::from_millis(2250)));
    assert_eq!(config.l1_cache_size, Some(300));
    assert_eq!(config.l1_max_bytes, Some(1 << 20));
    assert_eq!(config.max_value_bytes, Some(65_536));
    assert_eq!(config.compression_threshold, Some(500));
    assert_eq!(config.compression_level, Some(2));
    assert_eq!(config.format, Some(Format::Json));
    assert_eq!(config.store_timeout, Some(Duration::from_millis(100)));
    assert_eq!((config.wait_for_write, config.claims), (Some(true), Some(false)));
    assert_eq!(config.on_store_error, Some(OnStoreError::Fail));
    assert_eq!(config.lease, Some(Duration::from_millis(500)));
    assert_eq!((config.disconnected_max_age, config.replay_queue), (Some(secs(90)), Some(100)));
    let breaker = config.breaker.unwrap();
    assert_eq!((breaker.failures, breaker.window), (Some(3), Some(10)));
    assert_eq!(breaker.open_for, Some(Duration::from_millis(2500)));
    let redis = config.redis.unwrap();
    assert_eq!(redis.url.unwrap().expose(), "redis://127.0.0.1:6379/3");
    assert_eq!(redis.password, None);
    assert_eq!(redis.password_file, Some(PathBuf::from("/run/secrets/redis")));
    assert_eq!(redis.connect_timeout, Some(Duration::from_millis(250)));
    assert_eq!(redis.fail_on_connection_error, Some(true));
}

#[cfg(all(feature = "json", feature = "lz4"))]
#[test]
fn json_says_the_same_as_toml_and_what_is_written_is_read_back() {
    let config = CacheConfig::from_toml(ALL).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(CacheConfig::from_json(&json).unwrap(), config);
    assert_eq!(serde_json::from_str::<CacheConfig>(&json).unwrap(), config);
    assert_eq!(serde_json::to_string(&CacheConfig::default()).unwrap(), "{}");
    assert_eq!(
        CacheConfig::from_json("{\"default_ttl\": null, \"redis\": null}").unwrap(),
        CacheConfig::default()
    );
    assert_eq!(CacheConfig::from_toml("").unwrap(), CacheConfig::default());
}

#[test]
fn a_configuration_can_be_part_of_an_applications_own() {
    #[derive(Debug, serde::Deserialize)]
    struct Application {
        cache: CacheConfig,
    }
    let application: Application =
        toml::from_str("[cache]\ndefault_ttl = 5\nredis.url = 'redis://h'").unwrap();
    assert_eq!(application.cache.default_ttl, Some(secs(5)));
    let error = toml::from_str::<Application>("[cache]\nttl = 5\nl1_cache_size = -1").unwrap_err();
    assert!(error.message().starts_with("2 problems: l1_cache_size is -1"), "{error}");
}

#[test]
fn what_is_unknown_is_an_error_with_its_path_and_what_there_is() {
    let unknown = message(CacheConfig::from_toml("l1_size = 5"));
    assert!(unknown.starts_with("l1_size is unknown, there are: type, namespace, default_ttl,"), "{unknown}");
    assert!(
        unknown.contains("l1_cache_size") && unknown.ends_with(", redis; did you mean l1_cache_size?"),
        "{unknown}"
    );
    let unknown = message(CacheConfig::from_toml("redis.adress = 'x'"));
    assert!(unknown.starts_with("redis.adress is unknown, there are: url, password,"), "{unknown}");
    let unknown = message(CacheConfig::from_json("{\"llm\": {\"a\": [1, {\"b\": null}]}}"));
    assert!(unknown.starts_with("llm is unknown"), "{unknown}");
}

#[test]
fn a_value_of_another_type_is_an_error_that_says_what_is_expected() {
    for (text, expected) in [
        ("default_ttl = '5'", "default_ttl is a text, seconds from 0.001 to 31536000 (365 days) is expected"),
        ("default_ttl = -5", "default_ttl is -5, seconds from 0.001"),
        ("default_ttl = -0.5", "default_ttl is -0.5, seconds"),
        ("default_ttl = nan", "default_ttl is NaN, seconds"),
        ("default_ttl = inf", "default_ttl is inf, seconds"),
        ("default_ttl = 1e300", "default_ttl is 1000000000000"),
        ("default_ttl = true", "default_ttl is true, seconds"),
        ("default_ttl = 1979-05-27", "default_ttl is a table, seconds"),
        ("default_ttl = [5]", "default_ttl is a list, seconds"),
        ("l1_cache_size = 1.5", "l1_cache_size is 1.5, a whole number from 0 to 100000000 is expected"),
        ("l1_cache_size = -1", "l1_cache_size is -1, a whole number"),
        ("compression_level = 256", "compression_level is 256, a whole number from 1 to 9 is expected"),
        ("wait_for_write = 1", "wait_for_write is 1, true or false is expected"),
        ("format = 'xml'", "format is another text, `msgpack` or `json` is expected"),
        ("on_store_error = 'ignore'", "on_store_error is another text, `degrade` or `fail` is expected"),
        ("type = 'disk'", "type is another text, `memory` or `redis` is expected"),
        ("redis = 'redis://h'", "redis is a text, a table is expected"),
        ("redis.url = ''", "redis.url is an empty text, an address like"),
        (
            "redis.url = 'redis://***@h'",
            "redis.url is an address with `***`, which stands for a password left out",
        ),
        ("redis.password = 12345", "redis.password is a number, a text is expected"),
        ("redis.password = ''", "redis.password is an empty text"),
        ("redis.password = '***'", "redis.password is `***`, which stands for a password left out"),
        ("redis.password_file = ''", "redis.password_file is an empty text"),
    ] {
        let found = message(CacheConfig::from_toml(text));
        assert!(found.starts_with(expected), "{text}: {found}");
        assert!(!found.contains("problems:"), "one fault, one sentence: {found}");
    }
    assert_eq!(message(CacheConfig::from_json("[]")), "a list was given, a table is expected");
    let twice = message(CacheConfig::from_json("{\"claims\": true, \"claims\": false}"));
    assert_eq!(twice, "claims is given twice");
}

#[test]
fn what_is_out_of_range_is_said_when_it_is_read() {
    for (text, problem) in [
        ("default_ttl = 0", "default_ttl: a TTL of 0ns was given, 1 ms to 365 days are allowed"),
        ("default_ttl = 31536000.5", "default_ttl: a TTL of"),
        ("stale_for = 31536001", "stale_for is"),
        ("load_timeout = 0", "load_timeout is 0ns"),
        ("negative_window = 3601", "negative_window is 3601s"),
        ("l1_cache_size = 100000001", "l1_cache_size is 100000001 entries, 0 to 100000000 are allowed"),
        ("l1_max_bytes = 5", "l1_max_bytes is 5 bytes"),
        ("max_value_bytes = 0", "the longest value is 0 bytes"),
        ("compression_threshold = 1048577", "compression_threshold is 1048577 bytes"),
        ("compression_level = 10", "the compression level is 10, 1 to 9 are allowed"),
        ("format = 'bincode'", "bincode"),
        ("store_timeout = 61", "store_timeout is 61s"),
        ("lease = 0.05", "lease is 50ms, 100ms to 60s are allowed"),
        ("disconnected_max_age = 86401", "disconnected_max_age is 86401s"),
        ("replay_queue = 0", "replay_queue is 0, 1 to 100000 are allowed"),
        ("breaker.failures = 0", "breaker.failures is 0, 1 to 1000 are allowed"),
        ("breaker.window = 1", "breaker.window is 1, 2 to 64 are allowed"),
        ("breaker.open_for = 3601", "breaker.open_for is 3601s"),
        ("namespace = ''", "the namespace is 0 bytes long"),
        ("redis.connect_timeout = 0", "connect_timeout is 0ns, 1ms to 60s are allowed"),
        (
            "type = 'memory'\nredis.url = 'redis://h'",
            "memory only and an address of Redis contradict each other",
        ),
        ("redis.password = 'a'\nredis.password_file = 'b'", "the password of Redis is given more than once"),
        (
            "redis.url = 'redis://:a@h'\nredis.password_file = 'b'",
            "the password of Redis is given more than once",
        ),
    ] {
        let found = message(CacheConfig::from_toml(text));
        assert!(found.starts_with(problem), "{text}: {found}");
        assert!(!found.contains("problems:"), "one fault, one sentence: {found}");
    }
    let fine = "default_ttl = 0.001\nstale_for = 31536000\nredis.connect_timeout = 60";
    assert_eq!(CacheConfig::from_toml(fine).unwrap().stale_for, Some(days(365)));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = "default_ttl = 0\nl1_size = 5\nclaims = 'yes'\ntype = 'disk'\nredis = { adress = 'x', connect_timeout = 99 }";
    let found = message(CacheConfig::from_toml(text));
    assert!(found.starts_with("6 problems: "), "{found}");
}

#[test]
fn text_that_cannot_be_parsed_is_an_error_with_its_line() {
    let found = message(CacheConfig::from_toml("default_ttl = 5\nl1_cache_size = \n"));
    assert!(found.starts_with("line 2 is not TOML: "), "{found}");
    let found = message(CacheConfig::from_json("{\n\"default_ttl\": 5,\n}"));
    assert_eq!(found, "line 3 is not JSON");
}

#[test]
fn a_file_is_read_by_what_its_name_ends_in() {
    let folder = std::env::temp_dir().join(format!("cache-factory-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let with = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let toml = CacheConfig::from_file(with("cache.toml", "default_ttl = 5")).unwrap();
    assert_eq!(toml, CacheConfig::from_file(with("cache.json", "{\"default_ttl\": 5}")).unwrap());
    assert_eq!(toml.default_ttl, Some(secs(5)));

    for (path, problem) in [
        (with("cache.yaml", ""), "the name of the file must end in .toml or .json"),
        (folder.join("nowhere.toml"), "there is no such file"),
        (with("long.toml", &" ".repeat((1 << 20) + 1)), "the file is longer than 1048576 bytes"),
        (
            with("ttl.toml", "default_ttl = 0"),
            "default_ttl: a TTL of 0ns was given, 1 ms to 365 days are allowed",
        ),
    ] {
        assert_eq!(message(CacheConfig::from_file(&path)), format!("{}: {problem}", path.display()));
    }
    CacheConfig::from_file(with("longest.toml", &" ".repeat(1 << 20))).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(feature = "memory")]
#[test]
fn all_that_is_wrong_with_a_file_is_found_at_once_and_once() {
    let folder = std::env::temp_dir().join(format!("cache-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("bad.toml");
    std::fs::write(&path, "type = 'memory'\nlease = 900\nl1_size = 5\nclaims = true").unwrap();
    let problems = CacheConfig::problems_of_file(&path);
    std::fs::write(&path, "default_ttl = 60\n[ai]\ntext_hash_threshold = 10").unwrap();
    let good = CacheConfig::problems_of_file(&path);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(good, [""; 0]);
    let one = |word: &str| problems.iter().filter(|problem| problem.contains(word)).count();
    assert_eq!(
        (one("l1_size"), one("claims has no effect"), one("lease is 900s")),
        (1, 1, 1),
        "{problems:?}"
    );
    assert!(problems.iter().any(|problem| problem.ends_with("did you mean l1_cache_size?")), "{problems:?}");
}

#[test]
fn a_configuration_can_be_had_from_variables() {
    let config =
        CacheConfig::from_variables([("CACHE_PRESET", "testing"), ("CACHE_PRODUCTION", "true")]).unwrap();
    assert_eq!(config.redis.unwrap().url.unwrap().expose(), "redis://127.0.0.1:6379/15");
    assert_eq!(config.production, Some(true));
    assert!(CacheConfig::from_variables([("CACHE_TYP", "redis")]).is_err());
}
